import type { Clock } from '../../services/peer/engine/types.ts'

/** A clock that moves only when told to; wall clock and monotonic time start apart on purpose. */
export class FakeClock implements Clock {
  #nowMs = 1_000
  #timers: { atMs: number; run: () => void }[] = []
  #turn: (() => void)[] = []

  nowMs(): number {
    return 1_700_000_000_000 + this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter(other => other !== timer)
    }
  }

  /** Timers that wait, also those that will do nothing. */
  get timers(): number {
    return this.#timers.length
  }

  endOfTurn(run: () => void): void {
    this.#turn.push(run)
  }

  /** Lets promises settle and runs what was put off to the end of the turn, until nothing is left. */
  async settle(): Promise<void> {
    for (let round = 0; round < 100; round++) {
      for (let microtask = 0; microtask < 20; microtask++) await null
      const turn = this.#turn
      this.#turn = []
      if (turn.length === 0) return
      for (const run of turn) run()
    }
    throw new Error('the turn does not end')
  }

  /** Moves time, running what falls due in order. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await this.settle()
    for (;;) {
      const next = this.#timers.filter(timer => timer.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (!next) break
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      this.#timers = this.#timers.filter(timer => timer !== next)
      next.run()
      await this.settle()
    }
    this.#nowMs = untilMs
  }
}
