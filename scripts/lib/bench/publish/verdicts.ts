import type { Verdict } from '../verdicts.ts'
import type { Results } from './results.ts'
import type { ServerName } from './servers/server.ts'
import type { ThroughputCell } from './throughput.ts'
import { IN_FLIGHT } from './workloads.ts'

const LEAST = { jetstream: 1, redis: 1.5, batches: 5 }
const MEDIAN_FACTOR = 2
const FSYNCS = 2
const TAIL_FACTOR = 5

/** The verdicts on what was measured; what was not, or has nothing to be compared with, has none. */
export function verdicts(results: Results): Verdict[] {
  return [
    ...singles(results, 'jetstream', LEAST.jetstream),
    ...singles(results, 'redis', LEAST.redis),
    ...batches(results),
    ...oneAtATime(results),
  ]
}

function cell(
  { cells = [] }: Results,
  server: ServerName,
  wanted: { readonly inFlight?: number; readonly batch?: number },
): ThroughputCell | undefined {
  return cells.find(
    ({ server: name, workload: { part, inFlight, batch } }) =>
      name === server &&
      part === 'throughput' &&
      batch === (wanted.batch ?? 1) &&
      (wanted.inFlight === undefined || inFlight === wanted.inFlight),
  )
}

function atLeast(what: string, measured: number, least: number): Verdict {
  return {
    what,
    measured: `${measured.toFixed(2)} times`,
    wanted: `at least ${least} times`,
    isPass: measured >= least,
  }
}

const TITLES = { jetstream: 'JetStream with 3 replicas', redis: 'Redis with fsync always and WAIT 1' }

function singles(results: Results, server: 'jetstream' | 'redis', least: number): Verdict[] {
  const ours = cell(results, 'hypercast', { inFlight: IN_FLIGHT })
  const theirs = cell(results, server, { inFlight: IN_FLIGHT })
  if (!ours || !theirs) return []
  const what = `single publishes, ${IN_FLIGHT} in flight, events/s, against ${TITLES[server]}`
  return [atLeast(what, ours.eventsPerS / theirs.eventsPerS, least)]
}

/** Against the best that JetStream showed in the run, whatever was in flight. */
function batches(results: Results): Verdict[] {
  const ours = cell(results, 'hypercast', { batch: 100 })
  const theirs = (results.cells ?? []).filter(
    ({ server, workload }) => server === 'jetstream' && workload.part === 'throughput',
  )
  if (!ours || theirs.length === 0) return []
  const best = Math.max(...theirs.map(({ eventsPerS }) => eventsPerS))
  const what = `batches of 100, events/s, against JetStream’s best figure (${Math.round(best).toLocaleString('en-US')})`
  return [atLeast(what, ours.eventsPerS / best, LEAST.batches)]
}

function oneAtATime(results: Results): Verdict[] {
  const ours = cell(results, 'hypercast', { inFlight: 1 })?.latencies
  if (!ours) return []
  const found: Verdict[] = []
  const theirs = cell(results, 'jetstream', { inFlight: 1 })?.latencies
  if (theirs && results.fsync) {
    const fsyncMs = results.fsync.p50Ms
    const wantedMs = MEDIAN_FACTOR * theirs.p50Ms + FSYNCS * fsyncMs
    found.push({
      what: 'one publish at a time, median',
      measured: `${ours.p50Ms.toFixed(2)} ms`,
      wanted: `at most ${wantedMs.toFixed(2)} ms: 2 × JetStream's ${theirs.p50Ms.toFixed(2)} and two fsyncs of ${fsyncMs.toFixed(2)}`,
      isPass: ours.p50Ms <= wantedMs,
    })
  }
  const tail = ours.p99Ms / ours.p50Ms
  found.push({
    what: 'one publish at a time, p99 against the median',
    measured: `${tail.toFixed(1)} times (${ours.p99Ms.toFixed(2)} ms)`,
    wanted: `under ${TAIL_FACTOR} times`,
    isPass: tail < TAIL_FACTOR,
  })
  return found
}
