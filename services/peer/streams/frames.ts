import type { StoredEvent } from '../topics/types.ts'
import { payloadKind, toCloudEvent } from './cloudevents.ts'

/** Where a feed stands, for frames that speak of it. */
export interface FeedView {
  readonly incarnation: number
  /** First offset kept, as far as known here. */
  readonly earliest: number
  /** Last offset known here. */
  readonly latest: number
}

/** Why a stream ends for good. */
export type EndReason = 'deleted' | 'unknown' | 'future'

/**
 * How a stream's frames become bytes. Encodings of the same name and topic give the same bytes for the same event,
 * so that a feed keeps them once for all its subscribers.
 */
export interface Encoding {
  readonly name: string
  /** One event. */
  event(event: StoredEvent): Buffer
  /** First bytes of a stream, before its position is known. */
  opening(): Buffer
  /** The position before the first event: what a reconnect resumes behind. */
  position(view: FeedView, offset: number): Buffer
  /** Events `from` to `to` (inclusive) were removed by retention. */
  gap(incarnation: number, from: number, to: number): Buffer
  /** Nothing follows; `offset` is the last position, undefined when there never was one. */
  end(reason: EndReason, incarnation: number, offset: number | undefined): Buffer
  /** Says that the stream is alive. `view` is undefined while the stream waits for its topic. */
  heartbeat(view: FeedView | undefined): Buffer
}

/** Names a publisher may not use as a type (DESIGN 8); as an event's name they would be taken for ours. */
const RESERVED_NAMES = new Set(['open', 'error', 'message', 'gap', 'end', 'cloudevent'])
const COMMENT = Buffer.from(':\n\n')
const LINE_BREAK = /\r\n?|\n/g
const FRAME_END = Buffer.from('\n\n')

/**
 * The SSE wire of one topic as browsers need it (WHATWG HTML, 9.2; DESIGN 8).
 * Every frame carries the cursor `<offset>-<incarnation>` as its id.
 */
export function sseEncoding(
  topic: string,
  options: { readonly named: boolean; readonly format: 'plain' | 'cloudevents'; readonly retryMs: number },
): Encoding {
  const { named, format } = options
  const opening = Buffer.from(`retry: ${options.retryMs}\n\n`)
  return {
    name: `${format}${named ? '+named' : ''}`,
    event: event => eventFrame(topic, event, named, format),
    opening: () => opening,
    position: (view, offset) => Buffer.from(`id: ${offset}-${view.incarnation}\n\n`),
    gap: (incarnation, from, to) =>
      Buffer.from(`event: gap\nid: ${to}-${incarnation}\ndata: ${JSON.stringify({ from, to })}\n\n`),
    end: (reason, incarnation, offset) => endFrame(reason, incarnation, offset),
    heartbeat: () => COMMENT,
  }
}

function eventFrame(
  topic: string,
  event: StoredEvent,
  named: boolean,
  format: 'plain' | 'cloudevents',
): Buffer {
  const id = `id: ${event.offset}-${event.incarnation}\n`
  const asText = format === 'plain' && payloadKind(event) !== 'binary'
  const name = format === 'plain' && !asText ? 'cloudevent' : named ? eventName(event.type) : undefined
  const head = name === undefined ? `${id}data: ` : `event: ${name}\n${id}data: `
  const data = asText ? event.data : Buffer.from(toCloudEvent(topic, event))
  return Buffer.concat([Buffer.from(head), dataLines(data), FRAME_END])
}

/** The publisher's type as an SSE event name; undefined when it has none or one that the wire cannot carry. */
function eventName(type: string | undefined): string | undefined {
  if (!type || /[\r\n\0]/.test(type) || RESERVED_NAMES.has(type)) return undefined
  return type
}

/** UTF-8 bytes with each line break followed by the next line's `data: `. */
export function dataLines(data: Uint8Array): Uint8Array {
  if (!data.includes(10) && !data.includes(13)) return data
  // Latin-1 maps each byte to one character and back, so UTF-8 passes untouched.
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1')
  return Buffer.from(text.replace(LINE_BREAK, '\ndata: '), 'latin1')
}

/** `data:` is needed: a browser drops an event without any. */
function endFrame(reason: EndReason, incarnation: number, offset: number | undefined): Buffer {
  const id = offset === undefined ? '' : `id: ${offset}-${incarnation}\n`
  return Buffer.from(`event: end\n${id}data: ${JSON.stringify({ reason })}\n\n`)
}
