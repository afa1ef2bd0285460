import fc from 'fast-check'
import { formatLabel } from '../../services/peer/cube/labels.ts'
import type { Cube } from '../../services/peer/cube/placement.ts'

/** A cube with peers on these corners. */
export function cubeOf(dimension: number, corners: Iterable<number>): Cube {
  const sorted = [...corners].sort((a, b) => a - b)
  return { dimension, peers: sorted.map(corner => ({ id: formatLabel(corner, dimension) })) }
}

/** Peers 0 to count - 1 in the smallest cube that holds them. */
export function firstPeers(count: number): Cube {
  let dimension = 1
  while (2 ** dimension < count) dimension += 1
  return cubeOf(
    dimension,
    Array.from({ length: count }, (_, corner) => corner),
  )
}

export function ids(cube: Cube): string[] {
  return cube.peers.map(({ id }) => id)
}

/** Cubes of dimension 1 to 6 with peers on random corners, at least `least` of them. */
export function anyCube(least = 1): fc.Arbitrary<Cube> {
  return fc
    .integer({ min: Math.max(1, Math.ceil(Math.log2(least))), max: 6 })
    .chain(dimension =>
      fc
        .uniqueArray(fc.nat(2 ** dimension - 1), { minLength: least, maxLength: 2 ** dimension })
        .map(corners => cubeOf(dimension, corners)),
    )
}

/** Peers that `from` reaches over links both ends of which `alive` holds for, itself included, with their hops. */
export function reach(
  from: string,
  links: ReadonlyMap<string, readonly string[]>,
  alive: (id: string) => boolean,
): Map<string, number> {
  const hops = new Map([[from, 0]])
  for (const [at, count] of hops) {
    for (const next of links.get(at) ?? []) {
      if (alive(next) && !hops.has(next)) hops.set(next, count + 1)
    }
  }
  return hops
}
