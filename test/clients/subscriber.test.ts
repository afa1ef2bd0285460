import t from 'tap'
import {
  type Notice,
  ProblemError,
  type ReceivedEvent,
  StreamError,
  Subscriber,
  type SubscriberOptions,
} from '../../clients/typescript/src/index.ts'
import { type Answer, FakePeer, frame, goneUrl, json, problem, silent, stream } from './fake-peer.ts'

type Teardown = { teardown(run: () => unknown): unknown }

const END = 'event: end\nid: 9-1\ndata: {"reason":"deleted"}\n\n'
const nothing: Answer = response => response.writeHead(204).end()

/** A subscriber of topic `a` on peers that give these answers, with all it is told. */
async function subscribe(t: Teardown, answers: Answer[][], options: SubscriberOptions = {}) {
  const peers = await Promise.all(answers.map(some => FakePeer.start(...some)))
  const notices: Notice[] = []
  const subscriber = new Subscriber(
    peers.map(peer => peer.url),
    'a',
    { retryMinMs: 1, retryMaxMs: 5, onNotice: notice => notices.push(notice), ...options },
  )
  t.teardown(() => {
    subscriber.close()
    return Promise.all(peers.map(peer => peer.stop()))
  })
  return { subscriber, peers, notices }
}

/** Listens to the end of the topic. */
async function collect(subscriber: Subscriber) {
  const events: ReceivedEvent[] = []
  const end = await subscriber.subscribeAndListen(event => void events.push(event))
  return { events, end, data: events.map(event => event.data) }
}

function kinds(notices: readonly Notice[]): string[] {
  return notices.map(notice => notice.kind)
}

t.test('events arrive whole and the end ends it', async t => {
  const goal = {
    type: 'goal',
    source: '/stadium',
    id: 'x',
    datacontenttype: 'application/json',
    subject: 'final',
    data: { score: [1, 0] },
  }
  const bytes = { data: undefined, data_base64: '/wA=', datacontenttype: 'image/x' }
  const text = `retry: 5\n\nid: 0-1\n\n${frame(1, 'line 1\r\nline 2')}:\n\n${frame(2, 0, goal)}${frame(3, 0, bytes)}${END}`
  const { subscriber, peers } = await subscribe(t, [[stream(text)]])
  const { events, end } = await collect(subscriber)
  t.same(end, { kind: 'end', topic: 'a', incarnation: 1, cursor: '9-1', reason: 'deleted' })
  t.match(events[0], {
    topic: 'a',
    offset: 1,
    incarnation: 1,
    cursor: '1-1',
    id: '1-1',
    contentType: 'text/plain; charset=utf-8',
    data: 'line 1\r\nline 2',
    attributes: {},
    time: new Date('2025-01-31T12:00:00.000Z'),
  })
  t.match(events[1], { id: 'x', type: 'goal', source: '/stadium', data: { score: [1, 0] } })
  t.same(events[1]?.attributes, { subject: 'final' })
  t.same(events[2]?.data, new Uint8Array([255, 0]))
  t.match(peers[0]?.requests, [{ url: '/v1/topics/a/events?format=cloudevents' }])
  t.match(peers[0]?.requests[0]?.headers, { accept: 'text/event-stream', 'last-event-id': undefined })
})

t.test('it begins where it is told', async t => {
  const begin = async (options: SubscriberOptions) => {
    const { subscriber, peers } = await subscribe(t, [[nothing]], options)
    await collect(subscriber)
    const { url, headers } = peers[0]!.requests[0]!
    return [url.slice('/v1/topics/a/events?format=cloudevents'.length), headers['last-event-id']]
  }
  t.same(await begin({ from: 'earliest' }), ['&from=earliest', undefined])
  t.same(await begin({ from: 7 }), ['&from=7', undefined])
  t.same(await begin({ from: new Date(0) }), ['&from=1970-01-01T00%3A00%3A00.000Z', undefined])
  t.same(await begin({ last: 3 }), ['&last=3', undefined])
  t.same(await begin({ from: 'earliest', cursor: '5-2' }), ['', '5-2'])
  t.throws(() => new Subscriber('http://a', 'a', { from: 1, last: 1 }), TypeError)
})

t.test('a broken stream is resumed behind the last event on the next peer', async t => {
  const first = stream(frame(1, 'one') + frame(2, 'two'), 'cut')
  const second = stream(`id: 2-1\n\n${frame(3, 'three')}`, 'end')
  const third = stream(END)
  const { subscriber, peers, notices } = await subscribe(t, [[first], [second], [third]], {
    from: 'earliest',
  })
  const { data } = await collect(subscriber)
  t.same(data, ['one', 'two', 'three'])
  t.same(
    peers.map(({ requests: [request] }) => [
      request?.url.includes('from='),
      request?.headers['last-event-id'],
    ]),
    [
      [true, undefined],
      [false, '2-1'],
      [false, '3-1'],
    ],
  )
  t.same(kinds(notices), ['open', 'lost', 'open', 'lost', 'open', 'end'])
})

t.test('what is cut in the middle of an event is received again', async t => {
  const half = frame(2, 'two').slice(0, -1)
  const { subscriber, peers } = await subscribe(t, [
    [stream(frame(1, 'one') + half, 'cut')],
    [stream(frame(2, 'two') + END)],
  ])
  t.same((await collect(subscriber)).data, ['one', 'two'])
  t.equal(peers[1]?.requests[0]?.headers['last-event-id'], '1-1')
})

t.test('a frame with only an id is where a stream without events resumes', async t => {
  const { subscriber, peers } = await subscribe(t, [[stream('id: 41-1\n\n', 'end')], [nothing]], {
    from: 'latest',
  })
  t.match(await collect(subscriber), { data: [], end: { reason: 'ended' } })
  t.equal(peers[1]?.requests[0]?.headers['last-event-id'], '41-1')
  t.equal(subscriber.cursor, '41-1')
})

t.test('peers that are gone, busy, silent or something else are passed over', async t => {
  const page: Answer = response => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>hello')
  const answers = [[problem(503, 'NO_PRIMARY')], [silent], [page], [stream(frame(1, 'one') + END)]]
  const { subscriber, peers } = await subscribe(t, answers)
  const urls = [await goneUrl(), ...peers.map(peer => peer.url)]
  const patient = new Subscriber(urls, 'a', { retryMinMs: 1, attemptTimeoutMs: 50 })
  t.same((await collect(patient)).data, ['one'])
  subscriber.close()
})

t.test('a silent stream is given up', async t => {
  const { subscriber, notices } = await subscribe(t, [[stream(frame(1, 'one'))], [stream(END)]], {
    silenceMs: 60,
  })
  t.same((await collect(subscriber)).data, ['one'])
  t.match(notices[1], { kind: 'lost', error: { name: 'TimeoutError' } })
})

t.test('what no peer will mend is thrown', async t => {
  for (const [status, code] of [
    [404, 'UNKNOWN_TOPIC'],
    [400, 'CURSOR_FROM_FUTURE'],
  ] as const) {
    const { subscriber, peers } = await subscribe(t, [[problem(status, code)], [nothing]])
    await t.rejects(collect(subscriber), { name: 'ProblemError', code, status })
    t.equal(peers[1]?.requests.length, 0)
  }
  const { subscriber } = await subscribe(t, [[json(429, {})], [nothing]])
  t.match((await collect(subscriber)).end, { reason: 'ended' }, 'too many requests is not for good')
})

t.test('a stream that is not as the contract says is an error, not an endless retry', async t => {
  for (const text of [
    'id: 1-1\ndata: plain text\n\n',
    'data: {}\n\n',
    'id: 1-1\ndata: 7\n\n',
    'id: 1-1\ndata: {"data_base64":"*"}\n\n',
  ]) {
    const { subscriber } = await subscribe(t, [[stream(text)]])
    await t.rejects(collect(subscriber), StreamError)
  }
})

t.test('a gap is told with what is missing', async t => {
  const gap = 'event: gap\nid: 7-1\ndata: {"from":2,"to":7}\n\n'
  const { subscriber, notices, peers } = await subscribe(t, [
    [stream(frame(1, 'one') + gap, 'cut')],
    [nothing],
  ])
  await collect(subscriber)
  t.same(notices[1], { kind: 'gap', topic: 'a', incarnation: 1, from: 2, to: 7, cursor: '7-1' })
  t.equal(peers[1]?.requests[0]?.headers['last-event-id'], '7-1', 'it is not asked for again')
})

t.test('an iterator gives each event and may be left and taken up again', async t => {
  const { subscriber, peers } = await subscribe(t, [
    [stream(frame(1, 'one') + frame(2, 'two') + frame(3, 'three')), stream(frame(2, 'two') + END)],
  ])
  for await (const event of subscriber) {
    t.equal(event.data, 'one')
    break
  }
  t.equal(subscriber.cursor, '1-1')
  const rest = []
  for await (const event of subscriber) rest.push(event.data)
  t.same(rest, ['two'])
  t.equal(peers[0]?.requests[1]?.headers['last-event-id'], '1-1')
})

t.test('an event whose handler failed comes again', async t => {
  const { subscriber, peers } = await subscribe(t, [[stream(frame(1, 'one') + frame(2, 'two')), nothing]])
  const failing = subscriber.subscribeAndListen(async event => {
    if (event.offset === 2) throw new Error('not now')
  })
  await t.rejects(failing, { message: 'not now' })
  t.equal(subscriber.cursor, '1-1')
  await collect(subscriber)
  t.equal(peers[0]?.requests[1]?.headers['last-event-id'], '1-1')
})

t.test('handlers are called one after the other', async t => {
  const { subscriber } = await subscribe(t, [[stream(frame(1, '1') + frame(2, '2') + frame(3, '3') + END)]])
  const trace: string[] = []
  await subscriber.subscribeAndListen(async ({ offset }) => {
    trace.push(`begin ${offset}`)
    await new Promise(resolve => setImmediate(resolve))
    trace.push(`end ${offset}`)
  })
  t.same(trace, ['begin 1', 'end 1', 'begin 2', 'end 2', 'begin 3', 'end 3'])
})

t.test('it is ended by its signal, by close, and before it began', async t => {
  const controller = new AbortController()
  const byS = await subscribe(t, [[stream(frame(1, 'one'))]], { signal: controller.signal })
  const events: unknown[] = []
  const listening = byS.subscriber.subscribeAndListen(event => {
    events.push(event.data)
    setImmediate(() => controller.abort())
  })
  t.equal(await listening, undefined)
  t.same(events, ['one'])

  const byClose = await subscribe(t, [[stream(frame(1, 'one') + frame(2, 'two'))]])
  const seen = []
  for await (const event of byClose.subscriber) {
    seen.push(event.data)
    byClose.subscriber.close()
  }
  t.same(seen, ['one'], 'nothing after close')

  const before = await subscribe(t, [[stream('')]], { signal: AbortSignal.abort() })
  t.equal(await before.subscriber.subscribeAndListen(() => {}), undefined)
  t.equal(before.peers[0]?.requests.length, 0)
})

t.test('it is ended while it waits to try again', async t => {
  const { subscriber, notices } = await subscribe(t, [[problem(503, 'NO_PRIMARY')]], {
    retryMinMs: 1e6,
    retryMaxMs: 1e6,
    onNotice: notice => {
      notices.push(notice)
      setImmediate(() => subscriber.close())
    },
  })
  t.equal(await subscriber.subscribeAndListen(() => {}), undefined)
  t.match(notices, [{ kind: 'lost', error: ProblemError }])
})

t.test('its connection is closed with it', async t => {
  let closed = () => {}
  const isClosed = new Promise<void>(resolve => {
    closed = resolve
  })
  const answer: Answer = (response, request) => {
    response.on('close', closed)
    stream(frame(1, 'one'))(response, request)
  }
  const { subscriber } = await subscribe(t, [[answer]])
  for await (const _ of subscriber) break
  await isClosed
  t.pass('closed')
})

t.test('one subscriber listens once at a time', async t => {
  const { subscriber, peers } = await subscribe(t, [[stream(':\n\n')]])
  const first = subscriber.subscribeAndListen(() => {})
  await peers[0]?.received(1)
  await t.rejects(
    subscriber.subscribeAndListen(() => {}),
    /listening already/,
  )
  subscriber.close()
  await first
})

t.test('a peer’s retry is how long a lone peer is left alone', async t => {
  const { subscriber, notices } = await subscribe(t, [[stream('retry: 40\n\n', 'end'), nothing]], {
    retryMaxMs: 1_000,
    random: () => 1,
  })
  await collect(subscriber)
  t.match(notices[1], { kind: 'lost', retryInMs: 40 })
})

t.test('a peer that opens streams only to end them is asked ever more rarely', async t => {
  const ends = stream('id: 1-1\n\n', 'end')
  const { subscriber, notices } = await subscribe(t, [[ends, ends, ends, nothing]], {
    retryMinMs: 2,
    retryMaxMs: 1_000,
    random: () => 1,
  })
  await collect(subscriber)
  t.same(
    notices.flatMap(notice => (notice.kind === 'lost' ? [notice.retryInMs] : [])),
    [2, 4, 8],
  )
})
