import type { SlotGap } from '../links/slot-operations.ts'
import type { StoredEvent } from '../topics/types.ts'
import { toCloudEvent } from './cloudevents.ts'
import { dataLines, type EndReason } from './frames.ts'

const FRAME_END = Buffer.from('\n\n')
const ID = 'id: '

/** The `data` of an event, made once however many streams show it. */
const texts = new WeakMap<StoredEvent, Uint8Array>()

function textOf(topic: string, event: StoredEvent): Uint8Array {
  let text = texts.get(event)
  if (text === undefined) {
    text = dataLines(Buffer.from(toCloudEvent(topic, event)))
    texts.set(event, text)
  }
  return text
}

/** One event of a stream over several topics: a CloudEvents JSON object. `cursor` stands behind it. */
export function channelEvent(cursor: string, topic: string, event: StoredEvent): Buffer {
  return Buffer.concat([Buffer.from(`${ID}${cursor}\ndata: `), textOf(topic, event), FRAME_END])
}

/** A topic's life is over; the stream goes on. */
export function channelEnd(cursor: string, topic: string, incarnation: number): Buffer {
  return named('end', cursor, { topic, incarnation, reason: 'deleted' })
}

/** The whole stream is over for good; its cursor stays what it was. */
export function channelOver(reason: EndReason): Buffer {
  return Buffer.from(`event: end\ndata: ${JSON.stringify({ reason })}\n\n`)
}

/** A gap as it is told: events `from` to `to` of this life were removed by retention. */
export interface ChannelGap extends SlotGap {
  readonly from: number
}

/** `cursor` stands before what comes next, with the state that it is missing from taken into account. */
export function channelGap(cursor: string, { topic, incarnation, from, to }: ChannelGap): Buffer {
  return named('gap', cursor, { topic, incarnation, from, to })
}

/** Where the stream stands: what a reconnect resumes behind. */
export function channelPlace(cursor: string): Buffer {
  return Buffer.from(`${ID}${cursor}\n\n`)
}

/** The cursor of a frame made here. */
export function cursorOf(frame: Buffer): string {
  const from = frame.indexOf(ID) + ID.length
  return frame.toString('latin1', from, frame.indexOf(10, from))
}

function named(name: string, cursor: string, data: object): Buffer {
  return Buffer.from(`event: ${name}\n${ID}${cursor}\ndata: ${JSON.stringify(data)}\n\n`)
}
