import type { FaultKind, Harm } from './harm.ts'
import { cut } from './harm-network.ts'
import type { Member } from './member.ts'

/** Share of the seeds with a changing roster that have a given kind of change. */
const SHARE = 0.7

/**
 * Whether a disk may be lost for good: one copy of three may, and a disk with flipped bits may be that one already.
 */
function mayBeLost(harm: Harm): (member: Member) => boolean {
  return member => !harm.hasFlipped || member === harm.victim
}

/** The next process that is about to be taken in, or the one that takes it in, is killed meanwhile. */
function crashInJoin(harm: Harm): boolean {
  const { cluster, chance } = harm
  const { questions, world } = cluster
  const begin = () => {
    questions.onJoin = (newcomer, asked) => {
      questions.onJoin = () => {}
      const member = chance.yes(0.45) ? newcomer : asked
      world.after(chance.next() ** 2 * 500, () => {
        if (member.life.isDead) return
        harm.fired(member === newcomer ? 'crash of a newcomer' : 'crash of whom it asked')
        member.kill(chance.int(0, member.disk.pendingWrites), 'is killed in a join')
        harm.later(50, 4_000, () => member.start())
      })
    }
  }
  return harm.window('crash in a join', 3_000, 8_000, begin, () => {
    questions.onJoin = () => {}
  })
}

/**
 * A peer is away for about as long as it takes until it is given up: its process is not there, or nobody reaches it, or only
 * one other peer does not.
 */
function outage(harm: Harm): boolean {
  const { chance, cluster } = harm
  const { evictAfterMs } = cluster
  const member = harm.anyone()
  if (!member.isUp) return false
  const forMs = [0.8 * evictAfterMs, 4 * evictAfterMs] as const
  const { host } = member
  const other = chance.pick([...cluster.members.keys()].filter(one => one !== host))
  switch (chance.int(1, 5)) {
    case 1:
    case 2:
      return cut(harm, (from, to) => from === host || to === host, forMs)
    case 3:
      return cut(harm, (from, to) => [from, to].includes(host) && [from, to].includes(other), forMs)
  }
  return harm.window(
    `outage ${member.name}`,
    ...forMs,
    () => member.kill(member.disk.pendingWrites, 'is switched off'),
    () => member.start(),
  )
}

/**
 * Changes of who takes part; each goes on, once begun, until it is done, and most wait for one another: what can seldom be is
 * tried more often. Most are counted by what becomes of the roster.
 */
export const ROSTER_FAULTS: readonly FaultKind[] = [
  { counted: undefined, meanMs: [800, 5_000], share: SHARE, strike: ({ operator }) => operator.join() },
  {
    counted: undefined,
    meanMs: [200, 1_800],
    share: SHARE,
    strike: harm => harm.operator.giveUp(() => !harm.hasFlipped),
  },
  { counted: undefined, meanMs: [300, 2_500], share: SHARE, strike: ({ operator }) => operator.leave() },
  {
    counted: undefined,
    meanMs: [200, 1_500],
    share: 0.95,
    strike: harm => harm.operator.lose(mayBeLost(harm)),
  },
  {
    counted: undefined,
    meanMs: [800, 5_000],
    share: SHARE,
    strike: harm => harm.operator.wipe(mayBeLost(harm)),
  },
  {
    counted: 'another address',
    meanMs: [500, 4_000],
    share: SHARE,
    strike: ({ hasFlipped, operator }) => !hasFlipped && operator.move(false),
  },
  {
    counted: 'addresses exchanged',
    meanMs: [300, 3_000],
    share: SHARE,
    strike: ({ hasFlipped, operator }) => !hasFlipped && operator.move(true),
  },
  { counted: undefined, meanMs: [200, 1_500], share: 0.9, strike: crashInJoin },
]

/** Where the silent are evicted. */
export const OUTAGES: readonly FaultKind[] = [
  { counted: 'long outage', meanMs: [1_500, 6_000], share: 0.9, strike: outage },
]
