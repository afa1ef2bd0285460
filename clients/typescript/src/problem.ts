/** An error document as peers send it (RFC 9457). */
export interface Problem {
  readonly type?: string
  readonly title?: string
  readonly status?: number
  readonly detail?: string
  /** The request's id, for whoever reads the peer's log. */
  readonly instance?: string
  readonly code?: string
  /** What to do about it. */
  readonly remedy?: string
  readonly [extra: string]: unknown
}

/** A peer answered with an error. */
export class ProblemError extends Error {
  /** Stable name of the error, for example `UNKNOWN_TOPIC`; `HTTP_<status>` when the answer has none. */
  readonly code: string
  readonly status: number
  readonly detail: string
  readonly problem: Problem
  /**
   * True: what was asked for did not happen. False: this or an earlier attempt may have been carried out, so try
   * again only with the same Idempotency-Key.
   */
  readonly definite: boolean
  /** How long the peer asks to wait; undefined when it did not say that trying again helps. */
  readonly retryAfterMs: number | undefined

  constructor(status: number, problem: Problem, definite: boolean, retryAfterMs?: number) {
    const code = problem.code ?? `HTTP_${status}`
    const detail = problem.detail ?? problem.title ?? `a peer answered ${status}`
    super([`${code}: ${detail}`, problem.remedy].filter(Boolean).join(' '))
    this.name = 'ProblemError'
    this.code = code
    this.status = status
    this.detail = detail
    this.problem = problem
    this.definite = definite
    this.retryAfterMs = retryAfterMs
  }
}

/** No peer of the list gave an answer in time. */
export class NoPeerError extends Error {
  readonly code = 'NO_PEER'
  /** True: no attempt reached a peer, so nothing happened. See `ProblemError.definite`. */
  readonly definite: boolean

  constructor(urls: readonly string[], definite: boolean, cause: unknown) {
    const many = urls.length === 1 ? `${urls[0]} gave` : `None of ${urls.length} peers (${urls[0]}, …) gave`
    super(`${many} no answer: ${reasonOf(cause)}`, { cause })
    this.name = 'NoPeerError'
    this.definite = definite
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  return cause.cause instanceof Error ? `${cause.message} (${cause.cause.message})` : cause.message
}

/** Reads an error answer; what is not a problem document becomes one. Never rejects. */
export async function readProblem(response: Response): Promise<ProblemError> {
  const text = await response.text().catch(() => '')
  const waitMs = retryAfterMs(response)
  // A peer that says 503 and when to come back has done nothing; of a proxy's 503 and of a 500 that is not known.
  const { status } = response
  const definite = status < 500 || status === 507 || (status === 503 && waitMs !== undefined)
  return new ProblemError(status, asProblem(text), definite, waitMs)
}

function asProblem(text: string): Problem {
  try {
    const document: unknown = JSON.parse(text)
    if (typeof document === 'object' && document !== null && !Array.isArray(document))
      return document as Problem
  } catch {
    // Not JSON: some proxy's page. Its status says enough.
  }
  return {}
}

/** The header Retry-After (RFC 9110, section 10.2.3) in milliseconds; undefined without one that can be read. */
function retryAfterMs(response: Response): number | undefined {
  const header = response.headers.get('retry-after')
  if (header === null) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1_000
  const timeMs = Date.parse(header)
  return Number.isNaN(timeMs) ? undefined : Math.max(0, timeMs - Date.now())
}
