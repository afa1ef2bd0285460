import t from 'tap'
import { readSeveralStart } from '../../services/peer/http/start.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import { EventStream } from '../streams/sse.ts'
import { listen, makeApp, RawClient } from '../support/app.ts'

async function setUp(t: Parameters<typeof makeApp>[0]) {
  const made = await makeApp(t)
  const { port } = await listen(made.app)
  const create = (topic: string) =>
    made.app.inject({ method: 'PUT', url: `/v1/topics/${encodeURIComponent(topic)}` })
  const publish = (topic: string, payload: string) =>
    made.app.inject({ method: 'POST', url: `/v1/topics/${encodeURIComponent(topic)}/publish`, payload })
  const open = (query: string, headers = '') => {
    const client = new RawClient(port)
    t.teardown(() => client.socket.destroy())
    return client.send(`GET /v1/events?${query} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`)
  }
  const read = (query: string, headers = {}) => made.app.inject({ url: `/v1/events?${query}`, headers })
  return { ...made, port, create, publish, open, read }
}

/** What a browser makes of it so far: chunk sizes and headers are lines that mean nothing to it. */
function messages(text: string) {
  const stream = new EventStream()
  stream.push(text.slice(text.indexOf('\r\n\r\n') + 4).replaceAll(/(?:^|\r\n)[0-9a-f]+\r\n/g, ''))
  return stream
}

t.test('topics and patterns come over one connection, also those that are made later', async t => {
  const { create, publish, open } = await setUp(t)
  await create('sports')
  const client = open('topic=sports&topic=news/*&topic=nothing')
  const head = await client.until('\nid: ')
  t.match(head, /^HTTP\/1\.1 200 OK\r\n/)
  t.match(head, /content-type: text\/event-stream\r\n/i)
  t.match(head, /vary: Accept\r\n/i)
  t.match(head, 'retry: 500\n\n')
  await publish('sports', 'goal')
  await client.until('"data":"goal"')
  await create('news/today')
  await create('news')
  await publish('news', 'unheard')
  await publish('news/today', 'rain')
  const text = await client.until('"data":"rain"')
  t.notMatch(text, 'unheard')
  const heard = messages(text).messages.map(({ data }) => JSON.parse(data))
  t.match(heard, [
    { specversion: '1.0', topic: 'sports', offset: 1, data: 'goal' },
    { topic: 'news/today', offset: 1, data: 'rain' },
  ])
})

t.test('a stream resumes behind its last id without gap or double', async t => {
  const { create, publish, open } = await setUp(t)
  for (const topic of ['a', 'b']) await create(topic)
  const query = 'topic=a&topic=b&from=earliest'
  for (let at = 1; at <= 3; at += 1) for (const topic of ['a', 'b']) await publish(topic, `${topic}${at}`)
  const whole = messages(await untilData(open(query), 6)).messages
  t.equal(whole.length, 6)
  for (const [at, { lastEventId }] of whole.entries()) {
    const resumed = open(query, `Last-Event-ID: ${lastEventId}\r\n`)
    const rest = at === 5 ? [] : messages(await untilData(resumed, 5 - at)).messages
    const names = [...whole.slice(0, at + 1), ...rest].map(({ data }) => JSON.parse(data).data).sort()
    t.same(names, ['a1', 'a2', 'a3', 'b1', 'b2', 'b3'], lastEventId)
  }
})

async function untilData(client: RawClient, count: number): Promise<string> {
  while (messages(client.text).messages.length < count) {
    await new Promise(resolve => client.socket.once('data', resolve))
  }
  return client.text
}

t.test('last=N is the newest N of all topics together', async t => {
  const { create, publish, open } = await setUp(t)
  for (const topic of ['a', 'b']) await create(topic)
  for (const [topic, data] of [
    ['b', 'b1'],
    ['a', 'a1'],
    ['a', 'a2'],
    ['b', 'b2'],
    ['a', 'a3'],
  ] as const) {
    const before = Date.now()
    await publish(topic, data)
    while (Date.now() === before) await new Promise(setImmediate)
  }
  const heard = messages(await untilData(open('topic=a&topic=b&last=3'), 3)).messages
  t.same(heard.map(({ data }) => JSON.parse(data).data).sort(), ['a2', 'a3', 'b2'])
})

t.test('where it begins is checked', async t => {
  t.same(readSeveralStart({}), { kind: 'latest' })
  t.same(readSeveralStart({ from: 'earliest' }), { kind: 'earliest' })
  t.same(readSeveralStart({ last: 4 }), { kind: 'last', count: 4 })
  t.same(readSeveralStart({ from: '2025-01-31T12:00:00Z' }), {
    kind: 'time',
    timeMs: Date.UTC(2025, 0, 31, 12),
  })
  t.match(readSeveralStart({ lastEventIdHeader: '1.2.3', lastEventId: '2.2.3', from: 'earliest' }), {
    kind: 'cursor',
    places: new Map([[1, { sequence: 2, index: 3 }]]),
  })
  t.throws(() => readSeveralStart({ from: '7' }), {
    code: 'INVALID_REQUEST',
    message: /belongs to one topic/,
  })
  t.throws(() => readSeveralStart({ from: '1', last: 1 }), { code: 'INVALID_REQUEST' })
  t.throws(() => readSeveralStart({ lastEventId: '42-1' }), {
    code: 'INVALID_CURSOR',
    message: /GET \/v1\/topics\/\{topic\}\/events/,
  })
  t.throws(() => readSeveralStart({ lastEventId: 'x' }), { code: 'INVALID_CURSOR' })
})

t.test('what is wrong for good is a 4xx that says what to do', async t => {
  const { read } = await setUp(t)
  for (const [query, code, detail] of [
    ['', 'INVALID_REQUEST', /"topic" is missing/],
    ['from=earliest', 'INVALID_REQUEST', /"topic" is missing/],
    ['topic=', 'INVALID_TOPIC_NAME', /is empty/],
    ['topic=a&topic=..', 'INVALID_TOPIC_NAME', /".."/],
    ['topic=$system', 'INVALID_TOPIC_NAME', /"\$"/],
    ['topic=a*', 'INVALID_REQUEST', /Give patterns such as/],
    ['topic=a&from=3', 'INVALID_REQUEST', /belongs to one topic/],
    ['topic=a&from=x', 'INVALID_REQUEST', /from="x"/],
    ['topic=a&last=-1', 'INVALID_REQUEST', /"last"/],
    [`topic=a&last=${LIMITS.MAX_LAST_EVENTS + 1}`, 'INVALID_REQUEST', /"last"/],
    ['topic=a&last=1&from=earliest', 'INVALID_REQUEST', /either/],
    ['topic=a&lastEventId=3-1', 'INVALID_CURSOR', /one topic/],
    ['topic=**&lastEventId=0.1.9', 'CURSOR_FROM_FUTURE', /slot 0 that was never reached/],
    ['topic=a&lastEventId=1s.1.1', 'INVALID_CURSOR', /slot 64; this cluster has 64/],
    ['topic=%ff', 'INVALID_REQUEST', /percent-encoded/],
    ['topic=a&topic=100%', 'INVALID_REQUEST', /percent-encoded/],
    ['topic=a&format=plain', 'UNKNOWN_PARAMETER', /"format"/],
    ['topic=a&named=true', 'UNKNOWN_PARAMETER', /"named"/],
    ['topic=a&from=latest&from=latest', 'INVALID_REQUEST', /more than once/],
    [
      Array.from({ length: LIMITS.MAX_WANTS + 1 }, (_, at) => `topic=t${at}`).join('&'),
      'INVALID_REQUEST',
      /1000/,
    ],
  ] as const) {
    const answer = (await read(query)).json()
    t.match(answer, { code, status: 400 }, query.slice(0, 40))
    t.match(answer.detail, detail, query.slice(0, 40))
  }
  for (const accept of ['text/html', 'application/json', 'text/event-stream;q=0, */*']) {
    t.match((await read('topic=a', { accept })).json(), { code: 'NOT_ACCEPTABLE', status: 406 }, accept)
  }
  t.match((await read('topic=x', { 'last-event-id': '3-1' })).json(), { code: 'INVALID_CURSOR' })
})

t.test('HEAD answers at once', async t => {
  const { app } = await setUp(t)
  const answer = await app.inject({ method: 'HEAD', url: '/v1/events?topic=a&topic=b/**' })
  t.equal(answer.statusCode, 200)
  t.match(answer.headers['content-type'], 'text/event-stream')
  t.equal(answer.headers.vary, 'Accept')
  t.equal(answer.body, '')
})

t.test('1,000 topics of 60 characters fit, with a cursor over as many slots as there can be', async t => {
  const { peer, open } = await setUp(t)
  peer.current = { ...peer.current!, slots: LIMITS.MAX_STREAM_SLOTS }
  const names = Array.from({ length: LIMITS.MAX_WANTS }, (_, at) => `${at}`.padStart(60, 'sports%2F'))
  const cursor = Array.from({ length: LIMITS.MAX_STREAM_SLOTS }, (_, slot) => {
    const sequence = 1e12 + slot
    return `${slot.toString(36)}.${sequence.toString(36)}.${sequence.toString(36)}`
  }).join('~')
  const client = open(names.map(name => `topic=${name}`).join('&'), `Last-Event-ID: ${cursor}\r\n`)
  // It was read to its end, and names places that no slot has got to.
  t.match(await client.until('CURSOR_FROM_FUTURE'), /^HTTP\/1\.1 400 /)
})

t.test('a peer that cannot serve now says so in a stream, so that EventSource returns', async t => {
  const { peer, open } = await setUp(t)
  const expectLater = async (why: string) => {
    const text = await open('topic=a', 'Connection: close\r\n').closed()
    t.match(text, /^HTTP\/1\.1 200 OK\r\n/)
    t.match(text, `retry: 500\n: ${why}`)
  }
  peer.isStopping = true
  await expectLater('This peer is stopping')
  peer.isStopping = false
  peer.current = null
  await expectLater('This peer does not know its cube yet')
})

t.test('streams over several topics count, and end in order when the peer stops', async t => {
  const { peer, create, publish, open } = await setUp(t)
  await create('a')
  const client = open('topic=a')
  await client.until('\nid: ')
  t.equal(peer.streams.stats().streams, 1)
  await publish('a', 'last words')
  await client.until('last words')
  t.equal(peer.streams.stats().deliveries, 1)
  await peer.streams.close()
  await client.until('0\r\n\r\n')
  t.equal(peer.streams.stats().streams, 0)
})
