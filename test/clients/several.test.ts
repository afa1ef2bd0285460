import t from 'tap'
import {
  type Notice,
  PeerClient,
  type ReceivedEvent,
  StreamError,
  Subscriber,
  type SubscriberOptions,
  type Subscription,
} from '../../clients/typescript/src/index.ts'
import { type Answer, FakePeer, problem, stream } from './fake-peer.ts'

type Teardown = { teardown(run: () => unknown): unknown }

const nothing: Answer = response => response.writeHead(204).end()

/** An event among several topics. */
function event(cursor: string, topic: string, offset: number, more: object = {}): string {
  const document = { specversion: '1.0', id: `${offset}-1`, source: 's', type: 't', topic, offset, data: 'x' }
  return `id: ${cursor}\ndata: ${JSON.stringify({ ...document, ...more })}\n\n`
}

function notice(kind: string, cursor: string, document: object): string {
  return `event: ${kind}\nid: ${cursor}\ndata: ${JSON.stringify(document)}\n\n`
}

async function subscribe(t: Teardown, answers: Answer[][], options: SubscriberOptions = {}) {
  const peers = await Promise.all(answers.map(some => FakePeer.start(...some)))
  const notices: Notice[] = []
  const subscriber = new Subscriber(
    peers.map(peer => peer.url),
    ['sports/*', 'b', 'a'],
    { retryMinMs: 1, retryMaxMs: 5, onNotice: told => notices.push(told), ...options },
  )
  t.teardown(() => {
    subscriber.close()
    return Promise.all(peers.map(peer => peer.stop()))
  })
  return { subscriber, peers, notices }
}

/** Topic and offset of each event until nothing follows. */
async function collect(subscriber: Subscriber): Promise<string[]> {
  const events: ReceivedEvent[] = []
  await subscriber.subscribeAndListen(received => void events.push(received))
  return events.map(({ topic, offset }) => `${topic} ${offset}`)
}

t.test('several topics and patterns come on one stream, which is resumed on the next peer', async t => {
  const first = stream(`id: 1.0.0~2.5.9\n\n${event('1.1.1~2.5.9', 'a', 1)}`, 'cut')
  const second = stream(event('1.1.1~2.6.a', 'sports/x', 3) + event('1.2.2~2.6.a', 'a', 2), 'end')
  const { subscriber, peers } = await subscribe(t, [[first], [second, nothing], [nothing]])
  t.same(await collect(subscriber), ['a 1', 'sports/x 3', 'a 2'])
  t.equal(peers[0]?.requests[0]?.url, '/v1/events?topic=a&topic=b&topic=sports%2F*')
  t.equal(peers[1]?.requests[0]?.headers['last-event-id'], '1.1.1~2.5.9')
  t.equal(peers[2]?.requests[0]?.headers['last-event-id'], '1.2.2~2.6.a')
  t.equal(subscriber.cursor, '1.2.2~2.6.a')
})

t.test('it begins where it is told, which cannot be an offset', async t => {
  const begin = async (options: SubscriberOptions) => {
    const { subscriber, peers } = await subscribe(t, [[nothing]], options)
    await collect(subscriber)
    const { url, headers } = peers[0]!.requests[0]!
    return [url.slice('/v1/events?topic=a&topic=b&topic=sports%2F*'.length), headers['last-event-id']]
  }
  t.same(await begin({ from: 'earliest' }), ['&from=earliest', undefined])
  t.same(await begin({ last: 3 }), ['&last=3', undefined])
  t.same(await begin({ cursor: '1.2s.4f~30.0.0~31.tlx3k9a2', from: 'earliest' }), [
    '',
    '1.2s.4f~30.0.0~31.tlx3k9a2',
  ])
  t.throws(() => new Subscriber('http://a', ['a'], { from: 7 }), TypeError)
  t.throws(() => new Subscriber('http://a', []), TypeError)
})

t.test('a topic that ends does not end the stream, and may have another life', async t => {
  const text = [
    event('1.1.1', 'a', 1),
    notice('end', '1.1.2', { topic: 'a', reason: 'deleted' }),
    event('1.2.2', 'b', 1),
    event('1.3.4', 'a', 1, { id: '1-2' }),
  ].join('')
  const ends: unknown[] = []
  const { subscriber, notices } = await subscribe(t, [[stream(text, 'end'), nothing]], {
    onEnd: end => ends.push(end),
  })
  t.same(await collect(subscriber), ['a 1', 'b 1', 'a 1'])
  t.same(ends, [
    { kind: 'end', topic: 'a', cursor: '1.1.2', reason: 'deleted' },
    { kind: 'end', reason: 'ended' },
  ])
  t.same(
    notices.map(({ kind }) => kind),
    ['open', 'end', 'lost', 'end'],
  )
})

t.test('an end that names no topic is the end of all of them', async t => {
  const text = `${event('1.1.1', 'a', 1)}event: end\ndata: {"reason":"future"}\n\n`
  const { subscriber, notices } = await subscribe(t, [[stream(text, 'end'), nothing]])
  t.same(await collect(subscriber), ['a 1'])
  t.match(notices, [{ kind: 'open' }, { kind: 'end', reason: 'future' }])
})

t.test('doubles are dropped, gaps are narrowed, and a hole that nobody told of is a gap', async t => {
  const text = [
    event('1.1.1', 'a', 1),
    event('1.2.2', 'a', 2),
    event('1.2.2', 'a', 2),
    notice('gap', '1.2.3', { topic: 'a', from: 1, to: 2 }),
    notice('gap', '1.2.4', { topic: 'a', from: 2, to: 4 }),
    event('1.5.5', 'a', 5),
    event('1.6.6', 'a', 7),
  ].join('')
  const gaps: unknown[] = []
  const { subscriber } = await subscribe(t, [[stream(text, 'end'), nothing]], {
    onGap: ({ from, to, cursor }) => gaps.push([from, to, cursor]),
  })
  t.same(await collect(subscriber), ['a 1', 'a 2', 'a 5', 'a 7'])
  t.same(gaps, [
    [3, 4, '1.2.4'],
    [6, 6, '1.5.5'],
  ])
})

t.test('an event says which life of its topic it is of, or nothing does', async t => {
  const events: ReceivedEvent[] = []
  const told = event('1.1.1', 'a', 1, { id: 'own', incarnation: 4 })
  const own = event('1.2.2', 'b', 1, { id: 'own', incarnation: 'seven' })
  const { subscriber } = await subscribe(t, [[stream(told + own, 'end'), nothing]])
  await subscriber.subscribeAndListen(received => void events.push(received))
  t.match(events[0], { incarnation: 4, attributes: {} })
  t.equal(events[1]?.incarnation, undefined)
  t.same(events[1]?.attributes, { incarnation: 'seven' }, 'that one is the publisher’s')
})

t.test('a stream of several topics that names none is not as the contract says', async t => {
  for (const text of [
    'id: 1.1.1\ndata: {"offset":1}\n\n',
    'id: 1.1.1\ndata: {"topic":"a"}\n\n',
    'data: {}\n\n',
  ]) {
    const { subscriber } = await subscribe(t, [[stream(text)]])
    await t.rejects(collect(subscriber), StreamError)
  }
})

t.test('a client subscribes by iterator or by callbacks', async t => {
  const texts = [event('1.1.1', 'a', 1), event('1.2.2', 'a', 2)]
  const peer = await FakePeer.start(stream(texts.join(''), 'end'), nothing)
  t.teardown(() => peer.stop())
  const client = new PeerClient(peer.url, { retryMinMs: 1, retryMaxMs: 2 })
  const offsets: number[] = []
  const subscription = client.subscribe(['a'], { onEvent: ({ offset }) => void offsets.push(offset) })
  t.same(await subscription.done, { kind: 'end', reason: 'ended' })
  t.same(offsets, [1, 2])
  t.equal(subscription.cursor, '1.2.2')
  for await (const _ of client.subscribe('a*')) t.fail('nothing is there')
  t.equal(peer.requests.at(-1)?.url, '/v1/events?topic=a*')
})

t.test('callbacks: closing ends it, and what a handler throws rejects', async t => {
  const peer = await FakePeer.start(stream(event('1.1.1', 'a', 1)))
  t.teardown(() => peer.stop())
  const client = new PeerClient(peer.url)
  const failing = client.subscribe(['a'], {
    onEvent: () => {
      throw new Error('not this one')
    },
  })
  await t.rejects(failing.done, /not this one/)
  t.equal(failing.cursor, undefined, 'it would come again')
  const closed: Subscription = client.subscribe(['a'], { onEvent: (): void => closed.close() })
  t.equal(await closed.done, undefined)
  const refusing = await FakePeer.start(problem(400, 'INVALID_PATTERN'))
  t.teardown(() => refusing.stop())
  const refused = new PeerClient(refusing.url).subscribe('a/**/b', { onEvent: () => {} })
  await t.rejects(refused.done, { code: 'INVALID_PATTERN' })
})
