import type { FaultKind } from './harm.ts'
import type { Chance } from './world.ts'

/** Share of the seeds that have a given kind of fault. */
const SHARE = 0.5
/** How much faster or slower than usual all kinds come, by seed. */
const TEMPERS = [0.6, 1, 2.5]

/** The kinds of fault of one seed, each with its mean time between two in milliseconds. */
export type Swarm = readonly (readonly [kind: FaultKind, meanMs: number])[]

/**
 * Swarm testing (Groce et al., ISSTA 2012): each run leaves a random subset of the kinds out altogether and draws rates
 * for the rest, since some bugs show only where another kind of fault does not get in their way.
 */
export function drawSwarm(kinds: readonly FaultKind[], chance: Chance): Swarm {
  const temper = chance.pick(TEMPERS)
  const swarm: [FaultKind, number][] = []
  for (const kind of kinds) {
    const [low, high] = kind.meanMs
    // Evenly by order of magnitude: often and seldom are equally likely.
    const meanMs = temper * low * (high / low) ** chance.next()
    if (chance.yes(kind.share ?? SHARE)) swarm.push([kind, meanMs])
  }
  return swarm
}
