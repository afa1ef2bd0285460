import type { PeerId } from './labels.ts'
import { type Crossing, nextHops, orderTargets } from './routing.ts'

/** What a peer knows when it has to get a slot's events from others. */
export interface Offspring extends Pick<Crossing, 'self' | 'dimension' | 'neighbours' | 'alive'> {
  /** The peers on which the slot is placed. */
  readonly replicas: readonly PeerId[]
}

/**
 * Whom a peer without a replica gets a slot's events from, in order: the neighbour nearest to the nearest replica, then
 * the replicas themselves, then the other neighbours. Never itself.
 */
export function parentsOf({ self, replicas, dimension, neighbours, alive }: Offspring): PeerId[] {
  const others = replicas.filter(peer => peer !== self)
  const [target, ...rest] = orderTargets(self, others, dimension, alive)
  if (target === undefined) return []
  const hops = nextHops({ self, target, dimension, neighbours, alive, visited: new Set() })
  return [...new Set([...hops.slice(0, 1), target, ...rest, ...hops])]
}
