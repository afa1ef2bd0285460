import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import type { SeveralStart } from '../../services/peer/streams/types.ts'
import { parseVectorCursor } from '../../services/peer/topics/vector-cursor.ts'
import { ChannelWorld } from './channel-world.ts'
import { FakeSink } from './sink.ts'

const LATEST = { kind: 'latest' } as const
const EARLIEST = { kind: 'earliest' } as const

function data(sink: FakeSink): string[] {
  return sink.stream.messages.map(({ type, data }) => {
    const { topic, offset, reason, from, to } = JSON.parse(data)
    if (type === 'gap') return `gap ${topic} ${from}-${to}`
    return type === 'end' ? `end ${topic} ${reason}` : `${topic} ${offset}`
  })
}

function cursorStart(text: string): SeveralStart {
  return { kind: 'cursor', places: parseVectorCursor(text, 100)! }
}

/** A sink whose reader stops before the write of this number. */
function stoppingAt(number: number): FakeSink {
  const sink = new FakeSink()
  const write = sink.write.bind(sink)
  let count = 0
  sink.write = bytes => {
    count += 1
    if (count === number) sink.stop()
    return write(bytes)
  }
  return sink
}

t.test('a stream on the wire, byte by byte', async t => {
  const world = new ChannelWorld({ slots: 2 })
  world.create('a/0', 'b/1')
  const sink = world.connect(['a/0', 'b/*'], LATEST)
  t.equal(sink.text, 'retry: 500\n\nid: 0.0.1~1.0.1\n\n', 'at once, when everything is known')
  world.publish('b/1', 'one\ntwo')
  await world.clock.settle()
  world.commit('a/0', { kind: 'delete' })
  world.level()
  await world.clock.advance(5)
  t.equal(
    sink.text,
    'retry: 500\n\nid: 0.0.1~1.0.1\n\n' +
      'id: 0.0.1~1.1.2\ndata: {"specversion":"1.0","id":"1-1","source":"/v1/topics/b%2F1","type":"hypercast.event",' +
      '"time":"2023-11-14T22:13:20.000Z","datacontenttype":"text/plain; charset=utf-8","topic":"b/1","offset":1,' +
      '"data":"one\\ntwo"}\n\n' +
      'event: end\nid: 0.0.2~1.1.2\ndata: {"topic":"a/0","reason":"deleted"}\n\n',
  )
  t.notOk(sink.ended, 'the others go on')
  world.create('a/0')
  world.publish('a/0', 'again')
  await world.clock.advance(5)
  t.same(data(sink), ['b/1 1', 'end a/0 deleted', 'a/0 1'])
})

t.test(
  'an item is framed once for any number of level subscribers, and leaves in one write of the same bytes',
  async t => {
    const world = new ChannelWorld()
    world.create('a/0', 'a/1')
    const sinks = Array.from({ length: 500 }, () => world.connect(['a/*'], LATEST))
    const other = world.connect(['a/0', 'a/1'], LATEST)
    t.equal(world.streams.channels, 2)
    const { concat } = Buffer
    const before = sinks[0]!.writes
    let framed = 0
    Buffer.concat = (list, length) => {
      framed += 1
      return concat(list, length)
    }
    try {
      for (let at = 0; at < 10; at += 1) world.publish(`a/${at % 2}`, `event ${at}`)
      await world.clock.settle()
    } finally {
      Buffer.concat = concat
    }
    // Ten events and the write that gathers them, per channel.
    t.equal(framed, 22)
    t.ok(sinks.every(sink => sink.writes === before + 1))
    t.equal(new Set(sinks.map(sink => sink.chunks.at(-1))).size, 1)
    t.equal(data(other).length, 10)
    t.equal(world.tally.deliveries, 5_010)
    t.equal(world.reads, 0)
  },
)

t.test('the text of an event is made once over all channels', async t => {
  const world = new ChannelWorld()
  world.create('a/0')
  let asked = 0
  world.connect(['a/0'], LATEST)
  world.connect(['a/*'], LATEST)
  world.connect(['**'], LATEST)
  const model = world.model('a/0')
  world.publishLagging('a/0', 'x')
  const [stored] = model.events
  const counted = new Proxy(stored!.event, {
    get(target, name) {
      if (name === 'contentType') asked += 1
      return Reflect.get(target, name)
    },
  })
  for (const { tap, model: of } of world.taps) if (of === model) tap.events('a/0', [counted], model.length)
  await world.clock.settle()
  t.equal(world.tally.deliveries, 3)
  t.equal(asked, 2, 'once for its media type, once for how it is shown')
})

t.test('latecomers join by overlap and are level then', async t => {
  const world = new ChannelWorld()
  world.create('a/0', 'a/1')
  const early = world.connect(['a/*'], LATEST)
  const second = world.connect(['a/*'], LATEST)
  for (let at = 0; at < 20; at += 1) world.publish(`a/${at % 2}`, `event ${at}`)
  await world.clock.advance(5)
  const resumed = world.connect(['a/*'], cursorStart(early.stream.messages[4]!.lastEventId))
  await world.clock.advance(5)
  t.same(data(resumed).sort(), data(early).slice(5).sort())
  t.equal(world.reads, 0, 'the items were still at hand')
  const all = world.connect(['a/*'], EARLIEST)
  await world.clock.advance(5)
  t.equal(data(all).length, 20)
  t.ok(world.reads > 0, 'they do not reach back to the beginning')
  world.publish('a/0', 'for all')
  await world.clock.advance(5)
  const sinks = [early, second, resumed, all]
  t.equal(new Set(sinks.map(sink => sink.chunks.at(-1))).size, 1, 'all write the same bytes')
})

t.test('what is at hand leaves in bounded writes, all of it', async t => {
  const world = new ChannelWorld()
  world.create('a/0')
  const sinks = [world.connect(['a/0'], LATEST), world.connect(['a/0'], LATEST)]
  for (let at = 1; at <= 10; at += 1) world.publish('a/0', 'x'.repeat(100_000))
  await world.clock.advance(30)
  const [first] = sinks[0]!.stream.messages
  const resumed = world.connect(['a/0'], cursorStart(first!.lastEventId))
  await world.clock.advance(30)
  t.same(data(resumed), data(sinks[0]!).slice(1))
  t.equal(world.reads, 0)
  t.ok(resumed.chunks.every(chunk => chunk.length < LIMITS.LIVE_CHUNK_BYTES + 101_000))
})

t.test('what is gone in the state that was read is not shown from what was heard before', async t => {
  const world = new ChannelWorld({ slots: 1, bounds: { replayEvents: 2 } })
  world.create('a/0', 'b/0')
  world.covering = false
  world.publishLagging('b/0', 'first')
  world.publishLagging('b/0', 'second')
  for (const text of ['1', '2', '3', '4']) world.publishLagging('a/0', text)
  const sink = world.connect(['*/0'], cursorStart('0.0.2'))
  const [tap] = [...world.taps]
  tap!.cover(3)
  tap!.feed(5)
  world.trim('a/0', 4)
  for (const replica of world.replicas[0]!) replica.apply()
  await world.clock.advance(50)
  t.same(data(sink), ['gap a/0 1-3', 'b/0 1', 'b/0 2', 'a/0 4'])
  tap!.feed()
  world.publish('a/0', '5')
  await world.clock.advance(50)
  t.same(data(sink).slice(4), ['a/0 5'])
})

t.test('subscribers at the same place share reads and bytes', async t => {
  const world = new ChannelWorld({ bounds: { replayEvents: 10 } })
  world.create('a/0')
  for (let at = 0; at < 40; at += 1) world.publish('a/0', `event ${at}`)
  const sinks = Array.from({ length: 50 }, () => world.connect(['a/0'], EARLIEST))
  await world.clock.advance(20)
  t.equal(world.places, 1)
  t.equal(world.reads, 4)
  for (const sink of sinks) t.equal(data(sink).length, 40)
  t.equal(new Set(sinks.map(sink => sink.chunks[2])).size, 1)
})

t.test('a slot nobody answers for stands in the cursor as a time, and is decided later', async t => {
  const world = new ChannelWorld({ slots: 2 })
  world.create('a/0', 'a/1')
  world.unreachable.add(1)
  const startedMs = world.clock.nowMs()
  const sink = world.connect(['a/*'], LATEST)
  await world.clock.settle()
  t.equal(sink.text, 'retry: 500\n\n')
  await world.clock.advance(LIMITS.STREAM_PATIENCE_MS)
  t.equal(sink.stream.lastEventId, `0.0.1~1.t${startedMs.toString(36)}`)
  world.publish('a/0', 'heard')
  world.publish('a/1', 'stamped after the start')
  await world.clock.advance(50)
  t.same(data(sink), ['a/0 1'], 'the slot that is there flows')
  const resumed = world.connect(['a/*'], cursorStart(sink.stream.lastEventId))
  world.unreachable.clear()
  for (const tap of world.taps) if (tap.told === undefined) tap.cover(tap.model.length)
  await world.clock.advance(5_000)
  t.same(data(sink), ['a/0 1', 'a/1 1'])
  t.same(data(resumed), ['a/1 1'])
})

t.test('gaps are told with what is known of their beginning, and once', async t => {
  const world = new ChannelWorld({ bounds: { replayEvents: 2 } })
  world.create('a/0')
  for (let at = 1; at <= 10; at += 1) world.publish('a/0', `event ${at}`)
  // The opening, the place, and what was read first.
  const first = world.connect(['a/0'], EARLIEST, stoppingAt(3))
  await world.clock.advance(10)
  world.trim('a/0', 9)
  world.level()
  first.resume()
  await world.clock.advance(10)
  t.same(data(first), ['a/0 1', 'a/0 2', 'gap a/0 3-8', 'a/0 9', 'a/0 10'])
  const gap = first.stream.messages[2]!
  t.equal(gap.lastEventId, first.stream.messages[1]!.lastEventId, 'its id is the cursor before it')
  const again = world.connect(['a/0'], cursorStart(gap.lastEventId))
  const after = world.connect(['a/0'], cursorStart(first.stream.messages[3]!.lastEventId))
  await world.clock.advance(10)
  t.same(data(again), ['gap a/0 1-8', 'a/0 9', 'a/0 10'])
  t.same(data(after), ['a/0 10'])
})

t.test('a topic that was deleted while the log was read is told to have ended', async t => {
  const world = new ChannelWorld({ bounds: { replayEvents: 2 } })
  world.create('a/0', 'b/0')
  for (let at = 1; at <= 6; at += 1) world.publish('a/0', `event ${at}`)
  const sink = world.connect(['*/0'], EARLIEST, stoppingAt(3))
  await world.clock.advance(10)
  world.commit('a/0', { kind: 'delete' })
  world.level()
  world.publish('b/0', 'next')
  sink.resume()
  await world.clock.advance(10)
  t.same(data(sink), ['a/0 1', 'a/0 2', 'end a/0 deleted', 'b/0 1'])
})

t.test('a socket that does not take everything is served from the log later', async t => {
  const bounds = { channelEvents: 8, channelBytes: 1e6, bufferBytes: 2_000, replayEvents: 5 }
  const world = new ChannelWorld({ bounds })
  world.create('a/0')
  const slow = world.connect(['a/0'], LATEST)
  const quick = world.connect(['a/0'], LATEST)
  slow.stop()
  for (let at = 1; at <= 100; at += 1) {
    world.publish('a/0', `event ${at}`)
    await world.clock.advance(3)
  }
  t.ok(slow.writableLength < 4_000, `${slow.writableLength} bytes wait`)
  t.equal(data(quick).length, 100)
  slow.resume()
  await world.clock.advance(10)
  t.same(data(slow), data(quick))
})

t.test('a cursor from the future waits, open, until a replica is there', async t => {
  const world = new ChannelWorld()
  world.create('a/0')
  world.publish('a/0', 'one')
  const sink = world.connect(['a/0'], cursorStart('0.3.4'))
  await world.clock.advance(5_000)
  t.same(data(sink), [])
  t.notOk(sink.ended)
  for (const text of ['two', 'three', 'four']) world.publish('a/0', text)
  await world.clock.advance(2_000)
  t.same(data(sink), ['a/0 4'])
})

t.test('signs of life say how far the stream got without events', async t => {
  const world = new ChannelWorld({ slots: 2 })
  world.create('a/0', 'b/0')
  const sink = new FakeSink()
  const { streams } = world
  const subscriber = streams.attach(
    streams.select(['a/0']),
    LATEST,
    { sink, bufferBytes: 1_000, now: () => world.clock.monotonicMs(), tally: world.tally },
    () => undefined,
  )
  await world.clock.advance(100)
  const before = sink.text
  subscriber.heartbeat(world.clock.monotonicMs())
  t.equal(sink.text, `${before}:\n\n`)
  world.publish('b/0', 'of no interest', 'nor this')
  await world.clock.advance(100)
  t.equal(sink.text, `${before}:\n\n`)
  subscriber.heartbeat(world.clock.monotonicMs())
  t.equal(sink.text, `${before}:\n\nid: 0.2.3\n\n`)
  await world.clock.advance(100)
  subscriber.heartbeat(world.clock.monotonicMs())
  t.equal(sink.text, `${before}:\n\nid: 0.2.3\n\n:\n\n`)
})

t.test('the last one to leave takes the taps along', async t => {
  const world = new ChannelWorld({ slots: 3 })
  const sinks = [world.connect(['a/*'], LATEST), world.connect(['a/*'], EARLIEST)]
  t.equal(world.taps.size, 3)
  sinks[0]!.destroy()
  t.equal(world.taps.size, 3)
  sinks[1]!.destroy()
  await world.clock.advance(10)
  t.same([world.taps.size, world.streams.channels, world.clock.timers], [0, 0, 0])
  const gone = new FakeSink()
  gone.destroy()
  world.connect(['a/*'], LATEST, gone)
  t.same([world.taps.size, world.streams.channels], [0, 0])
})

t.test('one subscriber that is level keeps no items', async t => {
  const world = new ChannelWorld()
  world.create('a/0')
  const sink = world.connect(['a/0'], LATEST)
  for (let at = 1; at <= 20; at += 1) world.publish('a/0', `event ${at}`)
  await world.clock.advance(5)
  t.equal(data(sink).length, 20)
  const second = world.connect(['a/0'], cursorStart(sink.stream.messages[9]!.lastEventId))
  await world.clock.advance(5)
  t.equal(data(second).length, 10)
  t.ok(world.reads > 0)
})

t.test('patterns over too many slots are refused', async t => {
  const world = new ChannelWorld({ slots: LIMITS.MAX_STREAM_SLOTS + 1 })
  t.throws(() => world.streams.select(['a/*']), { code: 'INVALID_REQUEST', message: /name the topics/ })
  t.equal(world.streams.select(['a/0', 'b/1', 'a/0']).slots.length, 2)
})
