import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'

/** Something with frames to write. */
export interface Flushable {
  /**
   * Writes what there is, to some at a time.
   * @param isOver true when the rest is to wait for the next turn
   * @returns false: there is a rest
   */
  flush(isOver: () => boolean): boolean
}

/**
 * Decides when frames leave: at the end of the turn in which they came, but not sooner than `flushMs` after the flush
 * before, so that a stream of single events under load leaves in few writes. Nothing runs while nothing waits. A flush
 * to very many is cut into slices of LIMITS.FLUSH_SLICE_MS, between which everybody else has a turn.
 */
export class Flusher {
  readonly #clock: Clock
  readonly #flushMs: number
  #waiting = new Set<Flushable>()
  #scheduled = false
  #lastFlushMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, flushMs: number) {
    this.#clock = clock
    this.#flushMs = flushMs
  }

  /** `what.flush()` will be called, soon. */
  request(what: Flushable): void {
    this.#waiting.add(what)
    if (this.#scheduled) return
    this.#scheduled = true
    const restMs = this.#lastFlushMs + this.#flushMs - this.#clock.monotonicMs()
    if (restMs > 0) this.#clock.after(restMs, () => this.#run(this.#waiting))
    else this.#clock.endOfTurn(() => this.#run(this.#waiting))
  }

  /** Those that wait; what is asked for meanwhile is for the next flush. */
  #run(left: Set<Flushable>): void {
    if (left === this.#waiting) this.#waiting = new Set()
    const untilMs = this.#clock.monotonicMs() + LIMITS.FLUSH_SLICE_MS
    const isOver = () => this.#clock.monotonicMs() >= untilMs
    for (const one of left) {
      if (!one.flush(isOver)) {
        this.#clock.endOfTurn(() => this.#run(left))
        return
      }
      left.delete(one)
    }
    this.#lastFlushMs = this.#clock.monotonicMs()
    this.#scheduled = false
    const [next] = this.#waiting
    if (next) this.request(next)
  }
}
