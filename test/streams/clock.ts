import type { Clock } from '../../services/peer/engine/types.ts'

/** Time that a test moves; turns run when the test settles. */
export class ManualClock implements Clock {
  #nowMs = 1_700_000_000_000
  #turns: (() => void)[] = []
  #timers: { dueMs: number; run: () => void }[] = []

  nowMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs - 1_699_999_000_000
  }

  get timers(): number {
    return this.#timers.length
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter(other => other !== timer)
    }
  }

  endOfTurn(run: () => void): void {
    this.#turns.push(run)
  }

  /** Runs promises, streams and turns until nothing moves any more; time stands still. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet += 1) {
      await new Promise(setImmediate)
      const turns = this.#turns.splice(0)
      if (turns.length > 0) quiet = -1
      for (const turn of turns) turn()
    }
  }

  /** Moves time on, timer by timer, settling after each. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs
    for (;;) {
      await this.settle()
      const next = this.#timers.reduce<{ dueMs: number; run: () => void } | undefined>(
        (first, timer) => (first === undefined || timer.dueMs < first.dueMs ? timer : first),
        undefined,
      )
      if (next === undefined || next.dueMs > untilMs) break
      this.#timers = this.#timers.filter(timer => timer !== next)
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      next.run()
    }
    this.#nowMs = untilMs
    await this.settle()
  }
}
