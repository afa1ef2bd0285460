import { median } from '../figures.ts'
import type { Verdict } from '../verdicts.ts'
import type { Results } from './results.ts'
import type { ServerName } from './servers/server.ts'
import type { ThroughputCell } from './throughput.ts'
import { IN_FLIGHT } from './workloads.ts'

const LEAST = { jetstream: 1, redis: 1.5, batches: 5, farthest: 0.5, topics: 0.8, million: 0.8, failover: 10 }
const MEDIAN_FACTOR = 2
const FSYNCS = 2
const TAIL_FACTOR = 5
const LONGEST_GAP_MS = 300
const LONGEST_RECOVERY_S = 5
const LONGEST_START_S = 6

/** The verdicts on what was measured; what was not, or has nothing to be compared with, has none. */
export function verdicts(results: Results): Verdict[] {
  return [
    ...singles(results, 'jetstream', LEAST.jetstream),
    ...singles(results, 'jetstream-fsync', LEAST.jetstream),
    ...singles(results, 'redis', LEAST.redis),
    ...batches(results),
    ...oneAtATime(results),
    ...farthest(results),
    ...failover(results),
    ...topics(results),
    ...million(results),
    ...startup(results),
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

const TITLES = {
  jetstream: 'JetStream with 3 replicas, which does not fsync',
  'jetstream-fsync': 'JetStream with 3 replicas and synchronous writes',
  redis: 'Redis with fsync always and WAIT 1',
}

function singles(results: Results, server: keyof typeof TITLES, least: number): Verdict[] {
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

function farthest({ through = [] }: Results): Verdict[] {
  const of = (wanted: string) =>
    through.find(({ place, cell }) => place === wanted && cell.workload.batch === 1)
  const [far, primary] = [of('farthest'), of('primary')]
  if (!far || !primary) return []
  const what = `single publishes, ${IN_FLIGHT} in flight, through the farthest of ${far.peers} peers (${far.hops} hops), against the primary`
  return [atLeast(what, far.cell.eventsPerS / primary.cell.eventsPerS, LEAST.farthest)]
}

function failover({ failover = [] }: Results): Verdict[] {
  const of = (name: ServerName) => failover.find(({ server }) => server === name)?.gapsMs
  const [ours, theirs] = [of('hypercast'), of('jetstream')]
  if (!ours) return []
  const gapMs = median(ours)
  const found: Verdict[] = [
    {
      what: `gap behind kill -9 of the primary, median of ${ours.length}`,
      measured: `${gapMs.toFixed(0)} ms`,
      wanted: `at most ${LONGEST_GAP_MS} ms`,
      isPass: gapMs <= LONGEST_GAP_MS,
    },
  ]
  if (theirs) {
    const theirMs = median(theirs)
    const what = `the same, how many times shorter than JetStream’s ${theirMs.toFixed(0)} ms`
    found.push(atLeast(what, theirMs / gapMs, LEAST.failover))
  }
  return found
}

function topics({ cells = [] }: Results): Verdict[] {
  const ours = cells.filter(({ server, workload }) => server === 'hypercast' && workload.part === 'topics')
  const one = ours.find(({ workload }) => workload.topics === 1)
  const many = ours.reduce(
    (most, next) => (next.workload.topics > most.workload.topics ? next : most),
    ours[0]!,
  )
  if (!one || many === one) return []
  const what = `${many.workload.topics.toLocaleString('en-US')} topics, events/s against one`
  return [atLeast(what, many.eventsPerS / one.eventsPerS, LEAST.topics)]
}

function million({ million }: Results): Verdict[] {
  if (!million) return []
  const { events, fullPerS, emptyPerS, startSeconds } = million
  const many = events.toLocaleString('en-US')
  const seconds = Math.max(...startSeconds)
  return [
    atLeast(`${many} events stored, events/s against the empty log`, fullPerS / emptyPerS, LEAST.million),
    {
      what: `start behind kill -9 with ${many} events, longest of ${startSeconds.length}`,
      measured: `${seconds.toFixed(1)} s`,
      wanted: `under ${LONGEST_RECOVERY_S} s`,
      isPass: seconds < LONGEST_RECOVERY_S,
    },
  ]
}

function startup({ startup = [] }: Results): Verdict[] {
  return startup
    .filter(({ kind }) => kind === 'npm start')
    .map(({ what, seconds }) => ({
      what: `${what}, median of ${seconds.length}`,
      measured: `${median(seconds).toFixed(1)} s`,
      wanted: `under ${LONGEST_START_S} s`,
      isPass: median(seconds) < LONGEST_START_S,
    }))
}
