import type { Clock } from '../engine/types.ts'

/** Something with frames to write. */
export interface Flushable {
  flush(): void
}

/**
 * Decides when frames leave: at the end of the turn in which they came, but not sooner than `flushMs` after the flush
 * before, so that a stream of single events under load leaves in few writes. Nothing runs while nothing waits.
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

  /** `what.flush()` will be called once, soon. */
  request(what: Flushable): void {
    this.#waiting.add(what)
    if (this.#scheduled) return
    this.#scheduled = true
    const restMs = this.#lastFlushMs + this.#flushMs - this.#clock.monotonicMs()
    if (restMs > 0) this.#clock.after(restMs, () => this.#run())
    else this.#clock.endOfTurn(() => this.#run())
  }

  #run(): void {
    this.#scheduled = false
    this.#lastFlushMs = this.#clock.monotonicMs()
    const waiting = this.#waiting
    this.#waiting = new Set()
    for (const one of waiting) one.flush()
  }
}
