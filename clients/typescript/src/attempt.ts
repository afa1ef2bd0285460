/** How one attempt at one peer ended without an answer. */
export interface Broken {
  readonly error: unknown
  /** False: the request may have reached the peer. */
  readonly definite: boolean
}

/** Node's codes for connections that never came to be; browsers do not say. */
const NEVER_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** Judges what `fetch` rejected with. */
export function broken(error: unknown): Broken {
  const cause =
    error instanceof Error ? (error.cause as { code?: unknown; errors?: unknown } | undefined) : undefined
  // Node tries all addresses of a name and then lists what each gave.
  const causes = Array.isArray(cause?.errors) ? (cause.errors as { code?: unknown }[]) : [cause]
  return { error, definite: causes.every(each => NEVER_CONNECTED.has(String(each?.code))) }
}

/**
 * Runs `work` under a signal that is aborted after `timeoutMs`, or when `outer` is.
 * @throws what `work` throws: an Error named TimeoutError when time ran out, the outer signal's reason when aborted
 */
export async function within<T>(
  timeoutMs: number,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const onAbort = () => controller.abort(outer?.reason)
  if (outer?.aborted) onAbort()
  outer?.addEventListener('abort', onAbort)
  const timer = setTimeout(() => controller.abort(silence(timeoutMs)), timeoutMs)
  try {
    return await work(controller.signal)
  } finally {
    clearTimeout(timer)
    outer?.removeEventListener('abort', onAbort)
  }
}

/** The error for a peer that said nothing for so long. */
export function silence(timeoutMs: number): Error {
  const error = new Error(`silent for ${timeoutMs} ms`)
  error.name = 'TimeoutError'
  return error
}
