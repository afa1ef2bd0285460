import { fromBase64 } from './payload.ts'
import type { SseFrame } from './sse.ts'

/** An event as a subscriber receives it. */
export interface ReceivedEvent {
  readonly topic: string
  /** Its place in the topic, counted from 1. */
  readonly offset: number
  /** Which life of the topic's name it belongs to. */
  readonly incarnation: number
  /** Keep it to resume behind this event. */
  readonly cursor: string
  /** The publisher's id, or the cursor. */
  readonly id: string
  /** CloudEvents type. */
  readonly type: string
  /** CloudEvents source. */
  readonly source: string
  /** The publisher's time if it gave one, else the primary's stamp. */
  readonly time: Date
  readonly contentType: string
  /** Text as a string, JSON as what it stands for, anything else as a Uint8Array. */
  readonly data: unknown
  /** Other CloudEvents attributes by name. */
  readonly attributes: Readonly<Record<string, string>>
}

/** Something a subscriber is told besides events. */
export type Notice =
  /** A stream is open. */
  | { readonly kind: 'open'; readonly peer: string }
  /** A stream broke or a peer could not be reached; the next one is tried after `retryInMs`. */
  | { readonly kind: 'lost'; readonly peer: string; readonly error: unknown; readonly retryInMs: number }
  /** Retention removed these offsets (inclusive) before they could be received. */
  | { readonly kind: 'gap'; readonly from: number; readonly to: number; readonly cursor: string }
  /** Nothing follows: the topic was deleted, or never was what the cursor says. */
  | { readonly kind: 'end'; readonly reason: string }

/** The stream is not as the contract says. */
export class StreamError extends Error {
  readonly code = 'BAD_STREAM'
  constructor(what: string, cause?: unknown) {
    super(`The stream is not as the contract says: ${what}`, cause === undefined ? undefined : { cause })
    this.name = 'StreamError'
  }
}

/** Members of a CloudEvent that have a place of their own in ReceivedEvent. */
const OWN = new Set([
  'specversion',
  'id',
  'source',
  'type',
  'time',
  'datacontenttype',
  'topic',
  'offset',
  'data',
  'data_base64',
])

/**
 * What a frame with data says.
 * @throws StreamError
 */
export function readFrame(frame: SseFrame, topic: string): ReceivedEvent | Notice {
  const document = parseObject(frame)
  if (frame.event === 'gap') {
    return { kind: 'gap', from: Number(document.from), to: Number(document.to), cursor: frame.lastEventId }
  }
  if (frame.event === 'end') return { kind: 'end', reason: String(document.reason) }
  return readEvent(frame.lastEventId, document, topic)
}

/** True for what `readFrame` read from a frame that is no event. */
export function isNotice(read: ReceivedEvent | Notice): read is Notice {
  return 'kind' in read
}

function readEvent(cursor: string, document: Record<string, unknown>, topic: string): ReceivedEvent {
  const place = /^(\d+)-(\d+)$/.exec(cursor)
  if (place === null) throw new StreamError(`an event has the id "${cursor}"`)
  const attributes: Record<string, string> = {}
  for (const [name, value] of Object.entries(document)) if (!OWN.has(name)) attributes[name] = String(value)
  return {
    topic,
    offset: Number(place[1]),
    incarnation: Number(place[2]),
    cursor,
    id: String(document.id),
    type: String(document.type),
    source: String(document.source),
    time: new Date(String(document.time)),
    contentType: String(document.datacontenttype),
    data: document.data_base64 === undefined ? document.data : readBytes(document.data_base64),
    attributes,
  }
}

function readBytes(base64: unknown): Uint8Array {
  try {
    return fromBase64(String(base64))
  } catch (error) {
    throw new StreamError('data_base64 is not base64', error)
  }
}

function parseObject({ data, event }: SseFrame): Record<string, unknown> {
  try {
    const document: unknown = JSON.parse(data ?? '')
    if (typeof document === 'object' && document !== null) return document as Record<string, unknown>
  } catch (error) {
    throw new StreamError(`the data of "${event}" is not JSON`, error)
  }
  throw new StreamError(`the data of "${event}" is not an object`)
}
