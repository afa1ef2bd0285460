import t from 'tap'
import type { FakeSink } from './sink.ts'
import { World } from './world.ts'

/** Half of what a heartbeat takes: the streams are looked at so often. */
const PULSE_MS = 7_500

function offsets(sink: FakeSink): number[] {
  return sink.stream.messages.map(message => Number(message.lastEventId.split('-')[0]))
}

t.test(
  'streams of a replica taken out of service end, and go on at another when they come again',
  async t => {
    const world = new World()
    world.create()
    world.publish('1', '2')
    const sink = await world.connect('000', { kind: 'earliest' })
    t.same(offsets(sink), [1, 2])
    world.replica('000').drop()
    world.publish('3')
    const before = await world.connect('000', { kind: 'cursor', offset: 2, incarnation: 1 })
    await world.clock.advance(10)
    t.same(offsets(before), [3], 'one that comes before the loss was noticed')
    await world.clock.advance(PULSE_MS)
    t.ok(sink.ended)
    t.same(offsets(sink), [1, 2], 'without a word: the topic has not ended')
    const again = await world.connect('000', { kind: 'cursor', offset: 2, incarnation: 1 })
    world.publish('4')
    await world.clock.advance(50)
    t.same(offsets(again), [3, 4])
    t.same(world.followed, ['001'])
  },
)

t.test('a stream that is behind when its replica is taken out of service ends', async t => {
  const world = new World({ bounds: { ringEvents: 2 } })
  world.create()
  world.publish('1', '2', '3', '4', '5', '6')
  const replica = world.replica('000')
  replica.read = () => {
    replica.drop()
    return replica.topics(0, '', 0) as never
  }
  const sink = await world.connect('000', { kind: 'earliest' })
  await world.clock.advance(PULSE_MS)
  t.same(offsets(sink), [])
  t.ok(sink.ended)
  const again = await world.connect('000', { kind: 'earliest' })
  await world.clock.advance(50)
  t.same(offsets(again), [1, 2, 3, 4, 5, 6])
})

t.test('followers leave a replica that was taken out of service', async t => {
  const world = new World()
  world.create()
  const sink = await world.connect('010', { kind: 'latest' })
  const [first] = world.followed
  world.replica(first!).drop()
  world.publish('1', '2')
  await world.clock.advance(4_000)
  t.same(offsets(sink), [1, 2])
  t.same(new Set(world.followed), new Set(['000', '001']))
})

t.test('a stream from a time is served by another replica when the one here has a bad record', async t => {
  const world = new World()
  world.create()
  world.publish('1', '2')
  const { clock } = world
  const replica = world.replica('000')
  replica.offsetAt = () => {
    replica.drop()
    return replica.topic(0, '') as never
  }
  const sink = await world.connect('000', { kind: 'time', timeMs: clock.nowMs() - 60_000 })
  await clock.advance(50)
  t.same(offsets(sink), [1, 2])
})
