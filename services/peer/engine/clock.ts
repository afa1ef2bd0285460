import type { Clock } from './types.ts'

/** Node's own time and turns. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
  endOfTurn(run) {
    setImmediate(run)
  },
}
