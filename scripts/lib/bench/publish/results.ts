import type { Latencies } from '../figures.ts'
import type { Ceiling } from './ceiling.ts'
import type { ThroughputCell } from './throughput.ts'
import { describe } from './workloads.ts'

/** All that a run found; parts that were not run are not there. */
export interface Results {
  ceilings?: readonly Ceiling[]
  /** A page written and fsynced on the disk of the servers while they were idle. */
  fsync?: Latencies
  /** Of the parts throughput, payloads and topics. */
  cells?: readonly ThroughputCell[]
}

/** What went wrong anywhere, in words with where it was. */
export function broken(results: Results): string[] {
  const found: string[] = []
  const add = (where: string, violations: readonly string[]) =>
    found.push(...violations.map(one => `${where}: ${one}`))
  for (const { server, workload, violations } of results.cells ?? [])
    add(`${server}, ${describe(workload)}`, violations)
  return found
}
