import t from 'tap'
import { SlotError } from '../../services/peer/engine/types.ts'
import { makeApp } from '../support/app.ts'

type App = Awaited<ReturnType<typeof makeApp>>['app']

const URL = '/v1/topics/sports/publish'

function publish(app: App, payload: string | Buffer | undefined, headers: Record<string, string> = {}) {
  return app.inject({ method: 'POST', url: URL, headers, ...(payload === undefined ? {} : { payload }) })
}

async function events(app: App): Promise<Record<string, unknown>[]> {
  const answer = await app.inject({
    url: '/v1/topics/sports/events',
    headers: { accept: 'application/json' },
  })
  return answer.json().events
}

async function makeTopic(t: Parameters<typeof makeApp>[0], settings = {}) {
  const made = await makeApp(t, settings)
  await made.app.inject({ method: 'PUT', url: '/v1/topics/sports' })
  return made
}

t.test('a publish is answered with its place, its primary and how many replicas hold it', async t => {
  const { app } = await makeTopic(t)
  const answer = await publish(app, 'Match Update 1')
  t.equal(answer.statusCode, 201)
  t.equal(answer.headers.location, '/v1/topics/sports/events?from=1')
  t.equal(answer.headers['hypercast-primary'], 'http://127.0.0.1:5561')
  const { time, ...body } = answer.json()
  t.ok(Date.parse(time) > 0)
  t.same(body, {
    topic: 'sports',
    offset: 1,
    id: '1-1',
    cursor: '1-1',
    primary: { id: '110', url: 'http://127.0.0.1:5561' },
    replicas: 2,
  })
})

t.test('the form type of curl, or none, counts as text if it is valid UTF-8', async t => {
  const { app } = await makeTopic(t)
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  t.equal((await publish(app, 'a=1&b=%20', form)).statusCode, 201)
  t.equal((await publish(app, 'Größe €')).statusCode, 201)
  t.match(await events(app), [
    { data: 'a=1&b=%20', contentType: 'text/plain; charset=utf-8' },
    { data: 'Größe €', contentType: 'text/plain; charset=utf-8' },
  ])
  for (const headers of [form, {}]) {
    const refused = await publish(app, Buffer.from([0xff, 0xfe]), headers as Record<string, string>)
    t.equal(refused.statusCode, 415)
    t.equal(refused.json().code, 'NOT_TEXT')
  }
})

t.test('any content type is kept with the body as it is', async t => {
  const { app } = await makeTopic(t)
  const bytes = Buffer.from([0, 255, 128])
  t.equal((await publish(app, bytes, { 'content-type': 'image/png' })).statusCode, 201)
  const exact = '{"big": 12345678901234567890, "one": 1.0}'
  t.equal((await publish(app, exact, { 'content-type': 'application/json' })).statusCode, 201)
  t.equal((await publish(app, 'not json', { 'content-type': 'application/json' })).statusCode, 201)
  const page = await app.inject({ url: '/v1/topics/sports/events', headers: { accept: 'application/json' } })
  t.match(page.body, `"data":${exact}`, 'numbers as they were written')
  t.match(page.json().events, [
    { contentType: 'image/png', data_base64: bytes.toString('base64') },
    { contentType: 'application/json' },
    { contentType: 'application/json', data_base64: Buffer.from('not json').toString('base64') },
  ])
})

t.test('an event may be empty', async t => {
  const { app } = await makeTopic(t)
  t.equal((await publish(app, undefined)).statusCode, 201)
  t.equal((await publish(app, '')).statusCode, 201)
  t.match(await events(app), [{ data: '' }, { data: '' }])
})

t.test('ce-* headers are the attributes of CloudEvents’ binary mode, percent-decoded', async t => {
  const { app } = await makeTopic(t)
  const answer = await publish(app, 'x', {
    'ce-specversion': '1.0',
    'ce-id': 'id%20%E2%82%AC',
    'ce-type': '"goal \\"x\\""',
    'ce-source': '/stadium/1',
    'ce-share': '100%',
    'ce-time': '2025-01-31T12:00:00Z',
    'ce-league': Buffer.from('Größe').toString('latin1'),
  })
  t.equal(answer.statusCode, 201, answer.body)
  t.equal(answer.json().id, 'id €')
  t.match(await events(app), [
    {
      id: 'id €',
      type: 'goal "x"',
      attributes: { source: '/stadium/1', share: '100%', time: '2025-01-31T12:00:00Z', league: 'Größe' },
    },
  ])
})

t.test('attributes that cannot be kept are refused with a reason', async t => {
  const { app } = await makeTopic(t)
  for (const type of ['open', 'error', 'message', 'gap', 'end', 'cloudevent', '']) {
    t.match(
      (await publish(app, 'x', { 'ce-type': type })).json(),
      { code: 'INVALID_EVENT', status: 400 },
      type,
    )
  }
  for (const headers of [
    { 'ce-specversion': '0.3' },
    { 'ce-type': 'a%0Ab' },
    { 'ce-id': 'a%00' },
    { 'ce-id': '%FF' },
    { 'ce-id': '' },
    { 'ce-time': 'yesterday' },
    { 'ce-bad_name': 'x' },
    { 'ce-': 'x' },
    { 'ce-data': 'x' },
    { 'ce-datacontenttype': 'text/plain' },
    { 'ce-long': 'x'.repeat(1_025) },
    Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`ce-a${at}`, 'x'])),
  ] as Record<string, string>[]) {
    const answer = await publish(app, 'x', headers)
    t.match(answer.json(), { code: 'INVALID_EVENT', status: 400 }, Object.keys(headers).join())
  }
  t.same(await events(app), [])
})

t.test('content types and encodings that cannot be kept are 415', async t => {
  const { app } = await makeTopic(t)
  for (const headers of [
    { 'content-type': 'text' },
    { 'content-type': 'a b/c' },
    { 'content-type': `text/${'x'.repeat(300)}` },
    { 'content-type': 'text/plain', 'content-encoding': 'gzip' },
  ] as Record<string, string>[]) {
    const answer = await publish(app, 'x', headers)
    t.equal(answer.statusCode, 415, JSON.stringify(headers))
    t.equal(answer.json().code, 'UNSUPPORTED_MEDIA_TYPE')
  }
})

t.test('the same Idempotency-Key gives the first answer again, quoted or bare', async t => {
  const { app } = await makeTopic(t)
  const first = await publish(app, 'goal', { 'idempotency-key': '"k1"' })
  const again = await publish(app, 'goal', { 'idempotency-key': 'k1' })
  t.equal(again.statusCode, 201)
  t.same(again.json(), first.json())
  t.equal((await events(app)).length, 1)
  for (const [payload, headers] of [
    ['other', {}],
    ['goal', { 'content-type': 'text/html' }],
    ['goal', { 'ce-type': 'x' }],
    ['goal', { 'ce-id': 'x' }],
    ['goal', { 'ce-source': 'x' }],
  ] as [string, Record<string, string>][]) {
    const other = await publish(app, payload, { ...headers, 'idempotency-key': 'k1' })
    t.equal(other.statusCode, 422)
    t.equal(other.json().code, 'IDEMPOTENCY_KEY_REUSED')
  }
})

t.test('an Idempotency-Key that cannot be read is refused', async t => {
  const { app } = await makeTopic(t)
  for (const key of ['', '""', '"a', '"a"b', '"a", "b"', 'a b', 'é', `"${'x'.repeat(256)}"`, '"\\n"']) {
    const answer = await publish(app, 'x', { 'idempotency-key': key })
    t.match(answer.json(), { code: 'INVALID_REQUEST', detail: /Idempotency-Key/ }, key)
  }
  t.equal((await publish(app, 'x', { 'idempotency-key': '"a \\"b\\" \\\\"' })).statusCode, 201)
  t.equal((await publish(app, 'x', { 'idempotency-key': 'x'.repeat(255) })).statusCode, 201)
})

t.test('a body over the limit is 413 and one at it is taken', async t => {
  const { app } = await makeTopic(t, { maxPayloadBytes: 100 })
  t.equal((await publish(app, 'x'.repeat(100))).statusCode, 201)
  const refused = await publish(app, 'x'.repeat(101))
  t.equal(refused.statusCode, 413)
  t.equal(refused.json().code, 'PAYLOAD_TOO_LARGE')
})

t.test('every failure of the cube has its code, and says whether to try again', async t => {
  const { app, peer } = await makeTopic(t)
  for (const [code, status] of [
    ['NO_PRIMARY', 503],
    ['UNREACHABLE', 503],
    ['OVERLOADED', 503],
    ['DISK_FULL', 507],
    ['IDEMPOTENCY_KEY_IN_FLIGHT', 409],
    ['CLOCK_SKEW', 503],
  ] as const) {
    peer.failing = { code, definite: true }
    const answer = await publish(app, 'x')
    t.equal(answer.statusCode, status)
    t.equal(answer.json().code, code)
    t.match(answer.headers['retry-after'], /^\d+$/)
  }
  peer.failing = { code: 'NO_PRIMARY', definite: false }
  t.match((await publish(app, 'x')).json(), { code: 'OUTCOME_UNKNOWN', status: 504 })
  peer.failing = undefined
  peer.slots.failure = new SlotError({ kind: 'refused', code: 'DISK_FULL' })
  t.match((await publish(app, 'x')).json(), { code: 'DISK_FULL' })
})

t.test('publishes are counted by outcome', async t => {
  const { app, peer } = await makeTopic(t)
  await publish(app, 'x')
  await publish(app, 'x')
  await app.inject({ method: 'POST', url: '/v1/topics/none/publish', payload: 'x' })
  const text = await peer.metrics.registry.metrics()
  t.match(text, 'hypercast_publishes_total{outcome="ok"} 2\n')
  t.match(text, 'hypercast_publishes_total{outcome="UNKNOWN_TOPIC"} 1\n')
  t.match(text, 'hypercast_published_events_total 2\n')
})
