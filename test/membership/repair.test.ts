import t, { type Test } from 'tap'
import { HypercastError } from '../../services/peer/errors.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import { Repair, type RepairEnd } from '../../services/peer/membership/repair.ts'
import type { Configuration } from '../../services/peer/raft/types.ts'
import { World } from './world.ts'

/** Long enough for a look, whatever pauses have grown to. */
const LONG_MS = 2 * LIMITS.REPAIR_PAUSE_MAX_MS
const SLOT = 1

/** One peer of the world that wants repair, and what became of it. */
interface Patient {
  readonly damaged: Map<number, string>
  /** In the order in which it happened. */
  readonly done: string[]
  readonly told: string[]
  end: RepairEnd | undefined
  /** Called when the peer has fallen silent. */
  onSilent: () => void
  freeBytes: number
  readonly repair: Repair
}

const USED_BYTES = 1_000
const RESERVE_BYTES = 100

function patient(t: Test, world: World, at: number, attempts = 0, next = `next-${at}`): Patient {
  const { id, uid } = world.rosters.current.peers[at]!
  const repair = new Repair({
    self: id,
    uid,
    rosters: world.rosters,
    dispatcher: world.dispatcher,
    clock: world.clock,
    random: () => 0.5,
    log: {
      debug() {},
      info() {},
      error() {},
      warn: (fields: object) => {
        if ('waitsFor' in fields) found.told.push(String(fields.waitsFor))
      },
    },
    attempts,
    damaged: () => found.damaged,
    space: () => ({ freeBytes: found.freeBytes, usedBytes: USED_BYTES }),
    reserveBytes: RESERVE_BYTES,
    prepare: async () => {
      found.done.push('prepared')
      return next
    },
    fallSilent: async () => {
      found.done.push('silent')
      found.onSilent()
    },
    ended: end => {
      found.end = end
    },
  })
  const found: Patient = {
    damaged: new Map(),
    done: [],
    told: [],
    end: undefined,
    onSilent: () => {},
    freeBytes: USED_BYTES + RESERVE_BYTES,
    repair,
  }
  repair.start()
  t.teardown(() => repair.stop())
  return found
}

const uids = (world: World) => world.committed.peers.map(({ uid }) => uid)

t.test('a peer with a sound store is left as it is', async t => {
  const world = new World(4)
  const one = patient(t, world, 1)
  await world.clock.advance(LONG_MS)
  t.same(one.done, [])
})

t.test('a damaged peer is replaced by its next store, under a new number, before it ends', async t => {
  const world = new World(4)
  const one = patient(t, world, 1)
  one.damaged.set(SLOT, 'a bad record')
  await world.clock.advance(2 * LIMITS.REPAIR_LOOK_MS)
  t.same(one.done, ['prepared', 'silent', 'prepared'])
  t.same(world.applied, ['replace'])
  const { id, number } = world.committed.peers.find(({ uid }) => uid === 'next-1')!
  t.same({ id, number }, { id: '01', number: 5 })
  t.same(one.end, { kind: 'replaced', roster: world.committed })
  await world.clock.advance(LONG_MS)
  t.same(world.applied, ['replace'], 'that was all')
})

const [away] = new World(4).rosters.membersOf(['11'])

/** What keeps peer 01 from losing its store, and what ends it. */
const OBSTACLES: readonly [string, (world: World) => void, (world: World) => void, RegExp][] = [
  [
    'a slot without a primary, as when two of its replicas are corrupt',
    world => world.lost.add(SLOT),
    world => world.lost.clear(),
    /1 slots have no primary/,
  ],
  [
    'another voter that is gone, or whose own record is corrupt',
    world => world.behind.add(1).add(4),
    world => world.behind.clear(),
    /no majority of sound replicas/,
  ],
  [
    'another peer that is being repaired: a slot waits for it',
    world => {
      const { voters } = configurationOf(world, 0)
      world.stuck.set(0, { rosterVersion: 1, voters, learners: [{ number: 9, uid: 'uid-9' }] })
    },
    world => world.stuck.clear(),
    /slot 0 is on the move/,
  ],
  [
    'a peer that leaves',
    world => {
      world.apply({ kind: 'leave', id: '11', by: 'test', why: 'a test' })
      world.rosters.adopt(world.committed)
    },
    world => {
      world.apply({ kind: 'remove', uid: away!.uid, by: 'test', why: 'a test' })
      world.rosters.adopt(world.committed)
    },
    /peer 11 is leaving/,
  ],
]

function configurationOf(world: World, slot: number): Configuration {
  return { rosterVersion: 1, voters: world.rosters.membersOf(world.rosters.order(slot)) }
}

for (const [what, begin, end, why] of OBSTACLES) {
  t.test(`a damaged peer keeps its store and takes part, while there is ${what}`, async t => {
    const world = new World(4)
    const one = patient(t, world, 1)
    one.damaged.set(SLOT, 'a bad record')
    begin(world)
    await world.clock.advance(3 * LONG_MS)
    t.same(one.done, [])
    t.match(one.told, [why], 'it says so once')
    end(world)
    await world.clock.advance(LONG_MS)
    t.equal(one.end?.kind, 'replaced')
  })
}

t.test('a slot that waits for the damaged peer itself does not keep it', async t => {
  const world = new World(4)
  const one = patient(t, world, 1)
  one.damaged.set(SLOT, 'a bad record')
  const { voters } = configurationOf(world, SLOT)
  const others = voters.filter(({ number }) => number !== 2)
  world.stuck.set(SLOT, { rosterVersion: 1, voters: others, learners: [{ number: 2, uid: 'uid-1' }] })
  await world.clock.advance(LIMITS.REPAIR_LOOK_MS)
  t.equal(one.end?.kind, 'replaced')
})

t.test('what shows only when it is silent sends the peer back to the store it has', async t => {
  const world = new World(4)
  const one = patient(t, world, 1)
  one.damaged.set(SLOT, 'a bad record')
  one.onSilent = () => world.lost.add(3)
  await world.clock.advance(LIMITS.REPAIR_LOOK_MS + LIMITS.REPAIR_SILENCE_MS)
  t.same(one.end, { kind: 'again' })
  t.same(world.applied, [])
})

t.test('a slot that takes a moment to do without the peer is waited for', async t => {
  const world = new World(4)
  const one = patient(t, world, 1)
  one.damaged.set(SLOT, 'a bad record')
  one.onSilent = () => {
    world.lost.add(3)
    world.clock.after(LIMITS.REPAIR_SILENCE_MS / 2, () => world.lost.clear())
  }
  await world.clock.advance(LIMITS.REPAIR_LOOK_MS + LIMITS.REPAIR_SILENCE_MS)
  t.equal(one.end?.kind, 'replaced')
})

t.test('of two that are damaged in different slots and look at the same moment one goes first', async t => {
  const world = new World(4)
  const both = [patient(t, world, 1), patient(t, world, 2)]
  for (const [at, one] of both.entries()) one.damaged.set(at, 'a bad record')
  await world.clock.advance(LIMITS.REPAIR_LOOK_MS + LIMITS.REPAIR_SILENCE_MS)
  t.equal(both.filter(({ end }) => end?.kind === 'replaced').length, 1)
  t.equal(uids(world).filter(uid => uid.startsWith('next')).length, 1)
})

t.test('a change of the roster since it was judged sends the peer back to the store it has', async t => {
  const world = new World(4)
  const one = patient(t, world, 1)
  one.damaged.set(SLOT, 'a bad record')
  world.onAppend = () => {
    world.onAppend = () => {}
    const wiped = { id: '10', uid: 'wiped', replaces: 'uid-2', url: world.committed.peers[2]!.url }
    world.apply({ kind: 'replace', ...wiped, by: 'test', why: 'a test' })
  }
  await world.clock.advance(LIMITS.REPAIR_LOOK_MS + LIMITS.REPAIR_SILENCE_MS)
  t.same(one.end, { kind: 'again' })
  t.same(uids(world), ['uid-0', 'uid-1', 'wiped', 'uid-3'])
})

t.test('a damaged peer keeps its store while its disk has no room for another one', async t => {
  const world = new World(4)
  const one = patient(t, world, 1)
  one.damaged.set(SLOT, 'a bad record')
  one.freeBytes -= 1
  await world.clock.advance(3 * LONG_MS)
  t.same(one.done, [])
  t.match(one.told, [/not enough free disk space/])
  one.freeBytes += 1
  await world.clock.advance(LONG_MS)
  t.equal(one.end?.kind, 'replaced')
})

t.test('a store is not taken for replaced by itself', async t => {
  const world = new World(4)
  const one = patient(t, world, 1, 0, 'uid-1')
  one.damaged.set(SLOT, 'a bad record')
  await world.clock.advance(LIMITS.REPAIR_LOOK_MS + LIMITS.REPAIR_SILENCE_MS)
  t.same(one.end, { kind: 'again' })
  t.same(world.applied, [])
})

t.test('a handover that fails sends the peer back to the store it has', async t => {
  const world = new World(4)
  const one = patient(t, world, 1)
  one.damaged.set(SLOT, 'a bad record')
  one.onSilent = () => {
    throw new Error('the disk failed')
  }
  await world.clock.advance(LIMITS.REPAIR_LOOK_MS)
  t.same(one.end, { kind: 'again' })
  t.same(world.applied, [])
})

t.test('a peer that stops while it falls silent is not replaced', async t => {
  const world = new World(4)
  const one = patient(t, world, 1)
  one.damaged.set(SLOT, 'a bad record')
  one.onSilent = () => {
    world.lost.add(3)
    world.clock.after(LIMITS.SETTLE_LOOK_MS / 2, () => {
      one.repair.stop()
      world.lost.clear()
    })
  }
  await world.clock.advance(LIMITS.REPAIR_LOOK_MS + LIMITS.REPAIR_SILENCE_MS)
  t.equal(one.end, undefined)
  t.same(world.applied, [])
})

/** What becomes of a replacement whose outcome was unknown at first, and what the peer takes it for. */
const OUTCOMES: readonly [string, (world: World) => void, RepairEnd['kind']][] = [
  ['was applied all the same', world => replaceUnseen(world), 'replaced'],
  ['was not applied and can be yet', () => {}, 'replaced'],
  ['comes too late, since the roster has changed', world => leaveUnseen(world), 'again'],
]

function replaceUnseen(world: World): void {
  const { id, url } = world.committed.peers[1]!
  world.apply({ kind: 'replace', id, url, uid: 'next-1', replaces: 'uid-1', by: 'test', why: 'a test' })
}

function leaveUnseen(world: World): void {
  world.apply({ kind: 'leave', id: '11', by: 'test', why: 'a test' })
}

for (const [what, meanwhile, kind] of OUTCOMES) {
  t.test(`a peer stays silent until the roster says that its replacement ${what}`, async t => {
    const world = new World(4)
    const one = patient(t, world, 1)
    one.damaged.set(SLOT, 'a bad record')
    const failures = ['OUTCOME_UNKNOWN', 'NO_PRIMARY', 'NO_PRIMARY'] as const
    let asked = 0
    world.onAppend = () => {
      const code = failures[asked++]
      if (code !== undefined) throw new HypercastError(code)
      if (asked === failures.length + 1) meanwhile(world)
    }
    await world.clock.advance(LIMITS.REPAIR_LOOK_MS + LIMITS.SETTLE_LOOK_MS)
    t.equal(one.end, undefined, 'nobody has said')
    await world.clock.advance(2 * LIMITS.SETTLE_LOOK_MS)
    t.equal(one.end?.kind, kind)
    t.equal(uids(world).includes('next-1'), kind === 'replaced')
  })
}

t.test('nobody waits for ever for what became of a replacement', async t => {
  const world = new World(4)
  const one = patient(t, world, 1)
  one.damaged.set(SLOT, 'a bad record')
  world.onAppend = () => {
    throw new HypercastError('OUTCOME_UNKNOWN')
  }
  await world.clock.advance(LIMITS.REPAIR_OUTCOME_MS - LIMITS.REPAIR_LOOK_MS)
  t.equal(one.end, undefined)
  await world.clock.advance(2 * LIMITS.REPAIR_LOOK_MS)
  t.same(one.end, { kind: 'again' })
})

t.test('one that was silent in vain before waits longer', async t => {
  const world = new World(4)
  const one = patient(t, world, 1, 3)
  one.damaged.set(SLOT, 'a bad record')
  await world.clock.advance(8 * LIMITS.REPAIR_LOOK_MS - 1)
  t.same(one.done, [])
  await world.clock.advance(1)
  t.equal(one.end?.kind, 'replaced')
})
