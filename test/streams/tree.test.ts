import t, { type Test } from 'tap'
import { formatLabel, type PeerId } from '../../services/peer/cube/labels.ts'
import { neighbours } from '../../services/peer/cube/neighbours.ts'
import { parentsOf } from '../../services/peer/cube/parents.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import type { FakeSink } from './sink.ts'
import { World, type WorldOptions } from './world.ts'

const LATEST = { kind: 'latest' } as const

interface Tree {
  readonly world: World
  readonly peers: readonly PeerId[]
}

/** A full cube around one slot, joined as peers are that have the same roster. */
function grow(dimension: number, placed: readonly PeerId[], options: WorldOptions = {}): Tree {
  const peers = Array.from({ length: 2 ** dimension }, (_, corner) => formatLabel(corner, dimension))
  const cube = { dimension, peers: peers.map(id => ({ id })) }
  let seed = 7
  const world: World = new World({
    ...{ peers, placed },
    random: () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
      return seed / 2 ** 31
    },
    parentsOf: self =>
      parentsOf({
        ...{ self, replicas: world.placed, dimension, neighbours: neighbours(self, cube) },
        alive: peer => !world.down.has(peer),
      }),
    ...options,
  })
  return { world, peers }
}

/** Ends all hubs: nothing may go on. */
async function finish(t: Test, world: World): Promise<void> {
  await world.close()
  t.equal(world.clock.timers, 0, 'no timer goes on behind the end')
  t.equal(world.pipes, 0)
}

function offsets(sink: FakeSink): number[] {
  return sink.stream.messages.map(message => Number(message.lastEventId.split('-')[0]))
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, at) => at + 1)
}

/** How often each event came down each edge: topic, offset and edge as one key. */
function copies(world: World): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { upper, lower, frame } of world.trunks.carried ?? []) {
    if (frame.kind !== 'events') continue
    for (const { offset } of frame.events) {
      const key = `${upper}>${lower} ${frame.topic} ${offset}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
  }
  return counts
}

function publish(world: World, topic: string, text: string): void {
  world.commit({ kind: 'publish', topic, events: [{ data: Buffer.from(text) }] })
  world.level()
}

t.test('an event for subscribers on every peer goes once to each peer without a replica', async t => {
  for (const [dimension, placed] of [
    [3, ['000']],
    [3, ['000', '001', '010']],
    [4, ['0000']],
    [4, ['0110', '1110']],
  ] as const) {
    const { world, peers } = grow(dimension, placed)
    world.create()
    const sinks: FakeSink[] = []
    for (const peer of peers) sinks.push(await world.connect(peer, LATEST), await world.connect(peer, LATEST))
    await world.clock.advance(1_000)
    world.trunks.carried = []
    for (const text of ['1', '2', '3']) {
      world.publish(text)
      await world.clock.advance(20)
    }
    for (const sink of sinks) t.same(offsets(sink), [1, 2, 3])
    const counted = copies(world)
    t.same(new Set(counted.values()), new Set([1]), 'each edge at most once')
    t.equal(counted.size, 3 * (peers.length - placed.length), 'and one edge for each that needs it')
    const below = new Map<PeerId, number>()
    for (const peer of placed) below.set(peer, world.hub(peer).stats().trunksDown)
    t.ok(Math.max(...below.values()) <= dimension, 'no replica serves more than its neighbours')
    await finish(t, world)
  }
})

t.test('an edge carries what somebody behind it has asked for, and nothing else', async t => {
  const { world } = grow(3, ['000'])
  for (const topic of ['a', 'b', 'c']) world.create(topic)
  // 111 gets it by 110 and 100; 101 by 100.
  const far = await world.connect('111', LATEST, { topic: 'a' })
  const alsoFar = await world.connect('101', LATEST, { topic: 'b' })
  await world.clock.advance(1_000)
  world.trunks.carried = []
  for (const topic of ['a', 'b', 'c']) publish(world, topic, topic)
  await world.clock.advance(20)
  const edges = (topic: string) =>
    [...copies(world).keys()].filter(key => key.includes(` ${topic} `)).map(key => key.split(' ')[0])
  t.equal(edges('a').length, 3, 'three hops')
  t.equal(edges('b').length, 2)
  t.equal(edges('c').length, 0)
  t.same([offsets(far), offsets(alsoFar)], [[1], [1]])
  far.destroy()
  await world.clock.advance(50)
  world.trunks.carried = []
  for (const topic of ['a', 'b', 'c']) publish(world, topic, topic)
  await world.clock.advance(20)
  t.equal(edges('a').length, 0, 'who has gone is no longer asked for')
  t.equal(edges('b').length, 2)
  await finish(t, world)
})

t.test(
  'when a peer in between dies those behind it go another way, and back when it has returned',
  async t => {
    const { world, peers } = grow(4, ['0000'])
    world.create()
    const far = peers.filter(peer => peer !== '0000')
    const sinks = new Map<PeerId, FakeSink>()
    for (const peer of far) sinks.set(peer, await world.connect(peer, LATEST))
    await world.clock.advance(500)
    let sent = 0
    for (const dying of ['0001', '0111', '1000', '0010']) {
      world.down.add(dying)
      world.publish(`${++sent}`)
      world.trunks.cut(dying)
      world.publish(`${++sent}`)
      await world.clock.advance(1_000)
      world.publish(`${++sent}`)
      await world.clock.advance(100)
      for (const [peer, sink] of sinks) {
        if (peer !== dying) t.same(offsets(sink), upTo(sent), `${peer} without ${dying}`)
      }
      world.down.delete(dying)
      await world.clock.advance(4 * LIMITS.TRUNK_RETURN_MS)
      world.trunks.carried = []
      world.publish(`${++sent}`)
      await world.clock.advance(100)
      t.equal(copies(world).size, far.length)
      t.equal(world.hub('0000').stats().trunksDown, 4, 'the tree is as it was')
    }
    for (const [peer, sink] of sinks) t.same(offsets(sink), upTo(sent), `${peer} in the end`)
  },
)

t.test('peers that take each other for the way find it all the same, and stay with it', async t => {
  const ring: Record<PeerId, PeerId[]> = {
    '001': ['010', '000'],
    '010': ['011', '000'],
    '011': ['001', '000'],
    '100': ['101', '000'],
    '101': ['100', '000'],
    '110': ['111', '011'],
    '111': ['110', '101'],
  }
  const { world } = grow(3, ['000'], { parentsOf: self => ring[self] ?? [] })
  world.create()
  const sinks: FakeSink[] = []
  for (const peer of Object.keys(ring)) sinks.push(await world.connect(peer, LATEST))
  let sent = 0
  for (let round = 0; round < 20; round += 1) {
    world.publish(`${++sent}`)
    await world.clock.advance(1_000)
    for (const sink of sinks) t.same(offsets(sink), upTo(sent))
  }
  await world.clock.advance(60_000)
  world.trunks.carried = []
  world.publish(`${++sent}`)
  await world.clock.advance(100)
  const counted = copies(world)
  t.equal(counted.size, 7, 'a tree, no ring')
  t.same(new Set(counted.values()), new Set([1]))
  await world.clock.advance(60_000)
  const kinds = new Set(world.trunks.carried.map(({ frame }) => frame.kind))
  t.notOk(kinds.has('refused') || kinds.has('interrupted'), 'which nobody leaves again for the ring')
  await finish(t, world)
})

t.test('a parent that has no primary for its replica is not gone over to', async t => {
  const { world } = grow(3, ['000', '001'])
  world.create()
  world.replica('001').led = false
  const sink = await world.connect('011', LATEST)
  await world.clock.advance(4 * LIMITS.FOLLOW_SILENCE_MS)
  world.trunks.carried = []
  for (let round = 1; round <= 30; round += 1) {
    world.publishLagging(`${round}`)
    world.replica('000').apply()
    await world.clock.advance(1_000)
    t.same(offsets(sink), upTo(round))
  }
  await finish(t, world)
})
