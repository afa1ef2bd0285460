import { untilNextMs } from '../../../services/peer/engine/clock.ts'
import type { SimulatedCube } from './cube.ts'
import { type Spread, spreadOver } from './spread.ts'

/** Heartbeat intervals that are watched: an even number, since idle pairs skip every other one. */
const INTERVALS = 10

/** What a cube does in which nothing happens. */
export interface RestFigures {
  /** Peers that a peer exchanges heartbeats with; on a connection each. */
  readonly partners: Spread
  /** Exchanges per peer and second; a peer sends one message in each. */
  readonly exchangesPerS: Spread
  /** Exchanges per interval of the pair that has the most. */
  readonly exchangesPerInterval: number
  /** Pairs that exchange heartbeats though no link and no slot joins them. */
  readonly strangers: number
  /** Messages other than heartbeats, of all peers. */
  readonly otherMessages: number
}

/** Counts for some heartbeat intervals; nobody must use the cube meanwhile. */
export async function measureRest(cube: SimulatedCube): Promise<RestFigures> {
  const { tally, ids, settings } = cube
  const { heartbeatMs } = settings
  const { clock } = cube.peer(ids[0]!).life
  // From the middle of an interval, so that no round lies on the edge.
  await cube.run(untilNextMs(clock, heartbeatMs) + heartbeatMs / 2)
  tally.reset()
  await cube.run(INTERVALS * heartbeatMs)
  const related = relatedPairs(cube)
  const pairs = new Map<string, number>()
  for (const [pair, count] of tally.exchanges) {
    const key = unordered(...(pair.split('>') as [string, string]))
    pairs.set(key, (pairs.get(key) ?? 0) + count)
  }
  const { heartbeat, ...others } = tally.messages
  const perS = 1_000 / (INTERVALS * heartbeatMs)
  const exchanges = new Map([...tally.exchangesByPeer()].map(([id, count]) => [id, count * perS]))
  return {
    partners: spreadOver(ids, tally.connectionsByPeer()),
    exchangesPerS: spreadOver(ids, exchanges),
    exchangesPerInterval: Math.max(0, ...pairs.values()) / INTERVALS,
    strangers: [...pairs.keys()].filter(pair => !related.has(pair)).length,
    otherMessages: Object.values(others).reduce((sum, count) => sum + count, 0),
  }
}

/** Pairs of peers that have a link or share a slot. */
function relatedPairs(cube: SimulatedCube): ReadonlySet<string> {
  const pairs = new Set<string>()
  for (const [id, others] of cube.links) for (const other of others) pairs.add(unordered(id, other))
  for (const slot of cube.slots) {
    const placed = cube.placed(slot)
    for (const one of placed) for (const other of placed) pairs.add(unordered(one, other))
  }
  return pairs
}

function unordered(one: string, other: string): string {
  return one < other ? `${one} ${other}` : `${other} ${one}`
}
