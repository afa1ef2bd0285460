import { LIMITS } from '../limits.ts'

/** Growing pauses with jitter between LIMITS.RETRY_MIN_MS and LIMITS.RETRY_MAX_MS. */
export class Backoff {
  readonly #random: () => number
  #ceilingMs: number = LIMITS.RETRY_MIN_MS

  constructor(random: () => number) {
    this.#random = random
  }

  /** The next pause: between half of a bound that doubles each time, and the bound. */
  nextMs(): number {
    const ceilingMs = this.#ceilingMs
    this.#ceilingMs = Math.min(LIMITS.RETRY_MAX_MS, ceilingMs * 2)
    return ceilingMs * (0.5 + 0.5 * this.#random())
  }

  /** It went well: the next pause is short again. */
  reset(): void {
    this.#ceilingMs = LIMITS.RETRY_MIN_MS
  }
}
