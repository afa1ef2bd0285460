import t, { type Test } from 'tap'
import type { RosterChange } from '../../services/peer/cube/roster-change.ts'
import { formatOf } from '../../services/peer/cube/roster-format.ts'
import type { Formats } from '../../services/peer/engine/formats.ts'
import { OwnFormat } from '../../services/peer/membership/format.ts'
import { World } from './world.ts'

/** The peer `uid-0` with a program that speaks so much, and what it writes. */
function watched(t: Test, world: World, formats: Formats) {
  const stop = new AbortController()
  const listeners = new Set<() => void>()
  const peer = {
    warnings: [] as unknown[],
    ended: [] as string[],
    hear() {
      world.rosters.adopt(world.committed)
      for (const listener of [...listeners]) listener()
    },
  }
  const format = new OwnFormat({
    uid: 'uid-0',
    formats,
    rosters: world.rosters,
    dispatcher: world.dispatcher,
    clock: world.clock,
    log: { debug() {}, info() {}, warn: fields => void peer.warnings.push(fields), error() {} },
    signal: stop.signal,
    adopt: () => peer.hear(),
    onRoster(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    unfit: error => void peer.ended.push(error.message),
  })
  const watching = format.watch()
  t.teardown(async () => {
    stop.abort()
    await watching
    if (listeners.size > 0) throw new Error('it listens on')
  })
  return peer
}

const runs = (uid: string, format: number): RosterChange => ({
  ...{ kind: 'format', uid, format },
  ...{ by: uid, why: 'upgraded' },
})

t.test('a peer with another program than the roster knows says so, once', async t => {
  const world = new World(3)
  const peer = watched(t, world, { oldest: 1, newest: 2 })
  await world.clock.advance(1_000)
  t.same(world.committed.peers.map(formatOf), [2, 1, 1])
  await world.clock.advance(60_000)
  t.same(world.applied, ['format'])
  t.same(peer.warnings, [])
})

t.test('one whose program the roster knows says nothing', async t => {
  const world = new World(3)
  watched(t, world, { oldest: 1, newest: 1 })
  await world.clock.advance(60_000)
  t.same(world.applied, [])
})

t.test('what cannot be said now is said later, and logged once for each reason', async t => {
  const world = new World(3)
  world.onAppend = () => {
    throw new Error('no primary')
  }
  const peer = watched(t, world, { oldest: 1, newest: 2 })
  await world.clock.advance(30_000)
  t.match(peer.warnings, [{ format: 2, error: /no primary/ }])
  t.equal(peer.warnings.length, 1)
  world.onAppend = () => {}
  await world.clock.advance(30_000)
  t.same(world.applied, ['format'])
})

t.test('a peer that went back while the cluster had not gone over says that too', async t => {
  const world = new World(3)
  world.apply(runs('uid-0', 2))
  world.rosters.adopt(world.committed)
  watched(t, world, { oldest: 1, newest: 1 })
  await world.clock.advance(1_000)
  t.same(world.committed.peers.map(formatOf), [1, 1, 1])
})

t.test('a peer that the cluster has left behind ends, and says which version it needs', async t => {
  const world = new World(3)
  world.apply(runs('uid-0', 2))
  world.rosters.adopt(world.committed)
  // It is started with the old program, and before it can say so the last of the others is upgraded.
  world.onAppend = () => {
    throw new Error('no primary')
  }
  const peer = watched(t, world, { oldest: 1, newest: 1 })
  await world.clock.advance(1_000)
  t.same(peer.ended, [])
  world.apply(runs('uid-1', 2))
  world.apply(runs('uid-2', 2))
  t.equal(formatOf(world.committed), 2)
  peer.hear()
  await world.clock.advance(10_000)
  t.equal(peer.ended.length, 1)
  t.match(peer.ended[0], /speak format 2 .* up to 1: run a version that speaks it/)
})
