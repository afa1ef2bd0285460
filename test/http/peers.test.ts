import type { InjectOptions } from 'fastify'
import t, { type Test } from 'tap'
import type { Roster } from '../../services/peer/cube/roster.ts'
import { ERRORS, type ErrorCode, HypercastError } from '../../services/peer/errors.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import { listen, makeApp, RawClient } from '../support/app.ts'
import { ROSTER } from '../support/fake-peer.ts'

const NEW = { uid: 'uid-new', url: 'http://127.0.0.1:7000' }
/** The eight peers with their ids of three digits, and a ninth, for which the cube grew. */
const GROWN: Roster = {
  ...ROSTER,
  version: 2,
  dimension: 4,
  peers: [...ROSTER.peers, { id: '1000', uid: 'uid-1000', number: 9, url: 'http://127.0.0.1:5563' }],
}

async function world(t: Test, roster: Roster = ROSTER) {
  const { app, peer } = await makeApp(t)
  peer.current = roster
  const ask = async (method: NonNullable<InjectOptions['method']>, url: string, payload?: object) => {
    const answer = await app.inject({ method, url, ...(payload && { payload }) })
    return { status: answer.statusCode, body: answer.json(), headers: answer.headers }
  }
  return { app, peer, ask }
}

t.test('a store that joins is 201 with its peer and the roster, and 200 when it asks again', async t => {
  const { ask, peer } = await world(t)
  const first = await ask('POST', '/v1/peers', { ...NEW, id: '1000', slots: 64, format: 3 })
  t.equal(first.status, 201)
  t.equal(first.headers.location, '/v1/peers/1000')
  t.match(first.body.peer, { ...NEW, id: '1000', homes: 4, status: 'up' })
  t.same(first.body.roster, peer.current, 'the roster is as peers keep it')
  t.match(peer.membership.asked, [{ ...NEW, id: '1000', slots: 64, format: 3, by: '127.0.0.1 at peer 110' }])
  const again = await ask('POST', '/v1/peers', NEW)
  t.equal(again.status, 200)
  t.equal(again.headers.location, undefined)
  t.same(again.body.peer, first.body.peer)
})

t.test('a join has the time that slots on the move take, other questions that of a request', async t => {
  const { ask, peer } = await world(t)
  const left = () =>
    (peer.membership.asked.at(-1) as { deadlineMs: number }).deadlineMs - peer.clock.monotonicMs()
  await ask('POST', '/v1/peers', NEW)
  t.ok(left() > LIMITS.JOIN_TIMEOUT_MS / 2)
  t.ok(left() <= LIMITS.JOIN_TIMEOUT_MS)
  for (const [method, url] of [
    ['DELETE', '/v1/peers/000'],
    ['GET', '/v1/peers?progress=true'],
  ] as const) {
    await ask(method, url)
    t.ok(left() > 0, url)
    t.ok(left() <= peer.settings.publishTimeoutMs, url)
  }
})

t.test('a join that is wrong in itself is 400 in words, and nothing is asked of the cube', async t => {
  const { ask, peer } = await world(t)
  const cases: [object, RegExp][] = [
    [{}, /lacks "uid"/],
    [{ url: NEW.url }, /lacks "uid"/],
    [{ ...NEW, uid: '' }, /"uid"/],
    [{ ...NEW, uid: 'x'.repeat(65) }, /"uid"/],
    [{ ...NEW, url: 'here' }, /"here" is not a URL: write it like/],
    [{ ...NEW, url: 'ftp://x' }, /neither http nor https/],
    [{ ...NEW, url: 'http://127.0.0.1:7000/' }, /must be written as http:\/\/127.0.0.1:7000\./],
    [{ ...NEW, url: 'http://127.0.0.1:7000/v1/topics' }, /must be written as/],
    [{ ...NEW, url: `http://${'x'.repeat(300)}` }, /"url"/],
    [{ ...NEW, id: '12' }, /"id"/],
    [{ ...NEW, id: '' }, /"id"/],
    [{ ...NEW, id: '0'.repeat(11) }, /"id"/],
    [{ ...NEW, slots: 0 }, /"slots"/],
    [{ ...NEW, slots: '64' }, /"slots"/],
    [{ ...NEW, format: -1 }, /"format"/],
    [{ ...NEW, by: 'me' }, /does not know: "by"/],
  ]
  for (const [body, expected] of cases) {
    const answer = await ask('POST', '/v1/peers', body)
    t.match(answer.body, { status: 400, code: 'INVALID_REQUEST', detail: expected }, JSON.stringify(body))
  }
  t.same(peer.membership.asked, [])
})

t.test('what the roster refuses is a problem with its own words', async t => {
  const { ask, peer } = await world(t)
  const codes = [
    'LABEL_TAKEN',
    'LABEL_TOO_WIDE',
    'ADDRESS_TAKEN',
    'STORE_LISTED',
    'CUBE_FULL',
    'JOIN_REFUSED',
    'ADDRESS_UNREACHABLE',
    'CHANGE_UNDER_WAY',
    'INVALID_REQUEST',
    'UNREACHABLE',
    'NO_PRIMARY',
    'OUTCOME_UNKNOWN',
  ] as const satisfies ErrorCode[]
  for (const code of codes) {
    peer.membership.failure = new HypercastError(code, `because of ${code}`)
    const { body, headers } = await ask('POST', '/v1/peers', NEW)
    t.match(body, { code, status: ERRORS[code].status, detail: `because of ${code}` })
    if (code === 'CHANGE_UNDER_WAY') t.equal(headers['retry-after'], '5')
  }
  peer.membership.failure = new HypercastError('LAST_PEER')
  t.match((await ask('DELETE', '/v1/peers/000')).body, { code: 'LAST_PEER', status: 409 })
})

t.test('a peer that is to leave is 202 and shown as leaving, again and again', async t => {
  const { ask, peer } = await world(t)
  for (const force of [false, true]) {
    const answer = await ask('DELETE', `/v1/peers/101${force ? '?force=true' : ''}`)
    t.equal(answer.status, 202)
    t.match(answer.body, { peer: { id: '101', leaving: true, status: 'up', homes: 0 } })
    t.match(peer.membership.asked.at(-1), { id: '101', force, by: '127.0.0.1 at peer 110' })
  }
  const { peers } = (await ask('GET', '/v1/peers')).body
  t.same(
    peers.filter((one: object) => 'leaving' in one).map(({ id }: { id: string }) => id),
    ['101'],
    'the others have no such member',
  )
  t.equal((await ask('GET', '/v1/peers/101')).body.leaving, true)
})

t.test('a peer that is not listed cannot leave', async t => {
  const { ask, peer } = await world(t)
  for (const id of ['1000', 'x', '%20', '1', '0110', '0'.repeat(4_000)]) {
    const { body } = await ask('DELETE', `/v1/peers/${id}`)
    t.match(body, { code: 'UNKNOWN_PEER', status: 404 }, id.slice(0, 8))
  }
  t.match((await ask('DELETE', '/v1/peers/000?force=yes')).body, { code: 'INVALID_REQUEST' })
  t.match((await ask('DELETE', '/v1/peers/000?now=true')).body, { code: 'UNKNOWN_PARAMETER' })
  t.same(peer.membership.asked, [])
})

t.test('pages of other origins neither add nor remove peers', async t => {
  const { app, peer } = await world(t)
  const headers = { origin: 'http://evil.example' }
  const join = await app.inject({ method: 'POST', url: '/v1/peers', payload: NEW, headers })
  const leave = await app.inject({ method: 'DELETE', url: '/v1/peers/000?force=true', headers })
  t.same([join.json().code, leave.json().code], ['FOREIGN_ORIGIN', 'FOREIGN_ORIGIN'])
  t.same(peer.membership.asked, [])
})

t.test('the cube is asked what is still to move only for who wants to know', async t => {
  const { ask, peer } = await world(t)
  peer.membership.state = { moving: 12, bytesToMove: 5_000, behind: 2, unknown: 3 }
  for (const path of ['/v1/peers', '/v1/cube']) {
    for (const query of ['', '?progress=false']) {
      const { body } = await ask('GET', path + query)
      t.match(body, { moving: null, bytesToMove: null, behind: null, unknown: null }, path + query)
    }
    t.same(peer.membership.asked, [])
    const { body } = await ask('GET', `${path}?progress=true`)
    t.match(body, { moving: 12, bytesToMove: 5_000, behind: 2, unknown: 3 }, path)
    peer.membership.asked.length = 0
    t.match((await ask('GET', `${path}?progress=yes`)).body, { code: 'INVALID_REQUEST' })
  }
})

t.test('a peer is found by its id in either width', async t => {
  const { ask, peer } = await world(t, GROWN)
  for (const id of ['101', '0101']) {
    t.match((await ask('GET', `/v1/peers/${id}`)).body, { id: '0101', uid: 'uid-101' }, id)
    await ask('DELETE', `/v1/peers/${id}`)
    t.match(peer.membership.asked.at(-1), { id: '101' }, 'below HTTP an id is as it was given')
  }
})

t.test('in a cube that has grown every id is shown as wide as the cube', async t => {
  const { ask, app, peer } = await world(t, GROWN)
  const cube = (await ask('GET', '/v1/cube')).body
  t.match(cube, { self: '0110', dimension: 4, version: 2 })
  t.same(cube.primaries.slice(0, 2), [null, '0110'])
  t.same(
    cube.peers.map(({ id }: { id: string }) => id),
    ['0000', '0001', '0010', '0011', '0100', '0101', '0110', '0111', '1000'],
  )
  t.match(cube.peers[6], { id: '0110', status: 'self', primaries: 63 })
  t.same(cube.peers[0].neighbours, ['0001', '0010', '0100', '1000'])
  t.same((await ask('GET', '/v1/peers')).body.peers, cube.peers)

  const created = await ask('PUT', '/v1/topics/sports')
  const primary = { id: '0110', url: 'http://127.0.0.1:5561' }
  const slot30 = { slot: 30, home: '0110', primary }
  t.match(created.body, { ...slot30, replicas: [primary, { id: '0010' }, { id: '0100' }] })
  t.equal(created.headers['hypercast-path'], '0110')
  t.equal(created.headers['hypercast-primary'], primary.url)
  t.match((await ask('GET', '/v1/topics')).body.topics[0], slot30)
  const published = await app.inject({ method: 'POST', url: '/v1/topics/sports/publish', payload: 'x' })
  t.match(published.json(), { primary })
  t.equal(published.headers['hypercast-path'], '0110')
  await ask('DELETE', '/v1/peers/0110')
  const { roster } = (await ask('POST', '/v1/peers', { uid: 'uid-101', url: NEW.url })).body
  t.equal(roster.peers[5].id, '101', 'the roster itself is what peers keep')
  t.match(peer.membership.asked, [{ by: '127.0.0.1 at peer 0110' }, { by: '127.0.0.1 at peer 0110' }])
})

t.test('the stream of the cube tells how the roster changes', async t => {
  const { app, peer } = await world(t, GROWN)
  const { port } = await listen(app)
  const client = new RawClient(port).send('GET /v1/cube/events HTTP/1.1\r\nHost: x\r\n\r\n')
  t.teardown(() => client.socket.destroy())
  await client.until('retry: ')
  const kinds = ['joined', 'leaving', 'left', 'replaced', 'moved'] as const
  for (const [at, kind] of kinds.entries()) {
    peer.slots.happen({ timeMs: 0, kind, peer: '101', version: 2 + at, why: `why ${kind}` })
  }
  peer.slots.happen({ timeMs: 0, kind: 'takeover', slot: 5, peer: '1000', from: '101', term: 3 })
  const text = await client.until('takeover')
  const events = [...text.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json!))
  const time = '1970-01-01T00:00:00.000Z'
  t.same(events, [
    ...kinds.map((kind, at) => ({ time, kind, peer: '0101', version: 2 + at, why: `why ${kind}` })),
    { time, kind: 'takeover', slot: 5, peer: '1000', from: '0101', term: 3 },
  ])
})
