import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, type Dispatcher } from 'undici'
import { LIMITS } from '../limits.ts'
import { CommandError, problemLine } from './ask.ts'

/** A peer could not do it now: another one, or the same one in a moment, may. */
export class PassingError extends Error {
  /** False: what was asked for may have been done all the same. */
  readonly definite: boolean
  /** How long the peer asks to wait. */
  readonly retryAfterMs: number
  /** True: there was an answer, if not the one that was hoped for. */
  readonly answered: boolean
  constructor(message: string, definite: boolean, answer?: { readonly retryAfterMs: number }) {
    super(message)
    this.name = 'PassingError'
    this.definite = definite
    this.retryAfterMs = answer?.retryAfterMs ?? 0
    this.answered = answer !== undefined
  }
}

/** A peer refused for good what it was asked for; the message is the problem it answers, in one line. */
export class RefusedError extends CommandError {
  /** The problem document; empty when the answer was none. */
  readonly problem: Readonly<Record<string, unknown>>
  constructor(message: string, problem: Readonly<Record<string, unknown>>) {
    super(message)
    this.problem = problem
  }
}

/** Pauses of a command between attempts at its peers. */
export interface Pauses {
  readonly nextPeerMs: number
  readonly minMs: number
  readonly maxMs: number
}

const PAUSES: Pauses = {
  nextPeerMs: LIMITS.COMMAND_NEXT_PEER_MS,
  minMs: LIMITS.COMMAND_RETRY_MIN_MS,
  maxMs: LIMITS.COMMAND_RETRY_MAX_MS,
}

/** The peers a command was given: it stays with one until that fails, and pauses longer with each round that all of them failed. */
export class PeerList {
  readonly urls: readonly string[]
  readonly #pauses: Pauses
  #at = 0
  #failures = 0

  constructor(urls: readonly string[], pauses: Pauses = PAUSES) {
    this.urls = [...new Set(urls)]
    this.#pauses = pauses
  }

  /** The peer to ask. */
  get current(): string {
    return this.urls[this.#at]!
  }

  /** True when every peer failed since the last success, at least once. */
  get allFailed(): boolean {
    return this.#failures >= this.urls.length
  }

  succeeded(): void {
    this.#failures = 0
  }

  /**
   * The current peer failed: the next one is asked after the pause that is returned, in milliseconds.
   * @param askedMs how long the peer asks to wait: observed once no other is left to try
   */
  failed(askedMs = 0): number {
    const { nextPeerMs, minMs, maxMs } = this.#pauses
    this.#at = (this.#at + 1) % this.urls.length
    this.#failures += 1
    const jitter = 0.5 + Math.random() / 2
    if (this.#failures % this.urls.length !== 0) return nextPeerMs * jitter
    const rounds = Math.min(this.#failures / this.urls.length, 30)
    return Math.max(askedMs, Math.min(maxMs, minMs * 2 ** (rounds - 1)) * jitter)
  }
}

/** Connections of one command; destroy it at the end, or they keep the process. */
export function commandAgent(): Agent {
  return new Agent({ connect: { timeout: LIMITS.COMMAND_CONNECT_MS } })
}

/** Waits; ends at once when the signal is aborted. Never rejects. */
export async function pause(delayMs: number, signal?: AbortSignal): Promise<void> {
  await sleep(delayMs, undefined, { signal }).catch(() => {})
}

/** The error for an answer that is no success: PassingError or RefusedError. Reads the body. */
export async function refusal(
  url: string,
  { statusCode, headers, body }: Dispatcher.ResponseData,
): Promise<PassingError | RefusedError> {
  const text = await body.text()
  const problem = readProblem(text)
  const message = problemLine(text) ?? `${url} answers ${statusCode}: is a peer there?`
  const afterS = Number(headers['retry-after'])
  // An earlier attempt under the same key is still under way: its answer is to come.
  const isInFlight = problem.code === 'IDEMPOTENCY_KEY_IN_FLIGHT'
  if (!isInFlight && ![408, 429, 502, 503, 504].includes(statusCode))
    return new RefusedError(message, problem)
  // A 503 that says when to come back is a peer's own and nothing was done; a proxy's may be about an answer that was lost.
  const definite = statusCode === 429 || (statusCode === 503 && afterS >= 0)
  return new PassingError(message, definite, { retryAfterMs: afterS > 0 ? afterS * 1_000 : 0 })
}

function readProblem(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>
  } catch {
    return {}
  }
}
