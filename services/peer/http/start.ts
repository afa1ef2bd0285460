import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { StreamStart } from '../streams/types.ts'
import { parseCursor } from '../topics/cursor.ts'

/** What a request says about where to begin. */
export interface StartRequest {
  readonly lastEventIdHeader?: string | undefined
  readonly lastEventId?: string | undefined
  readonly from?: string | undefined
  readonly last?: number | undefined
}

const OFFSET = /^[1-9][0-9]{0,15}$/
// The blank stands for the `+` of an offset such as +02:00 that was not percent-encoded in the query.
const ISO_TIME = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+\- ]\d{2}:?\d{2}))?$/i

/**
 * Where a stream, page or history begins: the header Last-Event-ID beats `lastEventId`, which beats `from` and `last`.
 * @param otherwise what holds when the request names nothing
 * @throws HypercastError INVALID_CURSOR, INVALID_REQUEST
 */
export function readStart(request: StartRequest, otherwise: StreamStart): StreamStart {
  const id = request.lastEventIdHeader || request.lastEventId
  if (id) return cursorStart(id)
  if (request.from !== undefined && request.last !== undefined) {
    throw new HypercastError('INVALID_REQUEST', 'Give either "from" or "last", not both.')
  }
  if (request.last !== undefined) return { kind: 'last', count: request.last }
  return request.from === undefined ? otherwise : fromStart(request.from)
}

function cursorStart(text: string): StreamStart {
  const cursor = parseCursor(text)
  if (!cursor) throw new HypercastError('INVALID_CURSOR', `"${shorten(text)}" is not <offset>-<incarnation>.`)
  return { kind: 'cursor', ...cursor }
}

function fromStart(text: string): StreamStart {
  if (text === 'earliest' || text === 'latest') return { kind: text }
  if (OFFSET.test(text) && Number(text) <= Number.MAX_SAFE_INTEGER) {
    return { kind: 'offset', offset: Number(text) }
  }
  if (ISO_TIME.test(text)) {
    const timeMs = Date.parse(text.replace(' ', '+'))
    if (!Number.isNaN(timeMs)) return { kind: 'time', timeMs }
  }
  throw new HypercastError(
    'INVALID_REQUEST',
    `from="${shorten(text)}" is not "earliest", "latest", an offset from 1 on, or an ISO time with its zone such as 2025-01-31T12:00:00Z.`,
  )
}

/** Text of a client as it may stand in an answer: bounded. */
export function shorten(text: string): string {
  return text.length > LIMITS.MAX_QUOTED_CHARACTERS ? `${text.slice(0, LIMITS.MAX_QUOTED_CHARACTERS)}…` : text
}
