import type { Clock } from './types.ts'

/**
 * Time until the wall clock's next multiple of `intervalMs`: what is done regularly is done by all peers of a machine,
 * and for all its purposes, in the same few moments, and an idle machine sleeps between them.
 */
export function untilNextMs(clock: Clock, intervalMs: number): number {
  const leftMs = intervalMs - (clock.nowMs() % intervalMs)
  // A timer may fire a little early: that moment is not the next one.
  return leftMs < intervalMs / 4 ? leftMs + intervalMs : leftMs
}

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
