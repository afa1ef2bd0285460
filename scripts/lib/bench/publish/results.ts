import type { Latencies } from '../figures.ts'
import type { Ceiling } from './ceiling.ts'
import type { FailoverFigures } from './failover.ts'
import type { HistoryFigures } from './history.ts'
import type { LatencyFigures } from './latency.ts'
import type { MillionFigures } from './million.ts'
import type { StartFigures } from './startup.ts'
import type { ThroughCell } from './through.ts'
import type { ThroughputCell } from './throughput.ts'
import { describe } from './workloads.ts'

/** All that a run found; parts that were not run are not there. */
export interface Results {
  ceilings?: readonly Ceiling[]
  /** A page written and fsynced on the disk of the servers while they were idle. */
  fsync?: Latencies
  /** Of the parts throughput, payloads and topics. */
  cells?: readonly ThroughputCell[]
  through?: readonly ThroughCell[]
  latency?: readonly LatencyFigures[]
  failover?: readonly FailoverFigures[]
  startup?: readonly StartFigures[]
  history?: readonly HistoryFigures[]
  million?: MillionFigures
}

/** What went wrong anywhere, in words with where it was. */
export function broken(results: Results): string[] {
  const found: string[] = []
  const add = (where: string, violations: readonly string[]) =>
    found.push(...violations.map(one => `${where}: ${one}`))
  for (const { server, workload, violations } of results.cells ?? [])
    add(`${server}, ${describe(workload)}`, violations)
  for (const { place, cell } of results.through ?? [])
    add(`through the ${place}, ${describe(cell.workload)}`, cell.violations)
  for (const { server, percent, violations } of results.latency ?? [])
    add(`${server}, latency at ${percent} %`, violations)
  for (const { server, violations } of results.failover ?? []) add(`${server}, failover`, violations)
  add('a million events', results.million?.violations ?? [])
  return found
}
