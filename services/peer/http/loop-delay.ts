import { LIMITS } from '../limits.ts'

/** The part of Node's event-loop histogram that is read; values in nanoseconds. */
export interface DelayHistogram {
  readonly count: number
  percentile(percentile: number): number
  reset(): void
}

/**
 * Judges from time to time whether the event loop is behind: by the median of its turns, so that one long stall, as of
 * a process that was stopped for a while, is not taken for load.
 */
export class LoopDelay {
  readonly #histogram: DelayHistogram
  readonly #resolutionMs: number
  #judgedAtMs = 0
  #isBehind = false

  /** @param resolutionMs the histogram's own: what it adds to every turn */
  constructor(histogram: DelayHistogram, resolutionMs: number) {
    this.#histogram = histogram
    this.#resolutionMs = resolutionMs
  }

  /** @param nowMs monotonic */
  isBehind(nowMs: number): boolean {
    const isDue = nowMs - this.#judgedAtMs >= LIMITS.LOOP_WINDOW_MS
    if (isDue && this.#histogram.count >= LIMITS.MIN_LOOP_TURNS) {
      this.#judgedAtMs = nowMs
      const medianMs = this.#histogram.percentile(50) / 1e6 - this.#resolutionMs
      this.#isBehind = medianMs > LIMITS.MAX_LOOP_DELAY_MS
      this.#histogram.reset()
    }
    return this.#isBehind
  }
}
