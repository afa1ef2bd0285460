import type { Clock } from './types.ts'

/** Long searches of the log, a piece of one of them in each turn of the event loop, in the order in which they ask. */
export class Searches {
  readonly #clock: Clock
  readonly #waiting: (() => void)[] = []
  #isPlanned = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves when the next piece may be done. */
  turn(): Promise<void> {
    return new Promise(resolve => {
      this.#waiting.push(resolve)
      this.#plan()
    })
  }

  #plan(): void {
    if (this.#isPlanned || this.#waiting.length === 0) return
    this.#isPlanned = true
    this.#clock.endOfTurn(() => {
      this.#isPlanned = false
      this.#waiting.shift()?.()
      this.#plan()
    })
  }
}
