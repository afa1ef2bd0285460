import { Packr, Unpackr } from 'msgpackr'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { StoredEvent } from '../topics/types.ts'

/** Path of the stream by which a peer without a replica follows a topic (GET). */
export const FOLLOW_PATH = '/v1/relay/follow'
/** Media type of its answer: frames of 4 bytes length (big-endian) and so many bytes of MessagePack. */
export const FOLLOW_CONTENT_TYPE = 'application/vnd.msgpack'

/** What a follower asks a replica for. */
export interface FollowRequest {
  readonly slot: number
  readonly topic: string
  /** First offset wanted; it may not exist yet. */
  readonly from: number | 'latest'
  /** Life of the topic's name; 0 takes the one the replica knows. */
  readonly incarnation: number
}

/**
 * One frame from a replica.
 * - `state` opens the stream: where the replica stands; incarnation 0 when it knows no such topic, and then it ends.
 * - `gap`: events `from` to `to` were removed by retention.
 * - `mark`: alive, and where it stands; `led` is false while it follows no primary.
 * - `ended`: this life of the topic is over, by a committed deletion.
 */
export type FollowFrame =
  | {
      readonly kind: 'state'
      readonly incarnation: number
      readonly earliest: number
      readonly latest: number
    }
  | { readonly kind: 'event'; readonly event: StoredEvent }
  | { readonly kind: 'gap'; readonly from: number; readonly to: number }
  | { readonly kind: 'mark'; readonly earliest: number; readonly latest: number; readonly led: boolean }
  | { readonly kind: 'ended' }

/** Opens the stream of a topic at `peer`; yields the frames of each chunk that arrives; throws when it breaks. */
export type OpenFollow = (
  peer: string,
  request: FollowRequest,
  signal: AbortSignal,
) => AsyncIterable<readonly FollowFrame[]>

const packr = new Packr({ useRecords: false })
const unpackr = new Unpackr({ useRecords: false })
const LENGTH_BYTES = 4
const KINDS = { state: 0, event: 1, gap: 2, mark: 3, ended: 4 } as const

/** One frame as bytes. */
export function encodeFollowFrame(frame: FollowFrame): Buffer {
  const body = packr.pack(toTuple(frame))
  const bytes = Buffer.allocUnsafe(LENGTH_BYTES + body.length)
  bytes.writeUInt32BE(body.length, 0)
  bytes.set(body, LENGTH_BYTES)
  return bytes
}

function toTuple(frame: FollowFrame): unknown[] {
  const kind = KINDS[frame.kind]
  switch (frame.kind) {
    case 'state':
      return [kind, frame.incarnation, frame.earliest, frame.latest]
    case 'gap':
      return [kind, frame.from, frame.to]
    case 'mark':
      return [kind, frame.earliest, frame.latest, frame.led]
    case 'ended':
      return [kind]
    case 'event': {
      const { offset, incarnation, sequence, timeMs, data, id, type, contentType, attributes } = frame.event
      const optional = [id ?? null, type ?? null, contentType ?? null, attributes ?? null]
      return [kind, offset, incarnation, sequence, timeMs, data, ...optional]
    }
  }
}

/** Cuts a byte stream into frames. Throws Error on anything that is not one; the stream is then of no more use. */
export class FollowParser {
  #rest: Buffer = Buffer.alloc(0)

  push(chunk: Uint8Array): FollowFrame[] {
    const frames: FollowFrame[] = []
    let bytes = this.#rest.length === 0 ? asBuffer(chunk) : Buffer.concat([this.#rest, chunk])
    while (bytes.length >= LENGTH_BYTES) {
      const length = bytes.readUInt32BE(0)
      if (length > LIMITS.MAX_PEER_BODY_BYTES) throw new Error(`follow: a frame of ${length} bytes`)
      if (bytes.length < LENGTH_BYTES + length) break
      frames.push(fromTuple(unpackr.unpack(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length))))
      bytes = bytes.subarray(LENGTH_BYTES + length)
    }
    this.#rest = bytes
    return frames
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function fromTuple(tuple: unknown): FollowFrame {
  if (!Array.isArray(tuple)) throw new Error('follow: a frame is not a tuple')
  const [kind, a, b, c] = tuple
  switch (kind) {
    case KINDS.state:
      return { kind: 'state', incarnation: count(a), earliest: count(b), latest: count(c) }
    case KINDS.event:
      return { kind: 'event', event: toEvent(tuple) }
    case KINDS.gap:
      return { kind: 'gap', from: count(a), to: count(b) }
    case KINDS.mark:
      return { kind: 'mark', earliest: count(a), latest: count(b), led: c === true }
    case KINDS.ended:
      return { kind: 'ended' }
    default:
      throw new Error('follow: a frame of unknown kind')
  }
}

function toEvent(tuple: readonly unknown[]): StoredEvent {
  const [, offset, incarnation, sequence, timeMs, data, id, type, contentType, attributes] = tuple
  if (!(data instanceof Uint8Array)) throw new Error('follow: an event without bytes')
  return {
    offset: count(offset),
    incarnation: count(incarnation),
    sequence: count(sequence),
    timeMs: count(timeMs),
    data,
    ...optionalText('id', id),
    ...optionalText('type', type),
    ...optionalText('contentType', contentType),
    ...(attributes === null ? {} : { attributes: texts(attributes) }),
  }
}

function count(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new Error('follow: a number is wrong')
  return value as number
}

function optionalText(name: string, value: unknown): Record<string, string> {
  if (value === null) return {}
  if (typeof value !== 'string') throw new Error(`follow: ${name} is not text`)
  return { [name]: value }
}

function texts(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error('follow: attributes are wrong')
  }
  for (const text of Object.values(value)) {
    if (typeof text !== 'string') throw new Error('follow: an attribute is not text')
  }
  return value as Record<string, string>
}

/** The request as the path and query that `parseFollowQuery` reads. */
export function followPath(request: FollowRequest): string {
  const query = new URLSearchParams({
    slot: String(request.slot),
    topic: request.topic,
    from: String(request.from),
    incarnation: String(request.incarnation),
  })
  return `${FOLLOW_PATH}?${query}`
}

/** Reads the query of a follow request. Throws HypercastError INVALID_REQUEST. */
export function parseFollowQuery(query: Readonly<Record<string, unknown>>): FollowRequest {
  const { slot, topic, from, incarnation } = query
  if (typeof topic !== 'string' || topic === '')
    throw new HypercastError('INVALID_REQUEST', 'topic is missing')
  return {
    slot: queryNumber('slot', slot),
    topic,
    from: from === 'latest' ? 'latest' : queryNumber('from', from),
    incarnation: queryNumber('incarnation', incarnation),
  }
}

function queryNumber(name: string, value: unknown): number {
  const text = String(value)
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(Number(text))) {
    throw new HypercastError('INVALID_REQUEST', `${name} must be a number`)
  }
  return Number(text)
}
