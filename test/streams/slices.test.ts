import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import { Pulse } from '../../services/peer/streams/pulse.ts'
import { Slices } from '../../services/peer/streams/slices.ts'
import { SlotFeeds } from '../../services/peer/streams/slot-feeds.ts'
import { SlotReads } from '../../services/peer/streams/slot-reads.ts'
import { ChannelWorld, cursorStart, told } from './channel-world.ts'
import { ManualClock } from './clock.ts'

/** Makes work take time on a clock, and counts what is done in each turn. */
function busy(clock: ManualClock) {
  const doneByTurn = [0]
  let busyMs = 0
  const { monotonicMs, endOfTurn } = clock
  clock.monotonicMs = () => monotonicMs.call(clock) + busyMs
  clock.endOfTurn = run =>
    endOfTurn.call(clock, () => {
      doneByTurn.push(0)
      run()
    })
  const work = () => {
    busyMs += 1
    doneByTurn[doneByTurn.length - 1]! += 1
  }
  return { work, doneByTurn }
}

t.test('many that wait for the same go on in slices, in order', async t => {
  const clock = new ManualClock()
  const { work, doneByTurn } = busy(clock)
  const slices = new Slices(clock)
  const order: number[] = []
  const wave = Promise.resolve()
  const jobs = Array.from({ length: 50 }, async (_, at) => {
    await wave
    const turn = slices.turn()
    if (turn) await turn
    order.push(at)
    work()
  })
  await clock.settle()
  await Promise.all(jobs)
  t.same(
    order,
    order.map((_, at) => at),
  )
  t.ok(Math.max(...doneByTurn) <= LIMITS.FLUSH_SLICE_MS, `${doneByTurn}`)
  t.equal(slices.turn(), undefined, 'whoever comes later need not wait')
})

t.test('the streams that share a read of the log are written to in slices', async t => {
  const world = new ChannelWorld({ slots: 1 })
  world.create('a/0')
  const first = world.connect(['a/0'], { kind: 'latest' })
  await world.clock.settle()
  const { lastEventId } = first.stream
  world.publish('a/0', 'x')
  await world.clock.advance(5)
  const sinks = Array.from({ length: 100 }, () => world.connect(['a/0'], cursorStart(lastEventId)))
  const { work, doneByTurn } = busy(world.clock)
  for (const sink of sinks) {
    const write = sink.write.bind(sink)
    sink.write = bytes => {
      if (Buffer.from(bytes).includes('data:')) work()
      return write(bytes)
    }
  }
  await world.clock.advance(100)
  t.ok(sinks.every(sink => told(sink).join() === 'a/0 1'))
  t.equal(world.reads, 1)
  t.ok(Math.max(...doneByTurn) <= LIMITS.FLUSH_SLICE_MS + 1, `${doneByTurn}`)
})

t.test('reads of the replica here are not all done in one turn', async t => {
  const clock = new ManualClock()
  const { work, doneByTurn } = busy(clock)
  const position = { sequence: 0, index: 0 }
  const read = async () => {
    for (let ms = 0; ms < 5; ms += 1) work()
    return { kind: 'slice', events: [], gaps: [], position, latest: 0 } as const
  }
  const reads = new SlotReads({ read, place: async () => null, position: () => undefined }, clock)
  const all = Array.from({ length: 16 }, (_, slot) =>
    reads.read({ key: `${slot}`, slot, wants: ['a'] }, position, { lives: [], key: '' }, false),
  )
  await clock.settle()
  t.ok((await Promise.all(all)).every(slice => slice !== null))
  t.ok(Math.max(...doneByTurn) <= 10, `${doneByTurn}`)
})

t.test('what very many taps are told at a beat is cut into slices, too', async t => {
  const clock = new ManualClock()
  const { work, doneByTurn } = busy(clock)
  let index = 1
  const slots = {
    holds: () => true,
    follow: () => () => undefined,
    position: () => ({ sequence: 0, index }),
    incarnation: () => 0,
    status: () => ({ primary: null }),
  }
  const feeds = new SlotFeeds({
    ...{ self: '00', slots: slots as never, slotCount: 64, clock, random: () => 0, log: { debug() {} } },
    ...{ links: {} as never, parentsOf: () => [], askPrimary() {}, flusher: {} as never },
    ...{ bufferBytes: 1, stallTimeoutMs: 1_000 },
  })
  const tap = { covered() {}, events() {}, ended() {}, passed: work }
  const stops = Array.from({ length: 64 }, (_, slot) => feeds.tap(slot, { ...tap, wants: ['**'] }))
  index = 2
  await clock.advance(LIMITS.FOLLOW_MARK_MS)
  t.equal(
    doneByTurn.reduce((sum, count) => sum + count, 0),
    64,
  )
  t.ok(Math.max(...doneByTurn) <= LIMITS.FLUSH_SLICE_MS, `${doneByTurn}`)
  index = 3
  await clock.advance(2 * LIMITS.FOLLOW_MARK_MS)
  t.equal(
    doneByTurn.reduce((sum, count) => sum + count, 0),
    128,
    'and so at the next one',
  )
  for (const stop of stops) stop()
  await clock.settle()
  t.equal(clock.timers, 0)
})

t.test('a beat of very many is cut into slices, and reaches each once', async t => {
  const clock = new ManualClock()
  const { work, doneByTurn } = busy(clock)
  const beats = new Map<number, number>()
  const pulse = new Pulse<number>(clock, 1_000, member => {
    beats.set(member, (beats.get(member) ?? 0) + 1)
    work()
    if (member === 3) for (const gone of [3, 4]) pulse.delete(gone)
  })
  for (let member = 0; member < 100; member += 1) pulse.add(member)
  await clock.advance(1_000)
  t.equal(beats.size, 99)
  t.ok([...beats.values()].every(count => count === 1))
  t.ok(Math.max(...doneByTurn) <= LIMITS.FLUSH_SLICE_MS, `${doneByTurn}`)
  await clock.advance(1_000)
  t.equal(beats.get(99), 2)
  for (const member of pulse.members()) pulse.delete(member)
  t.equal(clock.timers, 0)
})
