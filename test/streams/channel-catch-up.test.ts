import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import { ChannelWorld, cursorStart, told } from './channel-world.ts'
import { stoppingAt } from './sink.ts'

const LATEST = { kind: 'latest' } as const
const EARLIEST = { kind: 'earliest' } as const

t.test('latecomers join by overlap and are level then', async t => {
  const world = new ChannelWorld()
  world.create('a/0', 'a/1')
  const early = world.connect(['a/*'], LATEST)
  const second = world.connect(['a/*'], LATEST)
  await world.clock.settle()
  for (let at = 0; at < 20; at += 1) world.publish(`a/${at % 2}`, `event ${at}`)
  await world.clock.advance(5)
  const resumed = world.connect(['a/*'], cursorStart(early.stream.messages[4]!.lastEventId))
  await world.clock.advance(5)
  t.same(told(resumed).sort(), told(early).slice(5).sort())
  t.equal(world.reads, 0, 'the items were still at hand')
  const all = world.connect(['a/*'], EARLIEST)
  await world.clock.advance(5)
  t.equal(told(all).length, 20)
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
  await world.clock.settle()
  for (let at = 1; at <= 10; at += 1) world.publish('a/0', 'x'.repeat(100_000))
  await world.clock.advance(30)
  const [first] = sinks[0]!.stream.messages
  const resumed = world.connect(['a/0'], cursorStart(first!.lastEventId))
  await world.clock.advance(30)
  t.same(told(resumed), told(sinks[0]!).slice(1))
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
  t.same(told(sink), ['gap a/0 1-3', 'b/0 1', 'b/0 2', 'a/0 4'])
  tap!.feed()
  world.publish('a/0', '5')
  await world.clock.advance(50)
  t.same(told(sink).slice(4), ['a/0 5'])
})

t.test('subscribers at the same place share reads and bytes', async t => {
  const world = new ChannelWorld({ bounds: { replayEvents: 10 } })
  world.create('a/0')
  for (let at = 0; at < 40; at += 1) world.publish('a/0', `event ${at}`)
  const sinks = Array.from({ length: 50 }, () => world.connect(['a/0'], EARLIEST))
  await world.clock.advance(20)
  t.equal(world.places, 1)
  t.equal(world.reads, 4)
  for (const sink of sinks) t.equal(told(sink).length, 40)
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
  t.same(told(sink), ['a/0 1'], 'the slot that is there flows')
  const resumed = world.connect(['a/*'], cursorStart(sink.stream.lastEventId))
  world.unreachable.clear()
  for (const tap of world.taps) if (tap.told === undefined) tap.cover(tap.model.length)
  await world.clock.advance(5_000)
  t.same(told(sink), ['a/0 1', 'a/1 1'])
  t.same(told(resumed), ['a/1 1'])
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
  t.same(told(first), ['a/0 1', 'a/0 2', 'gap a/0 3-8', 'a/0 9', 'a/0 10'])
  const gap = first.stream.messages[2]!
  const again = world.connect(['a/0'], cursorStart(first.stream.messages[1]!.lastEventId))
  const behind = world.connect(['a/0'], cursorStart(gap.lastEventId))
  const after = world.connect(['a/0'], cursorStart(first.stream.messages[3]!.lastEventId))
  await world.clock.advance(10)
  t.same(told(again), ['gap a/0 1-8', 'a/0 9', 'a/0 10'])
  t.same(told(behind), ['a/0 9', 'a/0 10'], 'whoever was told of it is not told again')
  t.same(told(after), ['a/0 10'])
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
  t.same(told(sink), ['a/0 1', 'a/0 2', 'end a/0 deleted', 'b/0 1'])
})

t.test(
  'what is gone of a new life is told behind the end of the one before, from its own beginning',
  async t => {
    const world = new ChannelWorld({ bounds: { replayEvents: 2 } })
    world.create('a/0')
    for (let at = 1; at <= 6; at += 1) world.publish('a/0', `event ${at}`)
    const sink = world.connect(['*/0'], EARLIEST, stoppingAt(3))
    await world.clock.advance(10)
    world.commit('a/0', { kind: 'delete' })
    world.create('a/0')
    for (let at = 1; at <= 3; at += 1) world.publish('a/0', `new ${at}`)
    world.trim('a/0', 2)
    world.level()
    sink.resume()
    await world.clock.advance(10)
    t.same(told(sink), ['a/0 1', 'a/0 2', 'end a/0 deleted', 'gap a/0 1-1', 'a/0 2', 'a/0 3'])
  },
)

t.test('a socket that does not take everything is served from the log later', async t => {
  const bounds = { channelEvents: 8, channelBytes: 1e6, bufferBytes: 2_000, replayEvents: 5 }
  const world = new ChannelWorld({ bounds })
  world.create('a/0')
  const slow = world.connect(['a/0'], LATEST)
  const quick = world.connect(['a/0'], LATEST)
  await world.clock.settle()
  slow.stop()
  for (let at = 1; at <= 100; at += 1) {
    world.publish('a/0', `event ${at}`)
    await world.clock.advance(3)
  }
  t.ok(slow.writableLength < 4_000, `${slow.writableLength} bytes wait`)
  t.equal(told(quick).length, 100)
  slow.resume()
  await world.clock.advance(10)
  t.same(told(slow), told(quick))
})

t.test(
  'a cursor from the future waits, open, until a replica is there or a majority says that it is',
  async t => {
    const world = new ChannelWorld()
    world.leaderless.add(0)
    world.create('a/0')
    world.publish('a/0', 'one')
    const sink = world.connect(['a/0'], cursorStart('0.3.4'))
    await world.clock.advance(5_000)
    t.same(told(sink), [])
    t.notOk(sink.ended)
    for (const text of ['two', 'three', 'four']) world.publish('a/0', text)
    await world.clock.advance(2_000)
    t.same(told(sink), ['a/0 4'])
    const ahead = world.connect(['a/*'], cursorStart('0.5.6~1.0.0'))
    const unheard = world.connect(['a/*'], cursorStart('0.4.6~1.0.0'))
    await world.clock.advance(5_000)
    t.notOk(ahead.ended)
    world.leaderless.clear()
    await world.clock.advance(5_000)
    for (const one of [ahead, unheard]) {
      t.match(one.text, /\n\nevent: end\ndata: {"reason":"future"}\n\n$/)
      t.ok(one.ended)
    }
    t.notOk(sink.ended)
  },
)

t.test('a cursor from the future is refused where a majority says so, and only then', async t => {
  const world = new ChannelWorld({ slots: 3 })
  world.create('a/0', 'a/1')
  world.publishLagging('a/0', 'not here yet')
  const check = (wants: string[], cursor: string) =>
    world.streams.check(world.streams.select(wants), cursorStart(cursor))
  const error = { code: 'CURSOR_FROM_FUTURE' }
  const settled = async (wants: string[], cursor: string) => {
    const result = check(wants, cursor).then(
      () => 'open',
      ({ code }) => code,
    )
    await world.clock.advance(LIMITS.SLOT_READ_PATIENCE_MS)
    return result
  }
  t.equal(await settled(['a/*'], '0.1.2~1.0.1'), 'open')
  t.equal(await settled(['a/*'], '0.2.2~1.0.1'), error.code)
  t.equal(await settled(['a/*'], '0.1.3~1.0.1'), error.code)
  t.equal(await settled(['a/1'], '0.2.2~1.0.1'), 'open', 'a slot that is not streamed')
  t.equal(await settled(['a/*'], '0.1.2~1.t5'), 'open')
  world.leaderless.add(0)
  await world.clock.advance(LIMITS.LEADERLESS_MS)
  t.equal(await settled(['a/*'], '0.2.2~1.0.1'), 'open')
})
