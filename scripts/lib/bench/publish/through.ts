import { rotated } from '../rounds.ts'
import type { Load } from './load.ts'
import type { HypercastPublish } from './servers/hypercast.ts'
import { cellOf, measureRound, type Round, type ThroughputCell, type Times } from './throughput.ts'
import { IN_FLIGHT, PAYLOAD_BYTES, type Workload } from './workloads.ts'

export type Place = 'primary' | 'replica' | 'farthest'
const PLACES: readonly Place[] = ['primary', 'replica', 'farthest']

/** Publishing through one peer of a larger cube. */
export interface ThroughCell {
  readonly place: Place
  readonly peers: number
  /** Digits in which its label differs from the primary's: hops over neighbours. */
  readonly hops: number
  readonly cell: ThroughputCell
}

/** Digits in which two labels of the same width differ. */
export function hops(one: string, other: string): number {
  return [...one].filter((digit, at) => digit !== other[at]).length
}

/** The peer farthest from the primary, and a replica of its that is not the primary. Throws when the farthest is a replica. */
export function places(
  ids: readonly string[],
  primary: string,
  replicas: readonly string[],
): Record<Place, string> {
  const farthest = ids.reduce((far, id) => (hops(primary, id) > hops(primary, far) ? id : far))
  if (replicas.includes(farthest))
    throw new Error(`a cube of ${ids.length} peers has none that is far: the farthest is a replica, too`)
  return { primary, replica: replicas.find(id => id !== primary)!, farthest }
}

/** Single publishes and batches through each place, the places in another order each round. */
export async function through(
  cube: HypercastPublish,
  load: Load,
  times: Times,
  batchesInFlight: number,
  tell: (text: string) => void,
): Promise<ThroughCell[]> {
  const common = { part: 'throughput', payloadBytes: PAYLOAD_BYTES, topics: 1 } as const
  const workloads: Workload[] = [
    { ...common, batch: 1, inFlight: IN_FLIGHT },
    { ...common, batch: 100, inFlight: batchesInFlight },
  ]
  const found: ThroughCell[] = []
  for (const workload of workloads) {
    const rounds = new Map<Place, Round[]>(PLACES.map(place => [place, []]))
    const at = { primary: '', replica: '', farthest: '' }
    for (let round = -1; round < times.rounds; round += 1) {
      for (const place of rotated(PLACES, Math.max(0, round))) {
        const view = await cube.cube.created(
          `through${workload.batch}r${Math.max(0, round)}${round < 0 ? 'w' : ''}${place}`,
        )
        Object.assign(
          at,
          places(
            cube.cube.ids,
            view.primary!.id,
            view.replicas.map(({ id }) => id),
          ),
        )
        const target = {
          server: cube.name,
          pids: cube.pids,
          topics: async () => cube.given([view.name], at[place]),
        }
        // The first round warms up.
        const measured = await measureRound(
          target,
          load,
          workload,
          round < 0 ? { ...times, measureMs: times.warmMs } : times,
        )
        if (round < 0) continue
        rounds.get(place)!.push(measured)
        tell(`through the ${place}, ${at[place]}: ${Math.round(measured.eventsPerS)} events/s`)
      }
    }
    for (const place of PLACES) {
      const cell = cellOf(cube.name, workload, rounds.get(place)!)
      found.push({ place, peers: cube.cube.ids.length, hops: hops(at.primary, at[place]), cell })
    }
  }
  return found
}
