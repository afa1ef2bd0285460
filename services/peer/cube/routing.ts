import { type PeerId, parseLabel } from './labels.ts'
import { distance } from './placement.ts'

/** What one peer knows when it has to send a request on. */
export interface Crossing {
  readonly self: PeerId
  /** The peer the request is for. */
  readonly target: PeerId
  readonly dimension: number
  /** The own neighbours, as `links` gives them. */
  readonly neighbours: readonly PeerId[]
  /** False for a neighbour that is known not to answer. */
  readonly alive: (id: PeerId) => boolean
  /** Peers the request has been at or that could not be reached; it goes to none of them again. */
  readonly visited: ReadonlySet<PeerId>
}

/**
 * The neighbours to try in order (DESIGN 7): live ones nearer to the target, nearest first, then the other live ones.
 * An empty answer means: go back to the peer the request came from.
 *
 * The caller makes it a depth-first search: it tries them one at a time, adds to `visited` whoever could not be
 * reached and everyone that came back as visited from one that was at its end, and asks again. Every peer is then
 * entered at most once, and every peer that can be reached over live links is reached.
 */
export function nextHops(crossing: Crossing): PeerId[] {
  const { self, target, dimension, neighbours, alive, visited } = crossing
  const goal = parseLabel(target)
  return neighbours
    .filter(id => id !== self && !visited.has(id) && alive(id))
    .map(id => ({ id, far: distance(parseLabel(id), goal, dimension) }))
    .sort((a, b) => a.far - b.far)
    .map(({ id }) => id)
}

/**
 * Orders peers that can all serve a request (the replicas of a slot) by how much there is to gain from asking them:
 * those not known to be down before the others, this peer itself first, then by the number of dimensions to cross,
 * then by distance. Nobody is left out: what is believed dead may be alive.
 */
export function orderTargets(
  self: PeerId,
  targets: readonly PeerId[],
  dimension: number,
  alive: (id: PeerId) => boolean,
): PeerId[] {
  const own = parseLabel(self)
  return targets
    .map(id => {
      const corner = parseLabel(id)
      return {
        id,
        down: id !== self && !alive(id) ? 1 : 0,
        hops: differingDimensions(own, corner),
        far: distance(own, corner, dimension),
      }
    })
    .sort((a, b) => a.down - b.down || a.hops - b.hops || a.far - b.far)
    .map(({ id }) => id)
}

function differingDimensions(a: number, b: number): number {
  let count = 0
  for (let rest = a ^ b; rest !== 0; rest &= rest - 1) count += 1
  return count
}
