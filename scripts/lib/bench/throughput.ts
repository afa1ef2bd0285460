import { setTimeout as delay } from 'node:timers/promises'
import { type Latencies, latencies } from './figures.ts'
import { nowUs } from './load/payload.ts'
import { type Load, rateBetween } from './load.ts'
import { cpuUsOf } from './process.ts'
import { rotated } from './rounds.ts'
import type { BenchServer, ServerName } from './servers/server.ts'

export interface ThroughputOptions {
  readonly subscribers: readonly number[]
  readonly rounds: number
  readonly warmMs: number
  readonly measureMs: number
  /** Events in flight with single publishes, and batches with batches. */
  readonly inFlight: number
  readonly batchesInFlight: number
}

/** One server, one number of subscribers, single publishes or batches. */
export interface ThroughputCell {
  readonly server: ServerName
  readonly subscribers: number
  readonly batch: number
  readonly deliveriesPerS: number
  /** Deliveries for each second of CPU time of the process that serves the subscribers. */
  readonly perCpuS: number
  readonly publishesPerS: number
  readonly latencies: Latencies
  readonly violations: readonly string[]
}

export const BATCH = 100
/** Deliveries of what is in flight: with many subscribers fewer events are, or a slow server would take minutes to drain. */
const MAX_DELIVERIES_IN_FLIGHT = 400_000
/** About so many streams of a cell tell latencies. */
const SAMPLED = 50

/** All cells, each `rounds` times, the servers in another order each time; a cell's figures are of its median round. */
export async function throughput(
  servers: readonly BenchServer[],
  load: Load,
  options: ThroughputOptions,
  tell: (text: string) => void,
): Promise<ThroughputCell[]> {
  const cells: ThroughputCell[] = []
  for (const subscribers of options.subscribers) {
    for (const batch of [1, BATCH]) {
      const rounds: ThroughputCell[] = []
      for (let round = 0; round < options.rounds; round += 1) {
        for (const server of rotated(servers, round)) {
          const cell = await measureCell(server, load, options, { subscribers, batch, round })
          rounds.push(cell)
          tell(describe(cell))
        }
      }
      for (const { name } of servers) cells.push(medianOf(rounds.filter(({ server }) => server === name)))
    }
  }
  return cells
}

/** Of those wished for as many as the bound on deliveries in flight allows, one publish at least. */
export function eventsInFlight(wished: number, batch: number, subscribers: number): number {
  return Math.max(batch, Math.min(wished, Math.floor(MAX_DELIVERIES_IN_FLIGHT / subscribers)))
}

async function measureCell(
  server: BenchServer,
  load: Load,
  options: ThroughputOptions,
  { subscribers, batch, round }: { subscribers: number; batch: number; round: number },
): Promise<ThroughputCell> {
  const { warmMs, measureMs, inFlight, batchesInFlight } = options
  const { wire, pid } = await server.topic(`t${subscribers}b${batch}r${round}`)
  await load.open(wire, subscribers, Math.max(1, Math.floor(subscribers / SAMPLED)))
  const wished = batch === 1 ? inFlight : batchesInFlight * batch
  await load.publisher.ask('start', { wire, batch, inFlight: eventsInFlight(wished, batch, subscribers) })
  await delay(warmMs)
  await load.measure(nowUs())
  const cpuUs = cpuUsOf(pid)
  const before = await load.counts()
  await delay(measureMs)
  const after = await load.counts()
  const usedUs = cpuUsOf(pid) - cpuUs
  const { perS } = rateBetween(before, after)
  const published = await load.publisher.ask('stop', null)
  const wrong = [...published.failures, ...(await load.settle(published.events))]
  const found = latencies(await load.latencies())
  await load.close()
  const seconds = Math.max(...after.map((one, at) => one.atUs - before[at]!.atUs)) / 1_000_000
  return {
    server: server.name,
    subscribers,
    batch,
    deliveriesPerS: perS,
    perCpuS: (perS * seconds) / (usedUs / 1_000_000),
    publishesPerS: perS / subscribers,
    latencies: found,
    violations: wrong,
  }
}

/** The round with the median rate, of two the lower one, with the violations of all. */
export function medianOf(rounds: readonly ThroughputCell[]): ThroughputCell {
  const sorted = [...rounds].sort((one, other) => one.deliveriesPerS - other.deliveriesPerS)
  return { ...sorted[(sorted.length - 1) >> 1]!, violations: rounds.flatMap(({ violations }) => violations) }
}

function describe({
  server,
  subscribers,
  batch,
  deliveriesPerS,
  perCpuS,
  latencies: of,
  violations,
}: ThroughputCell): string {
  const what = batch === 1 ? 'single publishes' : `batches of ${batch}`
  const wrong = violations.length === 0 ? '' : `; WRONG: ${violations.join('; ')}`
  return (
    `${server}, ${subscribers} subscribers, ${what}: ${Math.round(deliveriesPerS)} deliveries/s, ` +
    `${Math.round(perCpuS)} per CPU second, p50 ${of.p50Ms.toFixed(1)} ms, p99 ${of.p99Ms.toFixed(1)} ms${wrong}`
  )
}
