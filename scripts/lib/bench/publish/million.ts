import { setTimeout as delay } from 'node:timers/promises'
import { median } from '../figures.ts'
import { residentBytes } from '../process.ts'
import { rotated } from '../rounds.ts'
import type { Load } from './load.ts'
import type { HypercastPublish } from './servers/hypercast.ts'
import type { Topics } from './servers/server.ts'
import { measureRound, type Times } from './throughput.ts'
import { IN_FLIGHT, PAYLOAD_BYTES, type Workload } from './workloads.ts'

export interface MillionFigures {
  readonly events: number
  readonly fillPerS: number
  /** Resident memory of the topic's primary. */
  readonly beforeMiB: number
  readonly afterMiB: number
  /** Single publishes to the empty log and to the full one, median round. */
  readonly emptyPerS: number
  readonly fullPerS: number
  /** From the start of the primary's process after kill -9 until it is ready, each time. */
  readonly startSeconds: readonly number[]
  /** From the start of all peers, after kill -9 of all, until all are ready. */
  readonly allSeconds: number
  readonly violations: readonly string[]
}

const BATCH = 1_000
const FILL_TIMEOUT_MS = 600_000
const SETTLE_MS = 2_000
const MIB = 1_048_576
const WORKLOAD: Workload = {
  part: 'throughput',
  inFlight: IN_FLIGHT,
  batch: 1,
  payloadBytes: PAYLOAD_BYTES,
  topics: 1,
}

/** Two cubes: one is filled, the other stays as good as empty and is measured in turn with it. */
export async function million(
  { full, empty }: { readonly full: HypercastPublish; readonly empty: HypercastPublish },
  load: Load,
  options: {
    readonly events: number
    readonly starts: number
    readonly times: Times
    readonly batchesInFlight: number
  },
  tell: (text: string) => void,
): Promise<MillionFigures> {
  const { events, starts, times, batchesInFlight } = options
  const pid = () => full.cube.pid(full.cube.ids[0]!)
  const [fullTopics, emptyTopics] = [await full.topics('million', 1), await empty.topics('million', 1)]
  const perS = { full: [] as number[], empty: [] as number[] }
  const violations: string[] = []
  const round = async (server: HypercastPublish, topics: Topics): Promise<number> => {
    const kept: Topics = { ...topics, remove: async () => {} }
    const target = { server: 'hypercast' as const, pids: server.pids, topics: async () => kept }
    const measured = await measureRound(target, load, WORKLOAD, times)
    violations.push(...measured.violations)
    return measured.eventsPerS
  }
  // Both have worked before one is filled.
  await round(empty, emptyTopics)
  await round(full, fullTopics)
  await delay(SETTLE_MS)
  const beforeMiB = residentBytes(pid()) / MIB
  tell(`publishing ${events} events`)
  const filled = await load.publisher.ask(
    'fill',
    { wire: fullTopics.wire, inFlight: batchesInFlight, batch: BATCH, payloadBytes: PAYLOAD_BYTES, events },
    FILL_TIMEOUT_MS,
  )
  violations.push(...filled.failures)
  await delay(SETTLE_MS)
  const afterMiB = residentBytes(pid()) / MIB
  tell(
    `${Math.round(filled.events / filled.seconds)} events/s; ${Math.round(beforeMiB)} MiB before, ${Math.round(afterMiB)} behind`,
  )
  for (let at = 0; at < times.rounds; at += 1) {
    for (const which of rotated(['full', 'empty'] as const, at)) {
      const measured = await (which === 'full' ? round(full, fullTopics) : round(empty, emptyTopics))
      perS[which].push(measured)
      tell(`${which} log: ${Math.round(measured)} events/s`)
    }
  }
  await empty.close()
  const before = await fullTopics.stored()
  const startSeconds = await restarts(full, starts, tell)
  const allSeconds = await restartAll(full, tell)
  const after = await fullTopics.stored()
  if (after !== before) violations.push(`${before} events were kept before the kills, ${after} behind them`)
  return {
    events,
    fillPerS: filled.events / filled.seconds,
    beforeMiB,
    afterMiB,
    emptyPerS: median(perS.empty),
    fullPerS: median(perS.full),
    startSeconds,
    allSeconds,
    violations,
  }
}

async function restarts(
  { cube }: HypercastPublish,
  starts: number,
  tell: (text: string) => void,
): Promise<number[]> {
  const found: number[] = []
  const [first] = cube.ids as [string]
  for (let at = 0; at < starts; at += 1) {
    await cube.kill(first)
    const startMs = performance.now()
    await cube.restart(first)
    found.push((performance.now() - startMs) / 1_000)
    tell(`ready ${found.at(-1)!.toFixed(1)} s after its start behind kill -9`)
  }
  return found
}

async function restartAll({ cube }: HypercastPublish, tell: (text: string) => void): Promise<number> {
  await Promise.all(cube.ids.map(id => cube.kill(id)))
  const startMs = performance.now()
  await Promise.all(cube.ids.map(id => cube.restart(id)))
  const seconds = (performance.now() - startMs) / 1_000
  tell(`all peers ready ${seconds.toFixed(1)} s after their start behind kill -9`)
  return seconds
}
