import t, { type Test } from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import { Departures } from '../../services/peer/membership/departures.ts'
import { World } from './world.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }
const EVICT_AFTER_MS = 60_000

/** What one peer sees of the others. */
interface Sight {
  isRosterPrimary: boolean
  /** By id. */
  silentMs: Map<string, number>
  reached: Set<string>
  /** Whoever does not answer is asked again until there is no time left. */
  isSoughtToTheLast: boolean
  asked: string[]
  isLost: boolean
}

function departures(t: Test, world: World, evictAfterMs = EVICT_AFTER_MS): Sight {
  const sight: Sight = {
    isRosterPrimary: true,
    silentMs: new Map(),
    reached: new Set(),
    isSoughtToTheLast: false,
    asked: [],
    isLost: false,
  }
  const running = new Departures({
    self: '00',
    rosters: world.rosters,
    dispatcher: world.dispatcher,
    clock: world.clock,
    log: quiet,
    isRosterPrimary: () => sight.isRosterPrimary,
    isLost: () => sight.isLost,
    askForRoster: peer => sight.asked.push(peer),
    silentForMs: peer => sight.silentMs.get(peer) ?? 0,
    reaches: async (peer, deadlineMs) => {
      if (sight.isSoughtToTheLast) {
        const forMs = deadlineMs - world.clock.monotonicMs()
        await new Promise<void>(resolve => world.clock.after(forMs, resolve))
      }
      return sight.reached.has(peer)
    },
    evictAfterMs,
  })
  running.start()
  t.teardown(() => running.stop())
  return sight
}

/** A change that somebody else made, and this peer has heard of. */
function heard(world: World, change: Parameters<World['apply']>[0]): void {
  world.apply(change)
  world.rosters.adopt(world.committed)
}

const why = { by: 'test', why: 'a test' }

t.test('a peer that leaves goes off the list when no slot names it any more', async t => {
  const world = new World(4)
  departures(t, world)
  heard(world, { kind: 'leave', id: '01', ...why })
  world.stuck.set(1, {
    rosterVersion: 1,
    voters: [{ number: 1, uid: 'uid-0' }],
    learners: [{ number: 2, uid: 'uid-1' }],
  })
  await world.clock.advance(5_000)
  t.same(world.applied, ['leave'], 'one slot has it as a learner')
  world.stuck.clear()
  world.lost.add(3)
  await world.clock.advance(5_000)
  t.same(world.applied, ['leave'], 'one slot has no primary to say so')
  world.lost.clear()
  await world.clock.advance(3_000)
  t.same(world.applied, ['leave', 'remove'])
  t.notOk(world.committed.peers.some(({ id }) => id === '01'))
})

t.test('only the roster’s primary takes peers off the list', async t => {
  const world = new World(4)
  const sight = departures(t, world)
  sight.isRosterPrimary = false
  heard(world, { kind: 'leave', id: '01', ...why })
  await world.clock.advance(5_000)
  t.same(world.applied, ['leave'])
  sight.isRosterPrimary = true
  await world.clock.advance(3_000)
  t.same(world.applied, ['leave', 'remove'])
})

t.test('a peer that is silent for too long is evicted, and nobody else before it is gone', async t => {
  const world = new World(4)
  const sight = departures(t, world)
  sight.isRosterPrimary = false
  sight.silentMs.set('10', EVICT_AFTER_MS - 1)
  await world.clock.advance(5_000)
  t.same(world.applied, [], 'not yet')
  sight.silentMs.set('10', EVICT_AFTER_MS + 1).set('11', EVICT_AFTER_MS + 1)
  await world.clock.advance(5_000)
  t.same(world.applied, ['evict'])
  t.match(world.committed.change, { kind: 'evict', id: '10', by: '00', why: 'silent for 60 s' })
  world.rosters.adopt(world.committed)
  world.lost.add(2)
  await world.clock.advance(60_000)
  t.same(world.applied, ['evict'], 'one of its slots says nothing')
  world.lost.clear()
  await world.clock.advance(60_000)
  t.same(world.applied.slice(0, 2), ['evict', 'evict'], 'then the next one')
})

t.test(
  'nobody is evicted whom somebody reaches, nor while a slot is without a majority, nor when it is off',
  async t => {
    for (const spare of ['reached', 'lost', 'moving', 'off'] as const) {
      const world = new World(4)
      const sight = departures(t, world, spare === 'off' ? 0 : EVICT_AFTER_MS)
      sight.silentMs.set('10', 10 * EVICT_AFTER_MS)
      if (spare === 'reached') sight.reached.add('10')
      if (spare === 'lost') world.lost.add(2)
      world.behind.add(3)
      if (spare === 'moving') world.stuck.set(1, { rosterVersion: 1, voters: [{ number: 1, uid: 'uid-0' }] })
      await world.clock.advance(20_000)
      t.same(world.applied, [], spare)
    }
  },
)

t.test(
  'a peer that leaves asks the others for the roster, since nobody tells it that it is off the list',
  async t => {
    const world = new World(4)
    const sight = departures(t, world)
    sight.isRosterPrimary = false
    await world.clock.advance(3_000)
    t.same(sight.asked, [])
    heard(world, { kind: 'leave', id: '00', ...why })
    await world.clock.advance(3_000)
    t.same([...new Set(sight.asked)], ['01', '10', '11'], 'one after the other: some may be down')
  },
)

t.test('a dead peer that slots wait for is evicted all the same, also while another one leaves', async t => {
  const world = new World(4)
  const sight = departures(t, world)
  sight.isRosterPrimary = false
  heard(world, { kind: 'leave', id: '01', ...why })
  sight.silentMs.set('10', 2 * EVICT_AFTER_MS)
  world.behind.add(3)
  const learners = [3, 4].map(number => ({ number, uid: `uid-${number - 1}` }))
  world.stuck.set(1, { rosterVersion: 1, voters: [{ number: 1, uid: 'uid-0' }], learners })
  await world.clock.advance(5_000)
  t.same(world.applied, ['leave', 'evict'], 'or nothing would ever go on')
})

t.test('a dead peer is evicted also where primaries do not say yet who is level', async t => {
  const world = new World(4)
  world.isOld = true
  const sight = departures(t, world)
  sight.silentMs.set('10', 2 * EVICT_AFTER_MS)
  const learners = [3, 4].map(number => ({ number, uid: `uid-${number - 1}` }))
  world.stuck.set(2, { rosterVersion: 1, voters: [{ number: 1, uid: 'uid-0' }], learners })
  await world.clock.advance(5_000)
  t.same(world.applied, ['evict'], 'or it would hold a new version back for ever')
})

t.test('a peer whose slots have had no primary for long asks whether it is still listed', async t => {
  const world = new World(4)
  const sight = departures(t, world)
  sight.isLost = true
  await world.clock.advance(2_000)
  t.ok(sight.asked.length > 0)
})

t.test('a dead peer that cannot be evicted yet is looked at less and less often', async t => {
  const world = new World(4)
  const sight = departures(t, world)
  sight.isRosterPrimary = false
  sight.silentMs.set('10', 2 * EVICT_AFTER_MS)
  world.lost.add(2)
  await world.clock.advance(600_000)
  const looksSoFar = () => world.asked.filter(slot => slot === 0).length
  const looks = looksSoFar()
  const { DEPARTURE_LOOK_MS, EVICTION_PAUSE_MAX_MS } = LIMITS
  const least = 600_000 / (EVICTION_PAUSE_MAX_MS + DEPARTURE_LOOK_MS)
  t.ok(looks >= least && looks <= least + 6, `${looks} looks in ten minutes`)
  t.same(world.applied, [])
  world.lost.clear()
  world.onAppend = () => queueMicrotask(() => world.rosters.adopt(world.committed))
  await world.clock.advance(EVICTION_PAUSE_MAX_MS + DEPARTURE_LOOK_MS)
  t.same(world.applied, ['evict'], 'and goes soon when it can')

  world.lost.add(2)
  sight.silentMs.set('11', 2 * EVICT_AFTER_MS)
  const before = looksSoFar()
  await world.clock.advance(12_000)
  t.ok(looksSoFar() - before >= 3, 'for the next one the pauses begin anew')
})

t.test('one dead peer is evicted at a time', async t => {
  const world = new World(4)
  const sight = departures(t, world)
  sight.isRosterPrimary = false
  for (const id of ['01', '10', '11']) sight.silentMs.set(id, 2 * EVICT_AFTER_MS)
  // This peer hears of what it did at once, and no slot has far to go.
  world.onAppend = () => queueMicrotask(() => world.rosters.adopt(world.committed))
  await world.clock.advance(LIMITS.DEPARTURE_LOOK_MS)
  t.same(world.applied, ['evict'])
})

t.test('an eviction that another change came before is judged again', async t => {
  const world = new World(4)
  const sight = departures(t, world)
  sight.isRosterPrimary = false
  sight.silentMs.set('10', 2 * EVICT_AFTER_MS)
  world.onAppend = () => {
    world.onAppend = () => {}
    // Another peer has evicted another one: while its slots move, a majority may need this one's replicas.
    world.apply({ kind: 'evict', id: '11', uid: 'uid-3', ...why })
    const voters = [1, 3, 4].map(number => ({ number, uid: `uid-${number - 1}` }))
    world.stuck.set(0, { rosterVersion: 1, voters })
    world.clock.after(500, () => world.rosters.adopt(world.committed))
  }
  await world.clock.advance(120_000)
  t.same(world.applied, ['evict'], 'the other one')
  world.stuck.clear()
  await world.clock.advance(LIMITS.EVICTION_PAUSE_MAX_MS + LIMITS.DEPARTURE_LOOK_MS)
  t.same(world.applied, ['evict', 'evict'])
})

t.test('nobody is evicted without whom a slot would be left to replicas that are down', async t => {
  const world = new World(4)
  const sight = departures(t, world)
  sight.isRosterPrimary = false
  sight.silentMs.set('10', 2 * EVICT_AFTER_MS)
  // The disk of another is lost, which nobody knows yet; this one has just come back to vote.
  world.behind.add(2).add(4)
  await world.clock.advance(60_000)
  t.same(world.applied, [])
  world.behind.delete(2)
  await world.clock.advance(LIMITS.EVICTION_PAUSE_MAX_MS + LIMITS.DEPARTURE_LOOK_MS)
  t.same(world.applied, ['evict'])
})

t.test('one that is heard of again while the slots are asked stays', async t => {
  const world = new World(4)
  const sight = departures(t, world)
  sight.isSoughtToTheLast = true
  sight.silentMs.set('10', EVICT_AFTER_MS + 1)
  world.clock.after(LIMITS.DEPARTURE_PATIENCE_MS, () => sight.silentMs.set('10', 0))
  await world.clock.advance(2 * LIMITS.DEPARTURE_PATIENCE_MS)
  t.same(world.applied, [])
})

t.test('looking for the dead to the last leaves time to evict them', async t => {
  const world = new World(4)
  const sight = departures(t, world)
  sight.isSoughtToTheLast = true
  sight.silentMs.set('10', EVICT_AFTER_MS + 1)
  await world.clock.advance(LIMITS.DEPARTURE_PATIENCE_MS + 5_000)
  t.same(world.applied.slice(0, 1), ['evict'])
})
