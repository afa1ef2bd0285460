import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'

/**
 * Lets many go on for LIMITS.FLUSH_SLICE_MS in one turn of the event loop, and the others in the turns after it, in the
 * order in which they came: a read of the log that thousands of streams wait for must not make one long turn.
 */
export class Slices {
  readonly #clock: Clock
  readonly #waiting = new Set<() => void>()
  /** End of this turn's slice; undefined until somebody asks. */
  #untilMs: number | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Undefined: go on at once, without an `await`, so that the time it takes is seen by the next one. Else wait for it. */
  turn(): Promise<void> | undefined {
    if (this.#waiting.size === 0 && !this.#isOver()) return undefined
    return new Promise(resolve => this.#waiting.add(resolve))
  }

  #isOver(): boolean {
    const nowMs = this.#clock.monotonicMs()
    if (this.#untilMs === undefined) {
      this.#untilMs = nowMs + LIMITS.FLUSH_SLICE_MS
      this.#clock.endOfTurn(() => {
        this.#untilMs = undefined
        void this.#next()
      })
    }
    return nowMs >= this.#untilMs
  }

  async #next(): Promise<void> {
    for (const go of this.#waiting) {
      if (this.#isOver()) return
      this.#waiting.delete(go)
      go()
      // It goes on before the time is looked at.
      await undefined
    }
  }
}
