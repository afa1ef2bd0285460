import { broken, within } from './attempt.ts'
import { Backoff, type BackoffOptions, pause } from './backoff.ts'
import { LIMITS } from './limits.ts'
import type { Peers } from './peers.ts'
import { NoPeerError, ProblemError, readProblem } from './problem.ts'

/** How requests are made and tried again. */
export interface RequestOptions extends BackoffOptions {
  /** Time one peer has to answer before the next is tried. Default 5,000. */
  readonly attemptTimeoutMs?: number
  /** Time for all attempts of one request together. Default 30,000. */
  readonly patienceMs?: number
  /** Default: the global `fetch`. */
  readonly fetch?: typeof fetch
}

/** A request for whichever peer answers it. */
export interface PeerRequest {
  readonly method: string
  /** Path and query, from the peer's URL on. */
  readonly path: string
  readonly headers: Headers
  readonly body?: Uint8Array | undefined
  readonly signal?: AbortSignal | undefined
}

type Attempt =
  | { readonly kind: 'answer'; readonly response: Response }
  | {
      readonly kind: 'failed'
      readonly error: unknown
      /** True: this attempt did nothing. */
      readonly definite: boolean
      /** True: another peer, or the same one in a moment, may do better. */
      readonly passing: boolean
      readonly retryAfterMs: number
    }

/**
 * Sends a request to one peer after the other until one answers, pausing between rounds.
 *
 * A request is sent again when that cannot do it twice: after a definite 503, after a connection that never came
 * to be, and otherwise when its method is idempotent or it carries an Idempotency-Key.
 * @returns an answer of success, its body received
 * @throws ProblemError a refusal, or the last one when patience ran out
 * @throws NoPeerError when there was no answer at all
 * @throws the reason of the request's signal when it is aborted
 */
export async function requestAny(
  peers: Peers,
  request: PeerRequest,
  options: RequestOptions,
): Promise<Response> {
  const deadlineMs = performance.now() + (options.patienceMs ?? LIMITS.PATIENCE_MS)
  const backoff = new Backoff(peers.urls.length, options)
  let isDefinite = true
  for (;;) {
    request.signal?.throwIfAborted()
    const url = peers.current
    const attempt = await attemptAt(url, request, options, deadlineMs - performance.now())
    request.signal?.throwIfAborted()
    if (attempt.kind === 'answer') return attempt.response
    isDefinite &&= attempt.definite
    if (attempt.passing) peers.failed(url)
    const pauseMs = backoff.nextMs(attempt.retryAfterMs)
    const mayRepeat = attempt.passing && (attempt.definite || isRepeatable(request))
    if (!mayRepeat || performance.now() + pauseMs >= deadlineMs) {
      throw finalError(attempt.error, isDefinite, peers)
    }
    await pause(pauseMs, request.signal)
  }
}

/** What the caller is told, with regard to all attempts. */
function finalError(error: unknown, isDefinite: boolean, peers: Peers): Error {
  if (!(error instanceof ProblemError)) return new NoPeerError(peers.urls, isDefinite, error)
  return new ProblemError(error.status, error.problem, isDefinite, error.retryAfterMs)
}

/** True when doing the request twice is doing it once. PATCH sets settings to values, so it is. */
function isRepeatable(request: PeerRequest): boolean {
  return request.method !== 'POST' || request.headers.has('idempotency-key')
}

async function attemptAt(
  url: string,
  request: PeerRequest,
  options: RequestOptions,
  leftMs: number,
): Promise<Attempt> {
  const timeoutMs = Math.max(1, Math.min(leftMs, options.attemptTimeoutMs ?? LIMITS.ATTEMPT_TIMEOUT_MS))
  try {
    const response = await within(timeoutMs, request.signal, signal => receive(url, request, options, signal))
    if (response.ok) return { kind: 'answer', response }
    const error = await readProblem(response)
    // While our own earlier attempt is still under way at its peer, its key's answer is to come.
    const isInFlight = error.code === 'IDEMPOTENCY_KEY_IN_FLIGHT'
    const passing = isInFlight || [502, 503, 504].includes(error.status)
    return {
      kind: 'failed',
      error,
      definite: error.definite && !isInFlight,
      passing,
      retryAfterMs: error.retryAfterMs ?? 0,
    }
  } catch (error) {
    return { kind: 'failed', ...broken(error), passing: true, retryAfterMs: 0 }
  }
}

/** Fetches and reads the whole answer: one that breaks off in its body is no answer. */
async function receive(
  url: string,
  request: PeerRequest,
  options: RequestOptions,
  signal: AbortSignal,
): Promise<Response> {
  const { method, path, headers, body } = request
  const send = options.fetch ?? globalThis.fetch
  const init: RequestInit = { method, headers, signal, cache: 'no-store' }
  if (body !== undefined) init.body = body as Uint8Array<ArrayBuffer>
  const response = await send(`${url}${path}`, init)
  const bytes = await response.arrayBuffer()
  const isBodyless = response.status === 204 || response.status === 304 || method === 'HEAD'
  const { status, statusText } = response
  return new Response(isBodyless ? null : bytes, { status, statusText, headers: response.headers })
}
