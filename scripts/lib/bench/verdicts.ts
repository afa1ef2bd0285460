import { type ChurnFigures, JUDGED_FROM_S } from './churn.ts'
import type { Results } from './results.ts'
import type { ServerName } from './servers/server.ts'
import { LONGEST_TURN_MS } from './storm.ts'
import { BATCH } from './throughput.ts'

/** One thing that must show, and whether it did. */
export interface Verdict {
  readonly what: string
  readonly measured: string
  readonly wanted: string
  readonly isPass: boolean
}

const RATIO_SUBSCRIBERS = 1_000
const LEAST_RATIO = { single: 3, batch: 10 }
const LATENCY_FACTOR = 1.5
/**
 * Of what is left after collections: 44 bytes for each subscriber that came, 87 for each event that was published. One that
 * stays behind is many times as large.
 */
const GROWTH_MIB_PER_MINUTE = 0.25
/** Resident memory may go higher by so much of itself: the collector's waves are not all as high. */
const PLATEAU_SHARE = 0.1
/** Streams open late or early by chance; of 6,000 that come in a minute. */
const GROWTH_PER_MINUTE = 3
const LEFT_FILES = 10
/** With a shorter churn there is too little behind what is not judged. */
const LEAST_MINUTES = 8

/** The verdicts on what was measured; what was not, or has nothing to be compared with, has none. */
export function verdicts(results: Results): Verdict[] {
  return [...servingVerdicts(results), ...churnVerdicts(results)]
}

/** Those on all parts but churn, which runs for long and mostly alone. */
export function servingVerdicts(results: Results): Verdict[] {
  return [
    ...ratio(results, 1, LEAST_RATIO.single),
    ...ratio(results, BATCH, LEAST_RATIO.batch),
    ...latency(results),
    ...storm(results),
  ]
}

export function churnVerdicts({ churn: figures }: Results): Verdict[] {
  return figures ? churn(figures) : []
}

function ratio({ throughput = [] }: Results, batch: number, least: number): Verdict[] {
  const of = (server: ServerName) =>
    throughput.find(
      cell => cell.server === server && cell.batch === batch && cell.subscribers === RATIO_SUBSCRIBERS,
    )
  const ours = of('hypercast')
  const theirs = of('nchan')
  if (!ours || !theirs) return []
  const measured = ours.deliveriesPerS / theirs.deliveriesPerS
  return [
    {
      what: `deliveries/s at 1,000 subscribers, ${batch === 1 ? 'single publishes' : `batches of ${batch}`}, against nchan`,
      measured: `${measured.toFixed(2)} times`,
      wanted: `at least ${least} times`,
      isPass: measured >= least,
    },
  ]
}

function latency({ latency = [], fsync }: Results): Verdict[] {
  const ours = latency.find(({ server }) => server === 'hypercast')
  const theirs = latency.find(({ server }) => server === 'nchan')
  if (!ours || !theirs || !fsync) return []
  const measuredMs = ours.received.p99Ms
  const nchanMs = LATENCY_FACTOR * theirs.received.p99Ms
  const wantedMs = nchanMs + 2 * fsync.beside.p99Ms
  const peersMs = nchanMs + 2 * fsync.peersP99Ms
  return [
    {
      what: 'publish to receive, p99, 200 publishes/s to 100 subscribers',
      measured: `${measuredMs.toFixed(1)} ms`,
      wanted:
        `at most ${wantedMs.toFixed(1)} ms: 1.5 × nchan's ${theirs.received.p99Ms.toFixed(1)} and two fsyncs of ${fsync.beside.p99Ms.toFixed(1)} ` +
        `(with the peers' own fsync figure ${peersMs.toFixed(1)} ms)`,
      isPass: measuredMs <= wantedMs,
    },
  ]
}

function storm({ storm }: Results): Verdict[] {
  if (!storm) return []
  const blockedMs = Math.max(...storm.turns.map(({ mostBlockedMs }) => mostBlockedMs))
  const mostCpuMs = Math.max(...storm.turns.map(turn => turn.mostCpuMs))
  const { longest } = storm.turns.reduce((one, other) =>
    other.longest.wallMs > one.longest.wallMs ? other : one,
  )
  return [
    {
      what: `resume storm: ${storm.subscribers} subscribers, ${storm.history} events of history: complete and exact`,
      measured:
        storm.violations.length === 0
          ? `all after ${storm.seconds.toFixed(1)} s`
          : storm.violations.join('; '),
      wanted: 'all',
      isPass: storm.violations.length === 0,
    },
    {
      what: 'resume storm: longest that a peer’s event loop was blocked in a turn',
      measured:
        `${blockedMs.toFixed(0)} ms; most CPU in a turn ${mostCpuMs.toFixed(0)} ms; longest turn by the clock ` +
        `${longest.wallMs.toFixed(0)} ms, of them ${longest.waitedMs.toFixed(0)} ms waiting for a core`,
      wanted: `at most ${LONGEST_TURN_MS} ms without what its thread waited for a core`,
      isPass: blockedMs <= LONGEST_TURN_MS,
    },
  ]
}

function churn(figures: ChurnFigures): Verdict[] {
  const { growth, plateau, filesPerMinute, streamsPerMinute, left, options } = figures
  const isLong = options.minutes >= LEAST_MINUTES
  const isFlat =
    growth.length === options.peers &&
    growth.every(({ perMinuteMiB }) => perMinuteMiB <= GROWTH_MIB_PER_MINUTE)
  const isLevel = plateau.lastMiB <= plateau.beforeMiB * (1 + PLATEAU_SHARE)
  const areEven = filesPerMinute <= GROWTH_PER_MINUTE && streamsPerMinute <= GROWTH_PER_MINUTE
  const what = `${options.minutes} minutes of churn, ${options.perSecond}/s`
  const from = `from ${JUDGED_FROM_S} s on`
  const judged = isLong ? '' : `, judged from ${LEAST_MINUTES} minutes on`
  const slopes = growth.map(({ peer, perMinuteMiB }) => `${perMinuteMiB.toFixed(2)} on ${peer}`).join(', ')
  return [
    {
      what: `${what}: growth of what is left after collections, ${from}, by the minute`,
      measured: `MiB: ${slopes || 'not measured'}`,
      wanted: `at most ${GROWTH_MIB_PER_MINUTE} MiB on every peer${judged}`,
      isPass: isFlat || !isLong,
    },
    {
      what: `${what}: highest resident memory in the last third, and before it, ${from}`,
      measured: Number.isNaN(plateau.lastMiB)
        ? 'not measured'
        : `${plateau.lastMiB.toFixed(0)} MiB, ${plateau.beforeMiB.toFixed(0)} MiB`,
      wanted: `at most ${PLATEAU_SHARE * 100} % higher${judged}`,
      isPass: isLevel || !isLong,
    },
    {
      what: `${what}: files and streams, by the minute, and left behind`,
      measured:
        `${filesPerMinute.toFixed(1)} files, ${streamsPerMinute.toFixed(1)} streams; ` +
        `left: ${left.files} files, ${left.streams} streams`,
      wanted: `at most ${GROWTH_PER_MINUTE} of each by the minute${judged}; left at most ${LEFT_FILES} files, 0 streams`,
      isPass: left.streams <= 0 && left.files <= LEFT_FILES && (areEven || !isLong),
    },
  ]
}
