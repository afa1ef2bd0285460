import { SlotError } from '../engine/types.ts'
import { ERRORS, type ErrorCode, type ErrorRow, HypercastError } from '../errors.ts'

export const PROBLEM_TYPE = 'application/problem+json'

/** An error document (RFC 9457) with our members `code` and `remedy`. */
export interface Problem {
  /** Reference to the page about this code, resolved against the peer's own URL. */
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  /** The request's id, also in the peer's log. */
  readonly instance: string
  readonly code: ErrorCode
  readonly remedy: string
  readonly [extra: string]: unknown
}

/** Makes the document of one error; `requestId` becomes its `instance`. */
export function problemOf(error: HypercastError, requestId: string): Problem {
  const row: ErrorRow = ERRORS[error.code]
  return {
    ...error.extra,
    type: `/docs/errors#${error.code}`,
    title: row.title,
    status: row.status,
    detail: error.message,
    instance: `urn:uuid:${requestId}`,
    code: error.code,
    remedy: row.remedy,
  }
}

/** Fastify's own errors that mean something other than a bad request. */
const FRAMEWORK_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'PAYLOAD_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
}

/** Turns whatever was thrown into an error of the table. What nobody foresaw is INTERNAL and says nothing more. */
export function asHypercastError(error: unknown): HypercastError {
  if (error instanceof HypercastError) return error
  if (error instanceof SlotError) return fromSlotError(error)
  const { code, statusCode, message } = (error ?? {}) as Partial<Error & { code: string; statusCode: number }>
  const known = code === undefined ? undefined : FRAMEWORK_CODES[code]
  if (known) return new HypercastError(known)
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new HypercastError('INVALID_REQUEST', message)
  }
  return new HypercastError('INTERNAL')
}

function fromSlotError({ failure }: SlotError): HypercastError {
  switch (failure.kind) {
    case 'notPrimary':
      return new HypercastError('NO_PRIMARY')
    case 'unknown':
      return new HypercastError('OUTCOME_UNKNOWN')
    case 'unavailable':
      return new HypercastError(failure.code === 'NOT_A_REPLICA' ? 'UNREACHABLE' : failure.code)
    case 'heldBack':
      return new HypercastError('UPGRADE_UNDER_WAY', failure.detail)
    case 'refused':
      return new HypercastError(failure.code === 'KEY_IN_FLIGHT' ? 'IDEMPOTENCY_KEY_IN_FLIGHT' : failure.code)
  }
}

/** Headers that go with an error: Retry-After where trying again may help. */
export function problemHeaders(code: ErrorCode): Record<string, string> {
  const { retryAfterS }: ErrorRow = ERRORS[code]
  const headers: Record<string, string> = { 'content-type': PROBLEM_TYPE, 'cache-control': 'no-store' }
  if (retryAfterS !== undefined) headers['retry-after'] = String(retryAfterS)
  return headers
}
