import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import type { FakeSink } from './sink.ts'
import { World } from './world.ts'

const LATEST = { kind: 'latest' } as const
const EARLIEST = { kind: 'earliest' } as const

function offsets(sink: FakeSink): number[] {
  return sink.stream.messages.map(message => Number(message.lastEventId.split('-')[0]))
}

t.test('a replica that is back on this peer is followed afresh', async t => {
  const world = new World()
  world.create()
  const replica = world.replica('000')
  const first = await world.connect('000', LATEST)
  replica.drop()
  t.equal(replica.listeners, 0)
  first.destroy()
  world.publish('1')
  replica.arrive()
  const second = await world.connect('000', EARLIEST)
  t.equal(replica.listeners, 1)
  await world.clock.advance(LIMITS.TRUNK_IDLE_MS)
  t.equal(world.pipes, 0)
  world.publish('2')
  await world.clock.advance(10)
  t.same(offsets(second), [1, 2])
})

t.test('streams go over to a replica that comes here with the next mark', async t => {
  const world = new World()
  world.create()
  world.publish('1')
  const replica = world.replica('010')
  const first = await world.connect('010', EARLIEST)
  replica.arrive()
  world.publish('2')
  await world.clock.advance(10)
  t.equal(world.pipes, 1)
  t.same(offsets(first), [1, 2])
  const second = await world.connect('010', EARLIEST)
  world.publish('3')
  await world.clock.advance(LIMITS.FOLLOW_MARK_MS)
  t.equal(replica.listeners, 1, 'then all have the replica here')
  await world.clock.advance(LIMITS.TRUNK_IDLE_MS)
  t.equal(world.pipes, 0)
  t.equal(replica.listeners, 1)
  for (const sink of [first, second]) t.same(offsets(sink), [1, 2, 3])
})

t.test('what the remote stream had not brought yet is read from the replica that has come here', async t => {
  const world = new World()
  world.create()
  const first = await world.connect('010', LATEST)
  world.publish('1')
  await world.clock.advance(10)
  world.down.add('000').add('001')
  world.cut()
  world.publish('2', '3')
  world.replica('010').arrive()
  await world.clock.advance(LIMITS.FOLLOW_MARK_MS)
  t.same(offsets(first), [1, 2, 3])
  const second = await world.connect('010', LATEST)
  await world.clock.advance(10)
  t.same(offsets(second), [])
})

t.test('a remote stream that breaks goes on at the replica that has come here', async t => {
  const world = new World()
  world.create()
  const sink = await world.connect('010', LATEST)
  world.placed = ['010']
  world.replica('010').arrive()
  for (const peer of ['000', '001']) world.replica(peer).drop()
  world.publish('1', '2')
  await world.clock.advance(50)
  t.same(offsets(sink), [1, 2])
  t.equal(world.followed.length, 1)
})

t.test('a peer serves others from its own replica, never from a stream of its own', async t => {
  const world = new World()
  world.create()
  const first = await world.connect('010', LATEST)
  world.replica('010').arrive()
  world.placed = ['010']
  const second = await world.connect('011', LATEST)
  t.equal(world.followed.at(-1), '010')
  await world.clock.advance(LIMITS.TRUNK_IDLE_MS)
  t.equal(world.pipes, 1, 'only the one to 010')
  for (const peer of ['000', '001']) world.replica(peer).drop()
  world.publish('1')
  await world.clock.advance(10)
  for (const sink of [first, second]) t.same(offsets(sink), [1])
})

t.test('a slot that has not moved yet is followed where it was, past those it is placed on', async t => {
  const world = new World()
  world.create()
  world.placed = ['000']
  const sink = await world.connect('010', LATEST)
  world.publish('1')
  await world.clock.advance(10)
  world.replica('001').drop()
  world.placed = ['001', '011']
  world.primary = '000'
  world.cut()
  world.publish('2')
  await world.clock.advance(50)
  t.equal(world.followed.at(-1), '000')
  t.same(offsets(sink), [1, 2])
})

t.test('a new stream to a slot that has not moved yet finds its primary', async t => {
  const world = new World()
  world.create()
  world.publish('1')
  world.replica('001').drop()
  world.placed = ['001', '011']
  world.primary = '000'
  const sink = await world.connect('010', EARLIEST)
  world.publish('2')
  await world.clock.advance(100)
  t.equal(world.followed.at(-1), '000')
  t.same(offsets(sink), [1, 2])
})

t.test('streams go over to a slot’s new replicas as it moves again and again', async t => {
  const world = new World({ bounds: { ringEvents: 4, replayEvents: 3 } })
  world.create()
  const peers = ['000', '001', '010', '011'] as const
  const sinks: FakeSink[] = []
  for (const peer of peers) sinks.push(await world.connect(peer, EARLIEST))
  let sent = 0
  for (let round = 0; round < 12; round += 1) {
    const [leaves, stays, comes] = [0, 1, 2].map(step => peers[(round + step) % 4]!)
    world.publish(...Array.from({ length: 1 + (round % 6) }, () => `${++sent}`))
    world.placed = [stays!, comes!]
    world.replica(comes!).arrive()
    if (round % 2 === 0) await world.clock.advance(round)
    world.replica(leaves!).drop()
    world.publish(`${++sent}`)
    await world.clock.advance(5)
  }
  await world.clock.advance(2_000)
  for (const sink of sinks) {
    t.same(
      sink.stream.messages.map(({ data }) => data),
      Array.from({ length: sent }, (_, at) => `${at + 1}`),
    )
    t.notOk(sink.ended)
  }
})
