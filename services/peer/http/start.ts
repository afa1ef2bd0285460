import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { SeveralStart, StreamStart } from '../streams/types.ts'
import { parseCursor } from '../topics/cursor.ts'
import { parseVectorCursor } from '../topics/vector-cursor.ts'

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
  return idOf(request, cursorStart) ?? lastOf(request) ?? fromStart(request.from, otherwise)
}

/**
 * Where a stream over several topics begins, by the same rules; `latest` when the request names nothing.
 * @throws HypercastError INVALID_CURSOR, INVALID_REQUEST
 */
export function readSeveralStart(request: StartRequest): SeveralStart {
  const start =
    idOf(request, severalCursorStart) ?? lastOf(request) ?? fromStart(request.from, { kind: 'latest' })
  if (start.kind !== 'offset') return start
  throw new HypercastError(
    'INVALID_REQUEST',
    `from=${start.offset} is an offset, which belongs to one topic: begin at "earliest", "latest" or an ISO time, or ask GET /v1/topics/{topic}/events.`,
  )
}

function idOf<Start>(request: StartRequest, read: (id: string) => Start): Start | undefined {
  const id = request.lastEventIdHeader || request.lastEventId
  return id ? read(id) : undefined
}

function lastOf({ from, last }: StartRequest): { readonly kind: 'last'; readonly count: number } | undefined {
  if (last === undefined) return undefined
  if (from === undefined) return { kind: 'last', count: last }
  throw new HypercastError('INVALID_REQUEST', 'Give either "from" or "last", not both.')
}

function cursorStart(text: string): StreamStart {
  const cursor = parseCursor(text)
  if (!cursor) throw new HypercastError('INVALID_CURSOR', `"${shorten(text)}" is not <offset>-<incarnation>.`)
  return { kind: 'cursor', ...cursor }
}

function severalCursorStart(text: string): SeveralStart {
  const places = parseVectorCursor(text, LIMITS.MAX_STREAM_SLOTS)
  if (places) return { kind: 'cursor', places }
  throw new HypercastError(
    'INVALID_CURSOR',
    parseCursor(text)
      ? `"${shorten(text)}" is a cursor of one topic: resume with it at GET /v1/topics/{topic}/events.`
      : `"${shorten(text)}" is not the id of a frame of GET /v1/events.`,
  )
}

type FromStart = Extract<StreamStart, { kind: 'earliest' | 'latest' | 'offset' | 'time' }>

function fromStart<Otherwise>(text: string | undefined, otherwise: Otherwise): FromStart | Otherwise {
  if (text === undefined) return otherwise
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
