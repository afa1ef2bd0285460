import type { Ceiling } from './ceiling.ts'
import type { ChurnFigures } from './churn.ts'
import type { IdleFigures } from './idle.ts'
import type { FsyncFigures, LatencyFigures } from './latency.ts'
import type { StormFigures } from './storm.ts'
import type { ThroughputCell } from './throughput.ts'

/** All that a run found; parts that were not run are not there. */
export interface Results {
  ceilings?: readonly Ceiling[]
  throughput?: readonly ThroughputCell[]
  latency?: readonly LatencyFigures[]
  fsync?: FsyncFigures
  storm?: StormFigures
  idle?: readonly IdleFigures[]
  churn?: ChurnFigures
}

/** What was lost, doubled or in disorder anywhere, in words with where it was. */
export function broken(results: Results): string[] {
  const found: string[] = []
  const add = (where: string, violations: readonly string[]) =>
    found.push(...violations.map(one => `${where}: ${one}`))
  for (const { server, subscribers, batch, violations } of results.throughput ?? []) {
    add(`${server}, ${subscribers} subscribers, ${batch} an event`, violations)
  }
  for (const { server, violations } of results.latency ?? []) add(`${server}, latency`, violations)
  add('storm', results.storm?.violations ?? [])
  add('churn', results.churn?.violations ?? [])
  return found
}
