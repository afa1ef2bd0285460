import { Readable } from 'node:stream'
import t from 'tap'
import { encodeWants } from '../../services/peer/links/trunk-wants.ts'
import { type TrunkFrame, TrunkParser } from '../../services/peer/links/trunk-wire.ts'
import { listen, makeApp } from '../support/app.ts'

const PEER = { 'hypercast-cluster': 'c1', 'hypercast-from': '010', 'hypercast-uid': 'uid-010' }
const ROUTES = [
  ['POST', '/v1/replicate'],
  ['POST', '/v1/heartbeat'],
  ['POST', '/v1/relay/operations'],
  ['POST', '/v1/relay/recovery'],
  ['GET', '/v1/relay/snapshot?slot=4&after=0'],
  ['GET', '/v1/relay/trunk?trunk=t1'],
  ['POST', '/v1/relay/wants'],
] as const

t.test('who is not a peer of this cluster under its own uid is a stranger', async t => {
  const { app, peer } = await makeApp(t)
  for (const [method, url] of ROUTES) {
    for (const headers of [
      {},
      { ...PEER, 'hypercast-cluster': 'c2' },
      { ...PEER, 'hypercast-uid': 'uid-011' },
      { ...PEER, 'hypercast-from': '0100' },
    ]) {
      const answer = await app.inject({ method, url, headers })
      t.match(answer.json(), { code: 'STRANGER', status: 403 }, url)
    }
  }
  peer.current = null
  for (const [method, url] of ROUTES) {
    t.match((await app.inject({ method, url, headers: PEER })).json(), { code: 'NOT_FOUNDED' }, url)
  }
})

t.test('a peer says with its requests where it is reached, and nobody else does', async t => {
  const { app, peer } = await makeApp(t)
  const at = { 'hypercast-url': 'http://127.0.0.1:9' }
  for (const headers of [PEER, { ...PEER, ...at }, { ...PEER, ...at, 'hypercast-uid': 'uid-011' }]) {
    await app.inject({ method: 'GET', url: '/v1/relay/snapshot?slot=4&after=0', headers })
  }
  t.same(peer.links.places, [['010', 'http://127.0.0.1:9']])
})

t.test('a request that is meant for another store is told so', async t => {
  const { app, peer } = await makeApp(t)
  for (const [method, url] of ROUTES) {
    const headers = { ...PEER, 'hypercast-to': 'uid-011', 'hypercast-url': 'http://127.0.0.1:9' }
    const answer = await app.inject({ method, url, headers })
    t.match(answer.json(), { code: 'MISDIRECTED', status: 421, detail: /for the store uid-011/ }, url)
  }
  const places = ROUTES.map(() => ['010', 'http://127.0.0.1:9'])
  t.same(peer.links.places, places, 'where its sender is it says all the same')
  const headers = { ...PEER, 'hypercast-to': peer.links.uid }
  t.equal((await app.inject({ method: 'GET', url: ROUTES[4][1], headers })).statusCode, 200)
})

t.test('bodies reach the links as they are, with who sent them', async t => {
  const { app } = await makeApp(t)
  const { url } = await listen(app)
  const headers = { ...PEER, 'content-type': 'application/vnd.msgpack' }
  for (const path of ['/v1/replicate', '/v1/heartbeat']) {
    const answer = await fetch(`${url}${path}`, { method: 'POST', headers, body: 'bytes' })
    t.equal(answer.status, 200)
    t.same(await answer.json(), { from: '010', contentType: 'application/vnd.msgpack', body: 'bytes' })
  }
  const operations = await fetch(`${url}/v1/relay/operations`, { method: 'POST', headers, body: 'bytes' })
  t.equal(await operations.text(), '010:bytes')
  t.equal(operations.headers.get('content-type'), 'application/vnd.msgpack')
  const asJson = { ...PEER, 'content-type': 'application/json' }
  const lines = await fetch(`${url}/v1/relay/operations`, { method: 'POST', headers: asJson, body: '[]' })
  t.equal(lines.headers.get('content-type'), 'application/x-ndjson')
  t.equal(await lines.text(), '010:[]')
  const snapshot = await fetch(`${url}/v1/relay/snapshot?slot=4&after=17`, { headers: PEER })
  t.same(await snapshot.json(), { from: '010', slot: 4, after: 17 })
})

t.test('a heartbeat gives its socket, whose end is the first sign of its sender’s', async t => {
  const { app, peer } = await makeApp(t)
  const { url } = await listen(app)
  await (await fetch(`${url}/v1/heartbeat`, { method: 'POST', headers: PEER })).text()
  t.equal(peer.links.sockets.length, 1)
  t.ok(peer.links.sockets[0]!.remotePort)
})

t.test('founding is asked before there is a cluster', async t => {
  const { app, peer } = await makeApp(t)
  peer.current = null
  const ask = (payload: string) => app.inject({ method: 'POST', url: '/v1/relay/founding', payload })
  t.equal((await ask('{}')).json().body, '{}')
  t.match((await ask('')).json(), { code: 'INVALID_REQUEST' })
})

t.test(
  'peers are served while clients are turned away, and foreign origins do not matter to them',
  async t => {
    const { app, peer } = await makeApp(t)
    peer.isStopping = true
    const headers = { ...PEER, origin: 'http://evil.example' }
    t.equal(
      (await app.inject({ method: 'POST', url: '/v1/replicate', headers, payload: 'x' })).statusCode,
      200,
    )
  },
)

t.test('a peer gets what it wants down its trunk', async t => {
  const { app } = await makeApp(t)
  await app.inject({ method: 'PUT', url: '/v1/topics/sports' })
  const publish = (payload: string) =>
    app.inject({ method: 'POST', url: '/v1/topics/sports/publish', payload })
  await publish('update 1')
  const { url } = await listen(app)
  const aborter = new AbortController()
  const answer = await fetch(`${url}/v1/relay/trunk?trunk=t1`, { headers: PEER, signal: aborter.signal })
  t.equal(answer.headers.get('content-type'), 'application/vnd.msgpack')
  const say = (turn: number, slot: number) =>
    fetch(`${url}/v1/relay/wants`, {
      method: 'POST',
      headers: { ...PEER, 'content-type': 'application/vnd.msgpack' },
      body: new Uint8Array(
        encodeWants({
          trunk: 't1',
          turn,
          slots: [{ slot, add: ['sports'], remove: [], below: ['010'] }],
        }),
      ),
    })
  t.equal((await say(1, 30)).status, 200)
  const parser = new TrunkParser()
  const frames: TrunkFrame[] = []
  for await (const chunk of Readable.fromWeb(answer.body as never)) {
    const some = parser.push(Buffer.from(chunk)).filter(({ kind }) => kind !== 'marks')
    if (some[0]?.kind === 'covered') await publish('update 2')
    frames.push(...some)
    if (frames.at(-1)?.kind === 'events') break
  }
  t.match(frames, [
    { slot: 30, wants: ['sports'], rows: [{ topic: 'sports', incarnation: 1, earliest: 1, latest: 1 }] },
    { kind: 'events', slot: 30, topic: 'sports', events: [{ offset: 2, incarnation: 1 }] },
  ])
  t.equal((await say(2, 64)).status, 400, 'there is no such slot, and the trunk of no more use')
  aborter.abort()
})

t.test('bad questions of peers are refused', async t => {
  const { app } = await makeApp(t)
  for (const url of [
    '/v1/relay/snapshot',
    '/v1/relay/snapshot?slot=x&after=0',
    '/v1/relay/snapshot?slot=4&after=-1',
    '/v1/relay/trunk',
    '/v1/relay/trunk?trunk=T%20',
  ]) {
    t.match((await app.inject({ url, headers: PEER })).json(), { code: 'INVALID_REQUEST', status: 400 }, url)
  }
  for (const payload of [Buffer.from('x'), encodeWants({ trunk: 't1', turn: 1, slots: [] })]) {
    const headers = { ...PEER, 'content-type': 'application/vnd.msgpack' }
    const answer = await app.inject({ method: 'POST', url: '/v1/relay/wants', headers, payload })
    t.match(answer.json(), { code: 'INVALID_REQUEST', status: 400 }, 'no wants, and no such trunk')
  }
})
