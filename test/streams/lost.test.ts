import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import type { FakeSink } from './sink.ts'
import { World } from './world.ts'

const LATEST = { kind: 'latest' } as const
const EARLIEST = { kind: 'earliest' } as const
/** A peer without a replica. */
const AFAR = '010'

function offsets(sink: FakeSink): number[] {
  return sink.stream.messages.map(message => Number(message.lastEventId.split('-')[0]))
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, at) => at + 1)
}

t.test('streams of a replica that leaves this peer go on from another', async t => {
  const world = new World()
  world.create()
  world.publish('1', '2')
  const sinks = [await world.connect('000', EARLIEST), await world.connect('000', EARLIEST)]
  world.publish('3')
  world.replica('000').drop()
  world.publish('4')
  await world.clock.advance(10)
  for (const sink of sinks) t.same(offsets(sink), upTo(4))
  world.publish('5')
  const late = await world.connect('000', { kind: 'cursor', offset: 2, incarnation: 1 })
  await world.clock.advance(100_000)
  for (const sink of sinks) t.same(offsets(sink), upTo(5), 'nothing missed, nothing twice')
  t.same(offsets(late), [3, 4, 5], 'a later one shares their feed')
  t.notOk([...sinks, late].some(sink => sink.ended))
  t.same(world.followed, ['001'], 'by one stream for all of them')
})

t.test('what the other replica has not applied yet comes when it has', async t => {
  const world = new World()
  world.create()
  const sink = await world.connect('000', LATEST)
  for (const text of ['1', '2', '3']) world.publishLagging(text)
  world.replica('000').apply()
  world.replica('000').drop()
  world.publishLagging('4')
  await world.clock.advance(500)
  t.same(offsets(sink), [1, 2, 3])
  world.level()
  await world.clock.advance(10)
  t.same(offsets(sink), [1, 2, 3, 4])
})

t.test('a stream that is being replayed when its replica leaves reads on elsewhere', async t => {
  const world = new World({ bounds: { ringEvents: 2, replayEvents: 3 } })
  world.create()
  world.publish(...upTo(20).map(String))
  const replica = world.replica('000')
  const read = replica.read.bind(replica)
  replica.read = (...wanted) => {
    if (replica.reads === 2) replica.drop()
    return read(...wanted)
  }
  const sink = await world.connect('000', EARLIEST)
  await world.clock.advance(2_000)
  t.same(offsets(sink), upTo(20))
  t.equal(replica.reads, 2)
  world.publish('21')
  await world.clock.advance(10)
  t.same(offsets(sink), upTo(21))
})

t.test('a stream whose socket is full when its replica leaves is level again afterwards', async t => {
  const world = new World({ bounds: { bufferBytes: 100, ringEvents: 3, replayEvents: 4 } })
  world.create()
  const sink = await world.connect('000', LATEST)
  sink.stop()
  for (const n of upTo(15)) {
    world.publish(`event ${n}`)
    await world.clock.advance(5)
  }
  world.replica('000').drop()
  world.publish('16')
  await world.clock.advance(50)
  sink.resume()
  await world.clock.advance(500)
  t.same(offsets(sink), upTo(16))
})

t.test('a topic deleted while its streams go over ends them', async t => {
  const world = new World()
  world.create()
  const sink = await world.connect('000', LATEST)
  world.publish('1')
  world.replica('000').drop()
  world.commit({ kind: 'delete' })
  world.level()
  await world.clock.advance(50)
  t.same(
    sink.stream.messages.map(({ type }) => type),
    ['message', 'end'],
  )
})

t.test('peers that follow a replica that leaves go by way of another at once', async t => {
  const world = new World()
  world.create()
  const sink = await world.connect(AFAR, LATEST)
  const [first] = world.followed
  const other = first === '000' ? '001' : '000'
  world.replica(first!).drop()
  t.equal(world.hub(first!).stats().trunksUp, 1, 'it gets for them what it has not itself any more')
  world.publish('1', '2')
  await world.clock.advance(20)
  t.same(offsets(sink), [1, 2])
  t.same(world.followed, [first, other])
})

t.test(
  'a replica that leaves serves others by a way of its own, until they have found a better one',
  async t => {
    const world = new World()
    world.create()
    world.placed = ['000']
    const far = await world.connect(AFAR, LATEST)
    const near = await world.connect('000', LATEST)
    t.same(world.followed, ['000'])
    world.placed = ['001']
    world.replica('000').drop()
    world.publish('1')
    await world.clock.advance(20)
    t.same(offsets(far), [1])
    t.same(offsets(near), [1])
    t.same(world.followed, ['000', '001'], 'it stands between them and the other replica')
    await world.clock.advance(2 * LIMITS.TRUNK_RETURN_MS + LIMITS.TRUNK_IDLE_MS)
    t.same(world.followed, ['000', '001', '001'])
    t.equal(world.hub('000').stats().trunksDown, 0)
    world.publish('2')
    await world.clock.advance(20)
    t.same(offsets(far), [1, 2])
    t.same(offsets(near), [1, 2])
  },
)

t.test('a peer that stops does not look for its topics elsewhere', async t => {
  const world = new World()
  world.create()
  const sink = await world.connect('000', LATEST)
  world.replica('000').stop()
  await world.clock.advance(100)
  t.same(world.followed, [])
  await world.hub('000').close()
  t.ok(sink.ended)
  t.equal(world.clock.timers, 0)
})

t.test('a slot that goes while the streams end is not followed elsewhere', async t => {
  const world = new World()
  world.create()
  const sink = await world.connect('000', LATEST)
  sink.stop()
  world.publish('1')
  await world.clock.advance(10)
  const closed = world.hub('000').close()
  world.replica('000').drop()
  await world.clock.advance(100)
  t.same(world.followed, [])
  sink.resume()
  await closed
  t.same(offsets(sink), [1])
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
