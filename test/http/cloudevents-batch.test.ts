import t from 'tap'
import { cloudApp, required } from '../support/cloudevents.ts'

const list = (...more: object[]) => more.map((one, at) => required({ id: `e${at}`, ...one }))

t.test('a batch of CloudEvents is published as one, by either path', async t => {
  const { batch, out } = await cloudApp(t)
  for (const [at, path] of ['publish', 'batch'].entries()) {
    const answer = await batch(
      list({ source: `/${path}`, data: 1 }, { source: `/${path}`, data_base64: '/w==' }),
      {},
      path,
    )
    t.equal(answer.statusCode, 201, answer.body)
    const { time, primary, ...body } = answer.json()
    const first = at * 2 + 1
    t.same(body, { topic: 'sports', first, last: first + 1, count: 2, cursor: `${first + 1}-1`, replicas: 2 })
    t.ok(time && primary)
    t.equal(answer.headers.location, `/v1/topics/sports/events?from=${first}`)
  }
  t.match(
    out().map(text => JSON.parse(text)),
    [
      { id: 'e0', source: '/publish', data: 1, offset: 1 },
      { id: 'e1', source: '/publish', data_base64: '/w==', offset: 2 },
      { source: '/batch' },
      { source: '/batch' },
    ],
  )
})

t.test('all or nothing: an error names its item', async t => {
  const { batch, out } = await cloudApp(t)
  for (const bad of [
    5,
    null,
    [],
    'x',
    {},
    required({ type: '' }),
    required({ data: 1, data_base64: '' }),
    required({ time: 'noon' }),
  ]) {
    const answer = await batch([required({ id: 'a' }), bad, required({ id: 'b' })])
    t.match(answer.json(), { code: 'INVALID_EVENT', item: 2, detail: /^Item 2: / }, JSON.stringify(bad))
  }
  const media = await batch(list({}, {}, { datacontenttype: 'x' }))
  t.match(media.json(), { code: 'UNSUPPORTED_MEDIA_TYPE', item: 3 })
  for (const [body, code] of [
    ['[]', 'EMPTY_BATCH'],
    [' [ ] ', 'EMPTY_BATCH'],
    ['{}', 'INVALID_EVENT'],
    ['', 'INVALID_EVENT'],
    ['[{}', 'INVALID_EVENT'],
    [JSON.stringify(required()), 'INVALID_EVENT'],
  ] as const) {
    t.match((await batch(body)).json(), { code, status: 400 }, body)
  }
  t.same(out(), [])
})

t.test('a batch is bounded in events, bytes, and the bytes of one event', async t => {
  const { batch } = await cloudApp(t, { maxPayloadBytes: 100, maxBatchBytes: 1_000_000 })
  const many = (count: number) =>
    Array.from({ length: count }, (_, at) => required({ id: `${at}`, source: `/${count}` }))
  t.equal((await batch(many(10_000))).statusCode, 201)
  t.match((await batch(many(10_001))).json(), { code: 'PAYLOAD_TOO_LARGE', status: 413 })
  t.match((await batch(list({}, { data: 'x'.repeat(99) }))).json(), { code: 'PAYLOAD_TOO_LARGE', item: 2 })
  t.match((await batch(' '.repeat(1_000_001))).json(), { code: 'PAYLOAD_TOO_LARGE' })
})
