import { formatLabel, type PeerId, parseLabel } from './labels.ts'
import { type Roster, staying } from './roster.ts'

/** What placement needs to know of the cube; a `Roster` is one. */
export interface Cube {
  readonly dimension: number
  readonly peers: readonly { readonly id: PeerId }[]
}

/**
 * The slot of a topic: the last 4 bytes of its name's SHA-256, big-endian, modulo `slots` (DESIGN 4).
 * @param digest SHA-256 of the name in UTF-8, 32 bytes; the hash function stays outside this room.
 * @param slots a power of two.
 */
export function slotOf(digest: Uint8Array, slots: number): number {
  if (digest.length !== 32) throw new RangeError(`a SHA-256 digest has 32 bytes, this one ${digest.length}`)
  const tail = new DataView(digest.buffer, digest.byteOffset, digest.byteLength).getUint32(28)
  return tail % slots
}

/** The corner a slot belongs to, taken by a peer or not. */
export function cornerOf(slot: number, dimension: number): PeerId {
  return formatLabel(slot % 2 ** dimension, dimension)
}

/**
 * Distance of two corners: their XOR read with the highest dimension as the least significant bit, so that corners
 * which differ only in high dimensions are near. No two corners are equally far from a third.
 */
export function distance(a: number, b: number, dimension: number): number {
  const differing = a ^ b
  let reversed = 0
  for (let bit = 0; bit < dimension; bit += 1) {
    if ((differing >> bit) & 1) reversed += 2 ** (dimension - 1 - bit)
  }
  return reversed
}

/** The `count` peers nearest to `corner`, nearest first; all of them when there are fewer. */
export function nearest(corner: PeerId, cube: Cube, count: number): PeerId[] {
  const from = parseLabel(corner)
  return cube.peers
    .map(({ id }) => ({ id, far: distance(from, parseLabel(id), cube.dimension) }))
    .sort((a, b) => a.far - b.far)
    .slice(0, count)
    .map(({ id }) => id)
}

/** The replicas of a slot in order of distance from its corner; the first is its home. */
export function placement(slot: number, cube: Cube, replicas: number): PeerId[] {
  return nearest(cornerOf(slot, cube.dimension), cube, replicas)
}

/** The peer that should be the slot's primary: the one nearest to its corner. Throws RangeError for an empty cube. */
export function home(slot: number, cube: Cube): PeerId {
  const [first] = placement(slot, cube, 1)
  if (first === undefined) throw new RangeError('an empty cube is nobody’s home')
  return first
}

/**
 * The replicas in the order in which they take the slot over: the home, then the others in distance order, rotated by
 * the slot so that the load of a dead home is shared among them.
 *
 * The rotation counts rounds through the corners, `floor(slot / 2^d)`: `slot mod 2^d` is the corner itself, hence the
 * same for all slots of one corner, and would move them all to the same peer.
 */
export function successors(slot: number, cube: Cube, replicas: number): PeerId[] {
  const [first, ...others] = placement(slot, cube, replicas)
  if (first === undefined) return []
  const turn = others.length === 0 ? 0 : Math.floor(slot / 2 ** cube.dimension) % others.length
  return [first, ...others.slice(turn), ...others.slice(0, turn)]
}

/** How many replicas slots have: give it `LIMITS`, which this pure room does not import. */
export interface ReplicaCounts {
  /** Of a topic slot. */
  readonly REPLICAS: number
  /** Of the roster's own slot. */
  readonly ROSTER_REPLICAS: number
}

/**
 * The replicas of a slot under a roster, in order of distance; peers that leave have none. The slot behind the last
 * topic slot, number `roster.slots`, is the roster's own: the peers nearest corner 0 hold it.
 * Throws RangeError for a slot the cluster does not have.
 */
export function replicasOf(slot: number, roster: Roster, counts: ReplicaCounts): PeerId[] {
  checkSlot(slot, roster)
  const cube = staying(roster)
  if (slot < roster.slots) return placement(slot, cube, counts.REPLICAS)
  return nearest(formatLabel(0, cube.dimension), cube, counts.ROSTER_REPLICAS)
}

/**
 * The replicas of a slot under a roster in the order in which they take it over; see `successors`. There is one
 * roster slot, so its order needs no rotation. Throws RangeError for a slot the cluster does not have.
 */
export function successorsOf(slot: number, roster: Roster, counts: ReplicaCounts): PeerId[] {
  if (slot === roster.slots) return replicasOf(slot, roster, counts)
  checkSlot(slot, roster)
  return successors(slot, staying(roster), counts.REPLICAS)
}

function checkSlot(slot: number, roster: Roster): void {
  if (Number.isInteger(slot) && slot >= 0 && slot <= roster.slots) return
  throw new RangeError(`there is no slot ${slot} in a cluster of ${roster.slots} and the roster's own`)
}
