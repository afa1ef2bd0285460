import t from 'tap'
import { makeApp } from '../support/app.ts'

t.test('PUT creates a topic without a body and says where it lives', async t => {
  const { app } = await makeApp(t)
  const answer = await app.inject({ method: 'PUT', url: '/v1/topics/sports' })
  t.equal(answer.statusCode, 201)
  t.equal(answer.headers.location, '/v1/topics/sports')
  t.equal(answer.headers['hypercast-path'], '110')
  t.equal(answer.headers['hypercast-primary'], 'http://127.0.0.1:5561')
  t.match(answer.json(), {
    name: 'sports',
    slot: 30,
    home: '110',
    primary: { id: '110', url: 'http://127.0.0.1:5561' },
    replicas: [{ id: '110' }, { id: '010' }, { id: '100' }],
    earliest: 1,
    latest: 0,
    incarnation: 1,
    settings: { maxAgeMs: 604_800_000, maxEvents: null, maxBytes: null },
  })
})

t.test('PUT with the empty body of curl -d "" creates a topic too', async t => {
  const { app } = await makeApp(t)
  for (const [name, type] of [
    ['a', 'application/x-www-form-urlencoded'],
    ['b', 'application/json'],
  ] as const) {
    const headers = { 'content-type': type, 'content-length': '0' }
    t.equal((await app.inject({ method: 'PUT', url: `/v1/topics/${name}`, headers })).statusCode, 201)
  }
})

t.test('the same again is 200 and settings that differ are 409', async t => {
  const { app } = await makeApp(t)
  const put = (payload?: object) => app.inject({ method: 'PUT', url: '/v1/topics/sports', payload })
  t.equal((await put({ maxEvents: 10 })).statusCode, 201)
  t.equal((await put({ maxEvents: 10 })).statusCode, 200)
  const other = await put({ maxEvents: 11 })
  t.equal(other.statusCode, 409)
  t.equal(other.json().code, 'TOPIC_EXISTS')
})

t.test(
  'a setting that is not named may differ from the default, which another peer may have otherwise',
  async t => {
    const { app } = await makeApp(t)
    await app.inject({ method: 'PUT', url: '/v1/topics/sports', payload: { maxAgeMs: 1_000 } })
    const again = await app.inject({ method: 'PUT', url: '/v1/topics/sports' })
    t.equal(again.statusCode, 200)
    t.equal(again.json().settings.maxAgeMs, 1_000)
  },
)

t.test('POST creates a topic by the name in its body', async t => {
  const { app } = await makeApp(t)
  const post = (payload: unknown) =>
    app.inject({ method: 'POST', url: '/v1/topics', payload: payload as object })
  const answer = await post({ name: 'тема', maxAgeMs: null })
  t.equal(answer.statusCode, 201)
  t.match(answer.json(), { name: 'тема', slot: 32, home: '000', settings: { maxAgeMs: null } })
  t.equal(answer.headers.location, '/v1/topics/%D1%82%D0%B5%D0%BC%D0%B0')
  for (const [payload, code] of [
    [{}, 'INVALID_REQUEST'],
    [{ name: '' }, 'INVALID_TOPIC_NAME'],
    [{ name: 'a*' }, 'INVALID_TOPIC_NAME'],
    [{ name: '\ud800' }, 'INVALID_TOPIC_NAME'],
    [{ name: 5 }, 'INVALID_REQUEST'],
    [{ name: 'b', maxEvents: 0 }, 'INVALID_REQUEST'],
    [{ name: 'b', maxEvents: 1.5 }, 'INVALID_REQUEST'],
    [{ name: 'b', maxEvents: '1' }, 'INVALID_REQUEST'],
    [{ name: 'b', max: 1 }, 'INVALID_REQUEST'],
    [[], 'INVALID_REQUEST'],
  ] as const) {
    const refused = await post(payload)
    t.equal(refused.statusCode, 400, JSON.stringify(payload))
    t.equal(refused.json().code, code, refused.json().detail)
  }
})

t.test('an unknown topic is 404 and says how to create it', async t => {
  const { app } = await makeApp(t)
  const answer = await app.inject('/v1/topics/a%20b')
  t.equal(answer.statusCode, 404)
  t.match(answer.headers['content-type'], /^application\/problem\+json/)
  t.match(answer.json(), { code: 'UNKNOWN_TOPIC', type: '/docs/errors#UNKNOWN_TOPIC', topic: 'a b' })
  t.match(answer.json().detail, 'curl -X PUT http://127.0.0.1:5561/v1/topics/a%20b')
})

t.test('PATCH changes what it names, null lifts a limit, and what it does not know is refused', async t => {
  const { app } = await makeApp(t)
  await app.inject({ method: 'PUT', url: '/v1/topics/sports', payload: { maxEvents: 5, maxBytes: 100 } })
  const patch = (payload: object) => app.inject({ method: 'PATCH', url: '/v1/topics/sports', payload })
  t.same((await patch({ maxEvents: null })).json().settings, {
    maxAgeMs: 604_800_000,
    maxEvents: null,
    maxBytes: 100,
  })
  const refused = await patch({ retention: 1 })
  t.match(refused.json(), { code: 'INVALID_REQUEST', detail: /"retention"/ })
})

t.test('DELETE ends a topic; the name again is another topic', async t => {
  const { app } = await makeApp(t)
  await app.inject({ method: 'PUT', url: '/v1/topics/sports' })
  const gone = await app.inject({ method: 'DELETE', url: '/v1/topics/sports' })
  t.equal(gone.statusCode, 204)
  t.equal(gone.body, '')
  t.equal((await app.inject('/v1/topics/sports')).statusCode, 404)
  t.equal((await app.inject({ method: 'DELETE', url: '/v1/topics/sports' })).statusCode, 404)
  t.equal((await app.inject({ method: 'PUT', url: '/v1/topics/sports' })).json().incarnation, 2)
})

t.test('the list of topics is paged by name over all slots', async t => {
  const { app } = await makeApp(t)
  const names = Array.from({ length: 25 }, (_, at) => `topic ${String(at).padStart(2, '0')}`)
  for (const name of names.toReversed()) {
    await app.inject({ method: 'PUT', url: `/v1/topics/${encodeURIComponent(name)}` })
  }
  const seen: string[] = []
  let after: string | null = ''
  while (after !== null) {
    const page = await app.inject({ url: '/v1/topics', query: { after, limit: '10' } })
    const body: { topics: { name: string; primary: object }[]; next: string | null } = page.json()
    t.ok(body.topics.length <= 10)
    seen.push(...body.topics.map(({ name }) => name))
    after = body.next
  }
  t.same(seen, names)
  t.equal((await app.inject('/v1/topics?limit=25')).json().next, null)
})

t.test('a list that a part of the cube is missing from is an error', async t => {
  const { app, peer } = await makeApp(t)
  peer.failing = { code: 'UNREACHABLE', definite: true }
  const answer = await app.inject('/v1/topics')
  t.equal(answer.statusCode, 503)
  t.equal(answer.headers['retry-after'], '1')
})
