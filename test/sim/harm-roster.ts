import type { FaultKind, Harm } from './harm.ts'
import type { Member } from './member.ts'

/**
 * Whether a disk may be lost for good: one copy of three may, and a disk with flipped bits may be that one already.
 */
function mayBeLost(harm: Harm): (member: Member) => boolean {
  return member => !harm.hasFlipped || member === harm.victim
}

/** Share of the seeds with a changing roster that have a given kind of change. */
const SHARE = 0.7

/** Changes of who takes part; each goes on, once begun, until it is done. Counted when they are. */
export const ROSTER_FAULTS: readonly FaultKind[] = [
  { counted: undefined, meanMs: [500, 4_000], share: SHARE, strike: ({ operator }) => operator.join() },
  { counted: undefined, meanMs: [500, 4_000], share: SHARE, strike: ({ operator }) => operator.leave() },
  {
    counted: undefined,
    meanMs: [800, 5_000],
    share: SHARE,
    strike: harm => harm.operator.evict(mayBeLost(harm)),
  },
  {
    counted: undefined,
    meanMs: [800, 5_000],
    share: SHARE,
    strike: harm => harm.operator.wipe(mayBeLost(harm)),
  },
]
