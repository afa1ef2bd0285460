import fc from 'fast-check'
import t from 'tap'
import { listen, makeApp, RawClient } from '../support/app.ts'

const seed = Date.now() % 1_000_000

const method = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS')
const segment = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }).map(text => encodeURIComponent(text.toWellFormed())),
  fc.constantFrom('sports', '%', '%zz', '%00', '..', '%2F', '', ':topic', '*', 'x'.repeat(300)),
)
const path = fc.oneof(
  fc
    .tuple(segment, fc.constantFrom('', '/publish', '/batch', '/events', '/nothing'))
    .map(([topic, tail]) => `/v1/topics/${topic}${tail}`),
  fc.constantFrom(
    '/v1/topics',
    '/v1/cube',
    '/v1/peers',
    '/v1/peers/101',
    '/health/ready',
    '/metrics',
    '/docs',
    '/',
  ),
  fc.constantFrom(
    '/v1/replicate',
    '/v1/heartbeat',
    '/v1/relay/operations',
    '/v1/relay/snapshot',
    '/v1/relay/founding',
  ),
  fc.webPath().filter(text => /^\/(?!\/)/.test(text)),
)
const query = fc.oneof(
  fc.constant(''),
  fc.webQueryParameters().map(text => `?${text}`),
  fc
    .tuple(
      fc.constantFrom(
        'from',
        'last',
        'limit',
        'after',
        'lastEventId',
        'named',
        'format',
        'progress',
        'force',
      ),
      fc.oneof(
        fc.string(),
        fc.integer().map(String),
        fc.constantFrom('earliest', '1-1', '9007199254740993', '1e9', 'true'),
      ),
    )
    .map(([name, value]) => `?${name}=${encodeURIComponent(value.toWellFormed())}`),
)
const headers = fc.dictionary(
  fc.constantFrom(
    'accept',
    'content-type',
    'content-encoding',
    'idempotency-key',
    'last-event-id',
    'ce-id',
    'ce-type',
    'ce-time',
    'ce-specversion',
    'ce-source',
    'origin',
    'hypercast-cluster',
    'hypercast-from',
    'hypercast-uid',
    'access-control-request-method',
  ),
  fc.oneof(
    fc.string({ maxLength: 30 }).map(text => text.replaceAll(/[^\x20-\x7e]/g, '')),
    fc.constantFrom(
      'application/json',
      'application/x-ndjson',
      'application/cloudevents+json',
      'application/cloudevents-batch+json',
      '1.0',
      'text/event-stream;q=0',
      'c1',
      '010',
      'uid-010',
      '1-1',
    ),
  ),
)
const cloudEvent = fc.record(
  {
    specversion: fc.constantFrom('1.0', '0.3'),
    id: fc.oneof(fc.constantFrom('a', 'b'), fc.jsonValue()),
    source: fc.oneof(fc.constantFrom('/a', 'urn:b'), fc.string()),
    type: fc.oneof(fc.constant('t'), fc.string()),
    time: fc.oneof(fc.constant('2025-01-31T12:00:00Z'), fc.string()),
    extension: fc.jsonValue(),
    data: fc.jsonValue(),
    data_base64: fc.base64String(),
    datacontenttype: fc.constantFrom('text/plain', 'application/json', 'x'),
  },
  { requiredKeys: ['specversion', 'id', 'source', 'type'] },
)
const body = fc.oneof(
  fc.constant(undefined),
  fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes)),
  fc.json().map(text => Buffer.from(text)),
  fc
    .record({ data: fc.jsonValue(), type: fc.string(), id: fc.string() }, { requiredKeys: [] })
    .map(line => Buffer.from(JSON.stringify(line))),
  cloudEvent.map(event => Buffer.from(JSON.stringify(event))),
  fc.array(cloudEvent, { maxLength: 3 }).map(events => Buffer.from(JSON.stringify(events))),
)

t.test('no request gives a 500, a stack trace, or an error without its problem', async t => {
  const { app, peer } = await makeApp(t)
  await app.inject({ method: 'PUT', url: '/v1/topics/sports' })
  await fc.assert(
    fc.asyncProperty(method, path, query, headers, body, async (method, path, query, headers, payload) => {
      // A stream would not end; what leads to it is the same.
      const all = {
        ...headers,
        accept: (headers.accept ?? '').replace('text/event-stream', '') || 'application/json',
      }
      const url = `${path}${query}`
      const options = { method, url, headers: all, ...(payload ? { payload } : {}) }
      if (/\/events(?:\?|$)/.test(url) && /\*/.test(all.accept)) return
      const answer = await app.inject(options as { method: 'GET' })
      if (answer.statusCode === 500 || /\n\s+at /.test(answer.body)) throw new Error(answer.body)
      if (answer.statusCode < 400 || method === 'HEAD' || answer.headers['content-type']?.includes('html'))
        return
      if (url.startsWith('/health')) return
      const problem = answer.json()
      if (problem.status !== answer.statusCode || !problem.code || !problem.remedy)
        throw new Error(answer.body)
    }),
    { numRuns: 2_000, seed },
  )
  t.same(peer.logged, [], `seed ${seed}`)
})

t.test('whatever bytes come, the peer answers nothing worse than 4xx and lives on', async t => {
  const { app, peer } = await makeApp(t, { requestTimeoutMs: 1_000 })
  const { port } = await listen(app)
  const piece = fc.oneof(
    fc
      .constantFrom(
        'GET /v1/cube HTTP/1.1\r\nHost: x\r\n\r\n',
        'POST /v1/topics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{"a',
        'POST /v1/topics/a/publish HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
        'Host: x\r\n',
        '\r\n\r\n',
        'GET ',
        'HTTP/1.1',
        '0\r\n',
      )
      .map(text => Buffer.from(text)),
    fc.uint8Array({ maxLength: 30 }).map(bytes => Buffer.from(bytes)),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 6 }), async pieces => {
      const client = new RawClient(port)
      client.send(Buffer.concat(pieces))
      client.socket.end()
      const text = await client.closed()
      if (/^HTTP\/1\.1 5/m.test(text)) throw new Error(text)
    }),
    { numRuns: 150, seed },
  )
  t.equal((await app.inject('/health/live')).statusCode, 200)
  t.same(peer.logged, [], `seed ${seed}`)
})
