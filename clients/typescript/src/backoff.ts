import { LIMITS } from './limits.ts'

/** How long to pause between attempts. */
export interface BackoffOptions {
  /** Pause after the first round in which every peer failed; it doubles with each round. Default 200. */
  readonly retryMinMs?: number
  /** Longest pause. Default 10,000. */
  readonly retryMaxMs?: number
  /** Source of jitter, in [0, 1). Default Math.random. */
  readonly random?: () => number
}

/** Pauses between attempts at a list of peers: short while some are untried, then longer and longer, with jitter. */
export class Backoff {
  readonly #peers: number
  readonly #maxMs: number
  readonly #random: () => number
  #minMs: number
  #failures = 0

  constructor(peers: number, options: BackoffOptions = {}) {
    this.#peers = peers
    this.#minMs = options.retryMinMs ?? LIMITS.RETRY_MIN_MS
    this.#maxMs = Math.max(this.#minMs, options.retryMaxMs ?? LIMITS.RETRY_MAX_MS)
    this.#random = options.random ?? Math.random
  }

  /** Raises or lowers the first pause as a peer asks for it (`retry:`), within the longest. */
  set minMs(minMs: number) {
    this.#minMs = Math.min(minMs, this.#maxMs)
  }

  /** An attempt went well. */
  reset(): void {
    this.#failures = 0
  }

  /**
   * Milliseconds to wait after one more failure.
   * @param askedMs how long the peer asks to wait: observed once there is no other peer left to try
   */
  nextMs(askedMs = 0): number {
    this.#failures += 1
    const jitter = this.#random()
    if (this.#failures % this.#peers !== 0) return Math.min(LIMITS.NEXT_PEER_MS, this.#minMs) * jitter
    const round = this.#failures / this.#peers - 1
    const pauseMs = Math.min(this.#maxMs, this.#minMs * 2 ** Math.min(round, 30))
    return Math.max(askedMs, pauseMs * (0.5 + jitter / 2))
  }
}

/** Resolves after `delayMs`, or at once when the signal is aborted. */
export function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted) return resolve()
    const finish = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, delayMs)
    signal?.addEventListener('abort', finish)
  })
}
