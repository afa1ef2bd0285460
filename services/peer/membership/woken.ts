import { pause } from '../engine/pause.ts'
import type { Clock } from '../engine/types.ts'

export interface WakingOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Calls `listener` with every version of the roster this peer goes over to. Returns the way to stop. */
  onRoster(listener: () => void): () => void
}

/**
 * Resolves when `afterMs` milliseconds are over; without them, when the roster changes; in any case when `signal` is
 * aborted. Nothing is left behind. Never rejects.
 */
export function woken({ clock, signal, onRoster }: WakingOptions, afterMs?: number): Promise<void> {
  if (afterMs !== undefined) return pause(clock, afterMs, signal)
  if (signal.aborted) return Promise.resolve()
  return new Promise(resolve => {
    const wake = () => {
      cancel()
      signal.removeEventListener('abort', wake)
      resolve()
    }
    const cancel = onRoster(wake)
    signal.addEventListener('abort', wake)
  })
}
