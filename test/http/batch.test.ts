import t from 'tap'
import { makeApp } from '../support/app.ts'

type App = Awaited<ReturnType<typeof makeApp>>['app']

function batch(app: App, payload: string | Buffer, headers: Record<string, string> = {}) {
  const all = { 'content-type': 'application/x-ndjson', ...headers }
  return app.inject({ method: 'POST', url: '/v1/topics/sports/batch', headers: all, payload })
}

async function makeTopic(t: Parameters<typeof makeApp>[0], settings = {}) {
  const made = await makeApp(t, settings)
  await made.app.inject({ method: 'PUT', url: '/v1/topics/sports' })
  return made
}

t.test(
  'a batch takes text, JSON and binary, skips blank lines, and answers first and last offset',
  async t => {
    const { app } = await makeTopic(t)
    const lines = [
      '{"data":"Match Update 1"}',
      '',
      '{"data":{"score":[1.0,12345678901234567890]},"type":"goal","id":"g1"}\r',
      '{"data":null}',
      '{"data":"<p>","contentType":"text/html"}',
      '{"data_base64":"AP8="}',
      '   ',
    ]
    const answer = await batch(app, `\ufeff${lines.join('\n')}\n`)
    t.equal(answer.statusCode, 201, answer.body)
    const { time, ...body } = answer.json()
    t.ok(Date.parse(time) > 0)
    t.same(body, {
      topic: 'sports',
      first: 1,
      last: 5,
      count: 5,
      cursor: '5-1',
      primary: { id: '110', url: 'http://127.0.0.1:5561' },
      replicas: 2,
    })
    const page = await app.inject({
      url: '/v1/topics/sports/events',
      headers: { accept: 'application/json' },
    })
    t.match(page.body, '"data":{"score":[1.0,12345678901234567890]}')
    t.match(page.json().events, [
      { data: 'Match Update 1', contentType: 'text/plain; charset=utf-8' },
      { type: 'goal', id: 'g1', contentType: 'application/json' },
      { data: null, contentType: 'application/json' },
      { data: '<p>', contentType: 'text/html' },
      { data_base64: 'AP8=', contentType: 'application/octet-stream' },
    ])
  },
)

t.test('a bad line refuses all and is named', async t => {
  const { app } = await makeTopic(t)
  const deep = `{"data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
  for (const line of [
    'x',
    '5',
    'null',
    '[]',
    '{}',
    '{"data":"a","data_base64":"AA=="}',
    '{"data_base64":"A"}',
    '{"data_base64":5}',
    '{"data":"a","typ":"x"}',
    '{"data":"a","type":5}',
    '{"data":"a","type":"gap"}',
    '{"data":"a","id":""}',
    '{"data":"\\ud800"}',
    '{"data":"a","__proto__":1}',
    deep,
  ]) {
    const answer = await batch(app, `{"data":"good"}\n\n${line}\n{"data":"good"}`)
    t.equal(answer.statusCode, 400, line.slice(0, 60))
    t.match(answer.json(), { code: 'INVALID_EVENT', line: 3, detail: /^Line 3: / })
  }
  t.match((await batch(app, '{"data":"a","contentType":"x"}')).json(), {
    code: 'UNSUPPORTED_MEDIA_TYPE',
    line: 1,
  })
  t.equal((await app.inject('/v1/topics/sports')).json().latest, 0)
})

t.test('an empty batch, wrong bytes and wrong types are refused', async t => {
  const { app } = await makeTopic(t)
  for (const empty of ['', '\n\n \n']) t.equal((await batch(app, empty)).json().code, 'EMPTY_BATCH')
  t.equal((await batch(app, Buffer.from([0xff]))).json().code, 'INVALID_EVENT')
  for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded']) {
    const answer = await batch(app, '{"data":"a"}', { 'content-type': type })
    t.equal(answer.statusCode, 415)
    t.match(answer.json().detail, 'application/x-ndjson')
  }
  t.equal((await batch(app, '{"data":"a"}', { 'content-encoding': 'br' })).statusCode, 415)
})

t.test('a batch is bounded in events, bytes, and the bytes of one event', async t => {
  const { app } = await makeTopic(t, { maxPayloadBytes: 10, maxBatchBytes: 200_000 })
  t.equal((await batch(app, '{"data":""}\n'.repeat(10_000))).statusCode, 201)
  t.match((await batch(app, '{"data":""}\n'.repeat(10_001))).json(), {
    code: 'PAYLOAD_TOO_LARGE',
    status: 413,
  })
  t.match((await batch(app, '{"data":"12345678901"}')).json(), { code: 'PAYLOAD_TOO_LARGE', line: 1 })
  t.match((await batch(app, 'x'.repeat(200_001))).json(), { code: 'PAYLOAD_TOO_LARGE' })
})

t.test('a batch has one Idempotency-Key for all of it', async t => {
  const { app } = await makeTopic(t)
  const key = { 'idempotency-key': '"b1"' }
  const first = await batch(app, '{"data":"a"}\n{"data":"b"}', key)
  const again = await batch(app, '{"data":"a"}\n{"data":"b"}\n', key)
  t.same(again.json(), first.json())
  t.equal((await batch(app, '{"data":"ab"}\n{"data":""}', key)).statusCode, 422)
  t.equal((await app.inject('/v1/topics/sports')).json().latest, 2)
})
