import { links } from '../../../services/peer/cube/neighbours.ts'
import { replicasOf } from '../../../services/peer/cube/placement.ts'
import type { Roster } from '../../../services/peer/cube/roster.ts'
import { LIMITS } from '../../../services/peer/limits.ts'
import { rosterOf } from './cube.ts'
import { type Spread, spreadOf } from './spread.ts'

/** Shares of what there is: 0.25 is a quarter of the slots. */
export interface Moved {
  readonly homes: number
  /** Of the replicas, homes included. */
  readonly replicas: number
}

/** What follows from the list of peers by arithmetic; done by the peers' own code. */
export interface PlacingFigures {
  readonly slots: number
  /** Links of a peer. */
  readonly links: Spread
  /** Slots a peer is home to, and has a replica of. */
  readonly homes: Spread
  readonly replicas: Spread
  /** When the last one of the peers joins the others. */
  readonly joined: Moved
  /** When one of them leaves: on average, and the peer whose leaving moves the most. */
  readonly left: { readonly mean: Moved; readonly most: Moved }
}

/** Figures of a cube of the first so many corners. */
export function measurePlacing(size: number, slots: number): PlacingFigures {
  const roster = rosterOf(size, slots)
  const placed = place(roster)
  const homes = new Map(roster.peers.map(({ id }) => [id, 0]))
  const held = new Map(roster.peers.map(({ id }) => [id, [] as number[]]))
  for (const [slot, ids] of placed.entries()) {
    homes.set(ids[0]!, homes.get(ids[0]!)! + 1)
    for (const id of ids) held.get(id)!.push(slot)
  }
  const leaving = roster.peers.map(({ id }) => movedByLeave(roster, id, placed, held.get(id)!))
  const ofAll = (key: keyof Moved) => spreadOf(leaving.map(one => one[key]))
  return {
    slots,
    links: spreadOf([...links(roster).values()].map(({ length }) => length)),
    homes: spreadOf([...homes.values()]),
    replicas: spreadOf([...held.values()].map(({ length }) => length)),
    joined: movedByJoin(size, slots),
    left: {
      mean: { homes: ofAll('homes').mean, replicas: ofAll('replicas').mean },
      most: { homes: ofAll('homes').most, replicas: ofAll('replicas').most },
    },
  }
}

/** What moves when the last of so many peers joins the others. */
function movedByJoin(size: number, slots: number): Moved {
  const before = place(rosterOf(size - 1, slots))
  return shares(before, place(rosterOf(size, slots)), before.length)
}

/** What moves when one leaves: only of slots it holds. */
function movedByLeave(
  roster: Roster,
  id: string,
  placed: readonly string[][],
  held: readonly number[],
): Moved {
  const rest = { ...roster, peers: roster.peers.filter(peer => peer.id !== id) }
  const after = held.map(slot => replicasOf(slot, rest, LIMITS))
  return shares(
    held.map(slot => placed[slot]!),
    after,
    placed.length,
  )
}

/** The replicas of every topic slot, home first. */
function place(roster: Roster): string[][] {
  return Array.from({ length: roster.slots }, (_, slot) => replicasOf(slot, roster, LIMITS))
}

/** What differs, as shares of so many slots and their replicas. */
function shares(before: readonly string[][], after: readonly string[][], slots: number): Moved {
  let homes = 0
  let replicas = 0
  let width = 1
  for (const [i, now] of after.entries()) {
    const then = before[i]!.map(corner)
    const corners = now.map(corner)
    width = Math.max(width, corners.length)
    if (corners[0] !== then[0]) homes += 1
    replicas += corners.filter(one => !then.includes(one)).length
  }
  return { homes: homes / slots, replicas: replicas / slots / width }
}

/** A label is written wider in a cube of a higher dimension. */
function corner(id: string): number {
  return Number.parseInt(id, 2)
}
