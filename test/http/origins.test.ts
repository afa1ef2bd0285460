import t from 'tap'
import { mayWrite } from '../../services/peer/http/origins.ts'
import { makeApp } from '../support/app.ts'
import { ROSTER } from '../support/fake-peer.ts'

t.test('pages of the cube’s peers may write, by every name of loopback', async t => {
  for (const [origin, may] of [
    ['http://127.0.0.1:5555', true],
    ['http://localhost:5562', true],
    ['http://[::1]:5560', true],
    ['http://localhost:8080', false],
    ['https://localhost:5555', false],
    ['http://evil.example:5555', false],
    ['null', false],
    ['', false],
  ] as const) {
    t.equal(mayWrite(origin, [], ROSTER), may, origin)
  }
  t.ok(mayWrite('http://evil.example', ['*'], ROSTER))
  t.ok(mayWrite('null', ['*'], null))
  t.ok(mayWrite('https://app.example', ['https://app.example'], null))
  t.notOk(mayWrite('http://127.0.0.1:5555', [], null))
  const odd = {
    ...ROSTER,
    peers: [
      { ...ROSTER.peers[0]!, url: 'http://peer.example' },
      { ...ROSTER.peers[1]!, url: 'x' },
    ],
  }
  t.ok(mayWrite('http://peer.example', [], odd))
})

t.test('a write with a foreign Origin is 403, whatever Host says, and nothing happens', async t => {
  const { app } = await makeApp(t)
  const headers = { origin: 'http://evil.example:5555', host: 'evil.example:5555' }
  for (const [method, url] of [
    ['PUT', '/v1/topics/a'],
    ['POST', '/v1/topics'],
    ['POST', '/v1/topics/a/publish'],
    ['POST', '/v1/topics/a/batch'],
    ['PATCH', '/v1/topics/a'],
    ['DELETE', '/v1/topics/a'],
  ] as const) {
    const answer = await app.inject({ method, url, headers })
    t.match(answer.json(), { code: 'FOREIGN_ORIGIN', status: 403 }, `${method} ${url}`)
    t.notOk(answer.headers['access-control-allow-origin'])
  }
  t.same((await app.inject('/v1/topics')).json().topics, [])
})

t.test('an allowed origin may write and read the answer, errors too', async t => {
  const { app } = await makeApp(t, { allowOrigin: ['https://app.example'] })
  const headers = { origin: 'https://app.example' }
  for (const [url, status] of [
    ['/v1/topics/a', 201],
    ['/v1/topics/a*', 400],
  ] as const) {
    const answer = await app.inject({ method: 'PUT', url, headers })
    t.equal(answer.statusCode, status)
    t.equal(answer.headers['access-control-allow-origin'], 'https://app.example')
    t.match(answer.headers.vary, /Origin/)
    t.match(answer.headers['access-control-expose-headers'], /Hypercast-Primary/)
  }
})

t.test('every page may read', async t => {
  const { app } = await makeApp(t)
  for (const url of ['/v1/cube', '/v1/topics/none', '/v1/topics/%zz', '/nowhere']) {
    const answer = await app.inject({ url, headers: { origin: 'https://app.example' } })
    t.equal(answer.headers['access-control-allow-origin'], '*', url)
  }
})

t.test('preflights are answered by what would be answered', async t => {
  const { app } = await makeApp(t, { allowOrigin: ['https://app.example'] })
  const preflight = (origin: string, method: string, url = '/v1/topics/a') =>
    app.inject({
      method: 'OPTIONS',
      url,
      headers: {
        origin,
        'access-control-request-method': method,
        'access-control-request-headers': 'ce-type, idempotency-key',
        'access-control-request-private-network': 'true',
      },
    })
  const write = await preflight('https://app.example', 'PUT')
  t.equal(write.statusCode, 204)
  t.match(write.headers, {
    'access-control-allow-origin': 'https://app.example',
    'access-control-allow-methods': 'DELETE, GET, HEAD, PATCH, PUT',
    'access-control-allow-headers': 'ce-type, idempotency-key',
    'access-control-allow-private-network': 'true',
  })
  const read = await preflight('https://other.example', 'GET', '/v1/topics/a/events')
  t.equal(read.statusCode, 204)
  t.equal(read.headers['access-control-allow-origin'], '*')
  t.match((await preflight('https://other.example', 'PUT')).json(), { code: 'FOREIGN_ORIGIN' })
  t.match((await preflight('https://app.example', 'PUT', '/nowhere')).json(), { code: 'NOT_FOUND' })
  const plain = await app.inject({ method: 'OPTIONS', url: '/v1/cube' })
  t.equal(plain.statusCode, 204)
  t.equal(plain.headers.allow, 'OPTIONS, GET, HEAD')
})
