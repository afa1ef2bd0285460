import t from 'tap'
import { SlotError } from '../../services/peer/engine/types.ts'
import { ERRORS, HypercastError } from '../../services/peer/errors.ts'
import { errorMarkdown } from '../../services/peer/http/error-page.ts'
import { asHypercastError, problemOf } from '../../services/peer/http/problems.ts'
import { makeApp } from '../support/app.ts'

t.test('a problem names its code, what to do, and the request', async t => {
  const { app } = await makeApp(t)
  const answer = await app.inject('/nowhere')
  t.equal(answer.statusCode, 404)
  t.match(answer.headers['content-type'], /^application\/problem\+json/)
  const problem = answer.json()
  t.match(problem, {
    type: '/docs/errors#NOT_FOUND',
    title: ERRORS.NOT_FOUND.title,
    status: 404,
    code: 'NOT_FOUND',
    remedy: ERRORS.NOT_FOUND.remedy,
  })
  t.equal(problem.instance, `urn:uuid:${answer.headers['hypercast-request']}`)
})

t.test('extra members never replace those of the table', async t => {
  const error = new HypercastError('NOT_FOUND', 'x', { code: 'Y', status: 200, line: 3 })
  t.match(problemOf(error, 'id'), { code: 'NOT_FOUND', status: 404, line: 3 })
})

t.test('a method that a path does not take is 405 with those it takes', async t => {
  const { app } = await makeApp(t)
  for (const [method, url, allow] of [
    ['POST', '/v1/cube', 'GET, HEAD'],
    ['DELETE', '/v1/topics', 'GET, HEAD, POST'],
    ['POST', '/v1/topics/a%2Fb', 'DELETE, GET, HEAD, PATCH, PUT'],
    ['GET', '/v1/topics/a/publish?x=1', 'POST'],
    ['PUT', '/v1/topics/a/events', 'GET, HEAD'],
  ] as const) {
    const answer = await app.inject({ method, url })
    t.equal(answer.statusCode, 405, url)
    t.equal(answer.headers.allow, allow)
    t.equal(answer.json().code, 'METHOD_NOT_ALLOWED')
  }
  const webdav = await app.inject({ method: 'PROPFIND' as 'GET', url: '/v1/topics' })
  t.equal(webdav.statusCode, 405)
})

t.test('an unknown query parameter is 400 on every path', async t => {
  const { app } = await makeApp(t)
  for (const url of [
    '/v1/topics',
    '/v1/topics/a',
    '/v1/topics/a/events',
    '/v1/cube',
    '/v1/cube/events',
    '/v1/peers',
    '/v1/peers/000',
    '/health/live',
    '/health/ready',
    '/metrics',
    '/openapi.yaml',
  ]) {
    const answer = await app.inject(`${url}?frm=1`)
    t.equal(answer.statusCode, 400, url)
    t.match(answer.json(), { code: 'UNKNOWN_PARAMETER', detail: /"frm"/ })
  }
  for (const query of ['__proto__=1', 'constructor=1', 'toString', '%zz=1', '%00=1']) {
    t.equal((await app.inject(`/v1/topics?${query}`)).json().code, 'UNKNOWN_PARAMETER', query)
  }
})

t.test('bad JSON, wrong types and poisoned objects are refused', async t => {
  const { app } = await makeApp(t)
  const post = (payload: string | Buffer, type = 'application/json') =>
    app.inject({ method: 'POST', url: '/v1/topics', payload, headers: { 'content-type': type } })
  for (const body of ['{', '', '"a"', '[1]', 'null', '{"name":1}', '{"name":"a","__proto__":{"x":1}}']) {
    const answer = await post(body)
    t.equal(answer.statusCode, 400, body)
    t.equal(answer.json().code, 'INVALID_REQUEST')
  }
  t.equal((await post(Buffer.from([0x22, 0xff, 0x22]))).json().code, 'INVALID_REQUEST')
  t.equal((await post('['.repeat(200_000))).json().code, 'INVALID_REQUEST')
  t.equal((await post('['.repeat(200_000) + ']'.repeat(200_000))).json().code, 'INVALID_REQUEST')
  for (const type of ['text/xml', 'application/x-www-form-urlencoded', 'text/plain', 'nonsense', 'a/b c']) {
    t.match((await post('{"name":"a"}', type)).json(), { code: 'UNSUPPORTED_MEDIA_TYPE', status: 415 }, type)
  }
  t.equal((await post('{"name":"a"}', 'application/json; charset=utf-8')).statusCode, 201)
  t.equal((await post('{"name":"b"}', 'application/merge-patch+json')).statusCode, 201)
  t.equal((await post(`{"name":"${'x'.repeat(1_100_000)}"}`)).statusCode, 413)
})

t.test('a defect is 500 without a word of the inside, and logged under the request’s id', async t => {
  const { app, peer } = await makeApp(t)
  peer.slots.failure = new Error('secret of the inside')
  const answer = await app.inject({ method: 'PUT', url: '/v1/topics/a' })
  t.equal(answer.statusCode, 500)
  t.notMatch(answer.body, 'secret')
  t.notMatch(answer.body, 'fake-peer')
  const [logged] = peer.logged.splice(0)
  t.match(logged, {
    err: { message: 'secret of the inside' },
    requestId: answer.headers['hypercast-request'],
  })
})

t.test('the failures of a slot have their codes', async t => {
  for (const [failure, code] of [
    [{ kind: 'notPrimary', primary: null }, 'NO_PRIMARY'],
    [{ kind: 'unknown' }, 'OUTCOME_UNKNOWN'],
    [{ kind: 'unavailable', code: 'NOT_A_REPLICA' }, 'UNREACHABLE'],
    [{ kind: 'unavailable', code: 'STOPPING' }, 'STOPPING'],
    [{ kind: 'refused', code: 'KEY_IN_FLIGHT' }, 'IDEMPOTENCY_KEY_IN_FLIGHT'],
    [{ kind: 'refused', code: 'CLOCK_SKEW' }, 'CLOCK_SKEW'],
  ] as const) {
    t.equal(asHypercastError(new SlotError(failure)).code, code)
  }
  t.equal(asHypercastError(undefined).code, 'INTERNAL')
  t.equal(asHypercastError({ statusCode: 418, message: 'x' }).code, 'INVALID_REQUEST')
})

t.test('clients are turned away before founding and while stopping; operators are not', async t => {
  const { app, peer } = await makeApp(t)
  const statuses = async () => ({
    topic: (await app.inject('/v1/topics/a')).statusCode,
    put: (await app.inject({ method: 'PUT', url: '/v1/topics/a' })).json().code,
    page: (await app.inject({ url: '/v1/topics/a/events', headers: { accept: 'application/json' } }))
      .statusCode,
    live: (await app.inject('/health/live')).statusCode,
    ready: (await app.inject('/health/ready')).statusCode,
    metrics: (await app.inject('/metrics')).statusCode,
    docs: (await app.inject('/docs')).statusCode,
  })
  peer.current = null
  peer.isReady = false
  const away = { topic: 503, page: 503, live: 200, ready: 503, metrics: 200, docs: 200 }
  t.same(await statuses(), { ...away, put: 'NOT_FOUNDED' })
  peer.isStopping = true
  t.same(await statuses(), { ...away, put: 'STOPPING' })
})

t.test('the page of errors has a place for every code, and so has docs/ERRORS.md', async t => {
  const { app } = await makeApp(t)
  const page = (await app.inject('/docs/errors')).body
  for (const code of Object.keys(ERRORS)) {
    t.match(page, `<section id="${code}">`)
    t.match(errorMarkdown(), `\n## ${code}\n`)
  }
})
