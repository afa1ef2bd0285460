/**
 * How a request to another peer failed.
 * - `refused`: its port refuses connections; nothing was sent. The process is gone.
 * - `unsent`: no connection came about for another reason; nothing was sent.
 * - `rejected`: it answered with an error before doing anything.
 * - `broken`: it was sent, at least in part, and no whole answer came back: its fate is unknown.
 * - `silent`: like `broken`, because the time for an answer ran out.
 */
export type LinkFailure = 'refused' | 'unsent' | 'rejected' | 'broken' | 'silent'

/** A request to another peer came to nothing. */
export class LinkError extends Error {
  readonly failure: LinkFailure
  /** HTTP status of a `rejected` request, otherwise 0. */
  readonly status: number
  constructor(failure: LinkFailure, detail: string, status = 0) {
    super(detail)
    this.name = 'LinkError'
    this.failure = failure
    this.status = status
  }
}

/**
 * Judges what undici reports.
 * @param started whether bytes of the request may have left.
 */
export function toLinkError(error: unknown, started: boolean): LinkError {
  if (error instanceof LinkError) return error
  const text = error instanceof Error ? error.message : String(error)
  if (codesOf(error).includes('ECONNREFUSED')) return new LinkError('refused', text)
  return new LinkError(started ? 'broken' : 'unsent', text)
}

/** A refusal of the request itself did nothing; of any other error status nothing is known. */
export function statusError(status: number, body: string): LinkError {
  const harmless = (status >= 400 && status < 500) || status === 503
  return new LinkError(harmless ? 'rejected' : 'broken', `status ${status}: ${body.slice(0, 200)}`, status)
}

/** Codes of an error and of those it gathers (several addresses of one name were tried). */
function codesOf(error: unknown): unknown[] {
  if (typeof error !== 'object' || error === null) return []
  const { code, errors } = error as { code?: unknown; errors?: unknown }
  return Array.isArray(errors) ? [code, ...errors.flatMap(codesOf)] : [code]
}
