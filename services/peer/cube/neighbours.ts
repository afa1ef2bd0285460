import { type PeerId, parseLabel } from './labels.ts'
import type { Cube } from './placement.ts'

/**
 * The neighbours a peer chooses, lowest dimension first (DESIGN 4). Across dimension i: among the peers whose label
 * differs from its own first, from the lowest bit up, at bit i, the one nearest to its own label with bit i flipped.
 * At most one for each dimension, none where no peer differs first there.
 *
 * Why this rule: a neighbour across the lowest dimension in which I differ from a target agrees with the target in
 * that dimension and in all below, so every hop settles at least one dimension and no route is longer than d hops.
 * And whoever stands on one side of a dimension has a link of its own to the other side, so no single peer's loss
 * parts the rest. Both hold for every membership, not only for a full cube.
 *
 * Nearest here is by the plain XOR, not by the placement's distance: by that one, a stand-in would be chosen by up to
 * three peers too many; so it is by one at most (docs/decisions/0001-neighbour-distance.md).
 */
export function choices(self: PeerId, cube: Cube): PeerId[] {
  return choose(parseLabel(self), corners(cube)).map(({ id }) => id)
}

interface Corner {
  readonly id: PeerId
  readonly corner: number
}

function corners(cube: Cube): Corner[] {
  return cube.peers.map(({ id }) => ({ id, corner: parseLabel(id) }))
}

function choose(own: number, peers: readonly Corner[]): Corner[] {
  const best: Corner[] = []
  for (const peer of peers) {
    const differing = own ^ peer.corner
    if (differing === 0) continue
    const dimension = lowestBit(differing)
    const held = best[dimension]
    if (held === undefined || differing < (own ^ held.corner)) best[dimension] = peer
  }
  return best.filter(peer => peer !== undefined)
}

/**
 * Every peer's neighbours, sorted by label: those it chooses and those that choose it, since a link serves both ends.
 * Takes time in the square of the number of peers: compute it once for each version of the roster.
 */
export function links(cube: Cube): ReadonlyMap<PeerId, readonly PeerId[]> {
  const sets = new Map(cube.peers.map(({ id }) => [id, new Set<PeerId>()]))
  const peers = corners(cube)
  for (const { id, corner } of peers) {
    for (const chosen of choose(corner, peers)) {
      sets.get(id)?.add(chosen.id)
      sets.get(chosen.id)?.add(id)
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
