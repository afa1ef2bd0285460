import { type PeerId, parseLabel } from './labels.ts'
import { type Cube, distance } from './placement.ts'

/**
 * The neighbours a peer chooses, lowest dimension first (DESIGN 4). Across dimension i: among the peers whose label
 * differs from its own first, from the lowest bit up, at bit i, the one nearest to its own label with bit i flipped.
 * At most one for each dimension, none where no peer differs first there.
 *
 * Why this rule: a neighbour across the lowest dimension in which I differ from a target agrees with the target in
 * that dimension and in all below, so every hop settles at least one dimension and no route is longer than d hops.
 * And whoever stands on one side of a dimension has a link of its own to the other side, so no single peer's loss
 * parts the rest. Both hold for every membership, not only for a full cube.
 */
export function choices(self: PeerId, cube: Cube): PeerId[] {
  const own = parseLabel(self)
  const best: ({ id: PeerId; far: number } | undefined)[] = Array.from({ length: cube.dimension })
  for (const { id } of cube.peers) {
    const differing = own ^ parseLabel(id)
    if (differing === 0) continue
    const dimension = lowestBit(differing)
    const far = distance(differing, 1 << dimension, cube.dimension)
    const holder = best[dimension]
    if (holder === undefined || far < holder.far) best[dimension] = { id, far }
  }
  return best.flatMap(holder => (holder === undefined ? [] : [holder.id]))
}

/**
 * Every peer's neighbours, sorted by label: those it chooses and those that choose it, since a link serves both ends.
 * Takes time in the square of the number of peers: compute it once for each version of the roster.
 */
export function links(cube: Cube): ReadonlyMap<PeerId, readonly PeerId[]> {
  const sets = new Map(cube.peers.map(({ id }) => [id, new Set<PeerId>()]))
  for (const { id } of cube.peers) {
    for (const chosen of choices(id, cube)) {
      sets.get(id)?.add(chosen)
      sets.get(chosen)?.add(id)
    }
  }
  return new Map([...sets].map(([id, set]) => [id, [...set].sort()]))
}

/** The neighbours of one peer, sorted by label; empty for a peer the cube does not have. See `links`. */
export function neighbours(self: PeerId, cube: Cube): readonly PeerId[] {
  return links(cube).get(self) ?? []
}

/** Place of the lowest bit that is set; `value` is not 0. */
function lowestBit(value: number): number {
  return 31 - Math.clz32(value & -value)
}
