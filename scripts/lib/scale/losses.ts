import type { Chance } from '../../../test/sim/world.ts'
import type { SimulatedCube } from './cube.ts'
import { type HopFigures, measureHops } from './hops.ts'

/** Share of the peers that die at once. */
const LOST_SHARE = 0.1
/** Time for the others to notice, and to elect. */
const NOTICE_MS = 3_000

/** A cube of which a tenth has died. */
export interface LossFigures {
  readonly dead: number
  readonly hops: HopFigures
  /** Slots that still have a majority of their replicas, and those of them that have one primary. */
  readonly alive: number
  readonly led: number
}

/** Kills a tenth of the peers, at least one, and sends requests among the others. */
export async function measureLosses(cube: SimulatedCube, chance: Chance): Promise<LossFigures> {
  const dead = Math.max(1, Math.round(LOST_SHARE * cube.ids.length))
  while (cube.ids.length - cube.live.length < dead) chance.pick(cube.live).kill()
  await cube.run(NOTICE_MS)
  const alive = cube.slots.filter(slot => {
    const replicas = cube.placed(slot).map(id => cube.peer(id))
    return 2 * replicas.filter(({ isUp }) => isUp).length > replicas.length
  })
  return {
    dead,
    hops: await measureHops(cube, chance),
    alive: alive.length,
    led: alive.filter(slot => cube.leaders(slot).length === 1).length,
  }
}
