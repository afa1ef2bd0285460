import { Chance } from '../../../test/sim/world.ts'
import { SimulatedCube } from './cube.ts'
import { type EventFigures, measureEvents } from './events.ts'
import { type FailoverFigures, measureFailover } from './failover.ts'
import { type HopFigures, measureHops } from './hops.ts'
import { type LossFigures, measureLosses } from './losses.ts'
import { measurePlacing, type PlacingFigures } from './placing.ts'
import { measureRest, type RestFigures } from './rest.ts'
import type { Defaults } from './settings.ts'

/** All that was measured of one cube. */
export interface Figures {
  readonly peers: number
  readonly dimension: number
  /** Time between two heartbeats, in seconds. */
  readonly intervalS: number
  readonly electionMs: number
  readonly placing: PlacingFigures
  /** The same with a slot for every corner, where there are fewer: shares are as with any number of slots above. */
  readonly roomy: PlacingFigures | undefined
  readonly rest: RestFigures
  readonly hops: HopFigures
  readonly events: EventFigures
  readonly failover: FailoverFigures
  readonly losses: LossFigures
  /** How long it took, in true time, and how much virtual time passed. */
  readonly realMs: number
  readonly virtualMs: number
}

/** One cube through all measurements. The same seed gives the same figures, but for `realMs`. */
export async function measure(size: number, seed: number, settings: Defaults): Promise<Figures> {
  const sinceMs = performance.now()
  const chance = new Chance(seed)
  const cube = new SimulatedCube(size, chance.int(0, 2 ** 31), settings)
  await cube.start()
  const rest = await measureRest(cube)
  const hops = await measureHops(cube, chance.fork())
  const events = await measureEvents(cube, chance.fork())
  const failover = await measureFailover(cube, chance.fork())
  const losses = await measureLosses(cube, chance.fork())
  const corners = 2 ** cube.roster.dimension
  return {
    peers: size,
    dimension: cube.roster.dimension,
    intervalS: settings.heartbeatMs / 1_000,
    electionMs: settings.electionMs,
    placing: measurePlacing(size, settings.slots),
    roomy: corners > settings.slots ? measurePlacing(size, corners) : undefined,
    ...{ rest, hops, events, failover, losses },
    realMs: performance.now() - sinceMs,
    virtualMs: cube.world.nowMs,
  }
}
