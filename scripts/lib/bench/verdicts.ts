import type { ChurnFigures } from './churn.ts'
import type { Results } from './results.ts'
import type { ServerName } from './servers/server.ts'
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
const LONGEST_TURN_MS = 100
/** What noise may look like: less than this over ten minutes is no growth. */
const GROWTH_MIB_PER_MINUTE = 0.5
const GROWTH_PER_MINUTE = 1
const LEFT_FILES = 10
/** A process that has just begun to work grows; what a shorter churn shows of its memory is not judged. */
const LEAST_MINUTES = 5

/** The verdicts on what was measured; what was not, or has nothing to be compared with, has none. */
export function verdicts(results: Results): Verdict[] {
  return [
    ...ratio(results, 1, LEAST_RATIO.single),
    ...ratio(results, BATCH, LEAST_RATIO.batch),
    ...latency(results),
    ...storm(results),
    ...(results.churn ? churn(results.churn) : []),
  ]
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
  const longest = storm.turns.reduce((one, other) => (other.wallMs > one.wallMs ? other : one))
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
      what: 'resume storm: longest turn of a peer’s event loop',
      measured: `${longest.wallMs.toFixed(0)} ms, of them ${longest.cpuMs.toFixed(0)} ms CPU of its thread`,
      wanted: `at most ${LONGEST_TURN_MS} ms`,
      isPass: longest.wallMs <= LONGEST_TURN_MS,
    },
  ]
}

function churn(figures: ChurnFigures): Verdict[] {
  const { residentMiBPerMinute, heapMiBPerMinute, filesPerMinute, streamsPerMinute, left, options } = figures
  const isLong = options.minutes >= LEAST_MINUTES
  const isFlat =
    residentMiBPerMinute <= GROWTH_MIB_PER_MINUTE &&
    filesPerMinute <= GROWTH_PER_MINUTE &&
    streamsPerMinute <= GROWTH_PER_MINUTE
  const isClean = left.streams <= 0 && left.files <= LEFT_FILES
  return [
    {
      what: `${options.minutes} minutes of churn, ${options.perSecond}/s: growth in the second half, by the minute`,
      measured:
        `${residentMiBPerMinute.toFixed(2)} MiB resident (heap ${heapMiBPerMinute.toFixed(2)}), ${filesPerMinute.toFixed(1)} files, ` +
        `${streamsPerMinute.toFixed(1)} streams; left behind: ${left.files} files, ${left.streams} streams`,
      wanted: isLong
        ? `at most ${GROWTH_MIB_PER_MINUTE} MiB, ${GROWTH_PER_MINUTE} file, ${GROWTH_PER_MINUTE} stream; left ${LEFT_FILES} files, 0 streams`
        : `left at most ${LEFT_FILES} files, 0 streams; growth is judged from ${LEAST_MINUTES} minutes on`,
      isPass: isClean && (isFlat || !isLong),
    },
  ]
}
