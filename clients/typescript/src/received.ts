import { fromBase64 } from './payload.ts'
import type { SseFrame } from './sse.ts'

/** An event as a subscriber receives it. */
export interface ReceivedEvent {
  readonly topic: string
  /** Its place in the topic, counted from 1. */
  readonly offset: number
  /** Which life of the topic's name it belongs to; undefined where a stream over several topics does not say. */
  readonly incarnation: number | undefined
  /** Keep it to resume behind this event: its place in the topic, or in all topics of the stream. */
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
  /** These offsets of a topic (inclusive) are missing: retention removed them before they could be received. */
  | Gap
  /**
   * The topic was deleted, or never was what the cursor says: a stream of one topic is over. One of several topics
   * goes on, and with the topic's next life should it get one, unless `topic` is undefined: then it is all over.
   */
  | End

interface Gap {
  readonly kind: 'gap'
  readonly topic: string
  /** Which life of the topic's name; undefined where the stream does not say. */
  readonly incarnation?: number
  readonly from: number
  readonly to: number
  readonly cursor: string
}

interface End {
  readonly kind: 'end'
  readonly topic?: string
  readonly incarnation?: number
  /** Behind the end, where there is such a place. */
  readonly cursor?: string
  readonly reason: string
}

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
 * @param single the topic of a stream of one topic, where frames do not name it
 * @throws StreamError
 */
export function readFrame(frame: SseFrame, single: string | undefined): ReceivedEvent | Notice {
  const document = parseObject(frame)
  const cursor = frame.lastEventId
  if (frame.event === 'end' && single === undefined && document.topic === undefined) {
    return { kind: 'end', reason: String(document.reason) }
  }
  const place = single === undefined ? placeAmongSeveral(cursor, document) : placeOfSingle(cursor, single)
  const { topic, incarnation } = place
  const life = { topic, ...(incarnation === undefined ? {} : { incarnation }) }
  if (frame.event === 'gap') {
    return { kind: 'gap', ...life, from: Number(document.from), to: Number(document.to), cursor }
  }
  if (frame.event === 'end') return { kind: 'end', ...life, cursor, reason: String(document.reason) }
  return readEvent(cursor, document, place)
}

interface Where {
  readonly topic: string
  readonly incarnation: number | undefined
  readonly offset: number
}

/** In a stream of one topic the cursor says it all. */
function placeOfSingle(cursor: string, topic: string): Where {
  const [, offset, incarnation] = /^(\d+)-(\d+)$/.exec(cursor) ?? []
  return {
    topic,
    offset: Number(offset),
    incarnation: incarnation === undefined ? undefined : Number(incarnation),
  }
}

/** In a stream of several topics the event says it. */
function placeAmongSeveral(cursor: string, document: Record<string, unknown>): Where {
  const { topic, offset, incarnation, id } = document
  if (cursor === '' || typeof topic !== 'string') throw new StreamError(`"${cursor}" is of no topic`)
  // A number, as publishers' attributes are strings.
  if (typeof incarnation === 'number') return { topic, offset: Number(offset), incarnation }
  // The id of an event whose publisher gave none is its place in its topic.
  const [, told, life] = /^(\d+)-(\d+)$/.exec(String(id)) ?? []
  return {
    topic,
    offset: Number(offset),
    incarnation: told === undefined || Number(told) !== Number(offset) ? undefined : Number(life),
  }
}

/** True for what `readFrame` read from a frame that is no event. */
export function isNotice(read: ReceivedEvent | Notice): read is Notice {
  return 'kind' in read
}

function readEvent(cursor: string, document: Record<string, unknown>, place: Where): ReceivedEvent {
  if (!Number.isSafeInteger(place.offset) || place.offset < 1)
    throw new StreamError(`the event "${cursor}" has no offset`)
  const attributes: Record<string, string> = {}
  for (const [name, value] of Object.entries(document)) {
    const isOwn = OWN.has(name) || (name === 'incarnation' && typeof value === 'number')
    if (!isOwn) attributes[name] = String(value)
  }
  return {
    ...place,
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
