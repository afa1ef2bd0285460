import type { Run, TopicRow } from './types.ts'

/** What a `trim` command carries: events below `before` leave, and with them `bytes`. */
export interface Trim {
  readonly before: number
  readonly bytes: number
  /** Of the last event that leaves. */
  readonly sequence: number
}

/** Runs of the topic from the one that holds `offset` (or the first after it) on, at most `limit`. */
export type RunReader = (offset: number, limit: number) => readonly Run[]

/** Runs read at a time: most plans end at the first run. */
const READ_RUNS = 32

/**
 * The next trim a topic's settings ask for at `nowMs`, or undefined when nothing is to leave. Asked again after
 * it was applied, it gives the one after that; each covers at most `maxRuns` runs.
 *
 * - `maxAgeMs`: a run leaves when it is older. `maxBytes`: the oldest runs leave while more is kept; the newest
 *   run always stays, or a batch larger than the bound would vanish as it is published.
 * - `maxEvents` is exact and may cut a run. The bytes of a cut run leave with its last event, so a topic's
 *   `bytes` are always those of all runs that still hold a kept event.
 */
export function planTrim(
  topic: TopicRow,
  nowMs: number,
  readRuns: RunReader,
  maxRuns: number,
): Trim | undefined {
  const { maxAgeMs, maxEvents, maxBytes } = topic.settings
  const firstKept = maxEvents === null ? 0 : topic.latest + 1 - maxEvents
  const oldestMs = maxAgeMs === null ? Number.NEGATIVE_INFINITY : nowMs - maxAgeMs
  if (topic.earliest > topic.latest) return undefined
  if (maxAgeMs === null && firstKept <= topic.earliest && topic.bytes <= (maxBytes ?? topic.bytes))
    return undefined

  let before = topic.earliest
  let bytes = 0
  let sequence = 0
  for (const run of walk(topic.earliest, readRuns, maxRuns)) {
    const next = run.first + run.count
    const isHeavy = maxBytes !== null && topic.bytes - bytes > maxBytes && next <= topic.latest
    if (run.timeMs >= oldestMs && firstKept < next && !isHeavy) {
      if (firstKept > before) {
        before = Math.min(firstKept, next)
        sequence = run.sequence + (before - 1 - run.first)
      }
      break
    }
    before = next
    bytes += run.bytes
    sequence = run.sequence + run.count - 1
  }
  return before > topic.earliest ? { before, bytes, sequence } : undefined
}

function* walk(offset: number, readRuns: RunReader, maxRuns: number): Generator<Run> {
  let from = offset
  for (let left = maxRuns; left > 0; ) {
    const limit = Math.min(left, READ_RUNS)
    const runs = readRuns(from, limit)
    yield* runs
    const last = runs.at(-1)
    if (last === undefined || runs.length < limit) return
    from = last.first + last.count
    left -= runs.length
  }
}
