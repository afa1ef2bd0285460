import type { Chance } from '../../../test/sim/world.ts'
import type { SimulatedCube } from './cube.ts'
import type { SimulatedPeer } from './peer.ts'

/** All pairs are tried where there are no more than so many: up to 64 peers. */
const MAX_PAIRS = 4_096
/** Requests of a measurement where there are more. */
const SAMPLE = 2_048
/** Requests under way at a time. */
const AT_ONCE = 64

export interface HopFigures {
  /** Requests made, each from one live peer to another. */
  readonly requests: number
  /** All pairs were tried; otherwise each peer asks its farthest and some by chance. */
  readonly isComplete: boolean
  /** Hops of the way to the answer, of pairs drawn alike. */
  readonly mean: number
  /** The most on any way. */
  readonly most: number
  /** Times that requests were sent on in vain: to dead ends, and to peers that do not answer; of all requests. */
  readonly inVain: number
  /** Pairs that live links join, and those of them whose request was answered. */
  readonly reachable: number
  readonly reached: number
}

/** Sends requests for peers from peers, over the cube, to see how far they travel and whether they arrive. */
export async function measureHops(cube: SimulatedCube, chance: Chance): Promise<HopFigures> {
  const { live } = cube
  const parts = connectedParts(cube)
  const plan = planRequests(live, chance)
  const before = cube.tally.hops
  const means: number[] = []
  let most = 0
  let travelled = 0
  let reachable = 0
  let reached = 0
  for (let at = 0; at < plan.length; at += AT_ONCE) {
    const wave = plan
      .slice(at, at + AT_ONCE)
      .filter(({ from, to }) => parts.get(from.id) === parts.get(to.id))
    reachable += wave.length
    const outcomes = await cube.complete(
      wave.map(({ from, to }) => from.dispatcher.dispatch({ kind: 'ping', peer: to.id }, cube.deadlineMs())),
    )
    for (const [i, { result, path }] of outcomes.entries()) {
      if (result.kind !== 'pong') continue
      reached += 1
      const hops = path.length - 1
      most = Math.max(most, hops)
      travelled += hops
      if (wave[i]!.isDrawn) means.push(hops)
    }
  }
  return {
    requests: plan.length,
    isComplete: plan.every(({ isDrawn }) => isDrawn),
    mean: means.reduce((sum, hops) => sum + hops, 0) / means.length,
    ...{ most, reachable, reached },
    inVain: cube.tally.hops - before - travelled,
  }
}

interface Planned {
  readonly from: SimulatedPeer
  readonly to: SimulatedPeer
  /** One of all pairs alike; otherwise chosen for its distance. */
  readonly isDrawn: boolean
}

function planRequests(live: readonly SimulatedPeer[], chance: Chance): Planned[] {
  if (live.length ** 2 <= MAX_PAIRS) {
    return live.flatMap(from => live.filter(to => to !== from).map(to => ({ from, to, isDrawn: true })))
  }
  const perPeer = Math.max(1, Math.floor(SAMPLE / live.length) - 1)
  return live.flatMap((from, at) => {
    const drawn = Array.from({ length: perPeer }, () => {
      const place = chance.int(1, live.length - 1)
      return { from, to: live[(at + place) % live.length]!, isDrawn: true }
    })
    return [{ from, to: farthest(from, live), isDrawn: false }, ...drawn]
  })
}

/** The peer that differs in the most dimensions. */
function farthest(from: SimulatedPeer, live: readonly SimulatedPeer[]): SimulatedPeer {
  const own = Number.parseInt(from.id, 2)
  const differing = (to: SimulatedPeer) => ones(own ^ Number.parseInt(to.id, 2))
  return live.reduce((best, to) => (differing(to) > differing(best) ? to : best))
}

function ones(value: number): number {
  let count = 0
  for (let rest = value; rest !== 0; rest &= rest - 1) count += 1
  return count
}

/** For each live peer the part of the cube it belongs to, when requests travel over links between live peers only. */
function connectedParts({ live, links }: SimulatedCube): ReadonlyMap<string, number> {
  const isUp = new Set(live.map(({ id }) => id))
  const parts = new Map<string, number>()
  let part = 0
  for (const start of isUp) {
    if (parts.has(start)) continue
    part += 1
    const queue = [start]
    parts.set(start, part)
    for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
      for (const next of links.get(id) ?? []) {
        if (!isUp.has(next) || parts.has(next)) continue
        parts.set(next, part)
        queue.push(next)
      }
    }
  }
  return parts
}
