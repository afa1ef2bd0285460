import { Packr, Unpackr } from 'msgpackr'
import { LIMITS } from '../limits.ts'
import type { SlotPosition } from '../topics/positions.ts'
import type { StoredEvent } from '../topics/types.ts'
import { count, items, text } from './unpacked.ts'

/** What is known of one topic at a place of its slot. */
export interface TrunkRow {
  readonly topic: string
  readonly incarnation: number
  readonly earliest: number
  readonly latest: number
}

/** Where the upper end stands in one slot. */
export interface TrunkMark {
  readonly slot: number
  readonly position: SlotPosition
  /** The replica it comes from follows a primary; false: what comes may be old. */
  readonly led: boolean
  /** Peers between the upper end and that replica; 0 when it has one itself. */
  readonly depth: number
}

/**
 * One frame down a trunk.
 * - `covered`: every event that matches `wants` behind `position` comes from now on. `turn`: the last update of the wants
 *   that was taken in by then; a want that was added by a later one is not meant, even if it has the same name.
 * - `interrupted`: events of the slot may be missing until all of its wants are covered anew.
 * - `events`: consecutive events of one topic, all of one log entry.
 * - `ended`: this life of the topic is over.
 * - `marks`: alive, and where it stands in slots that went on.
 * - `refused`: the slot is not to be had here: the lower end is above this peer already. `turn`: as of a cover.
 */
export type TrunkFrame =
  | {
      readonly kind: 'covered'
      readonly slot: number
      readonly turn: number
      readonly wants: readonly string[]
      readonly position: SlotPosition
      /** Last incarnation the slot has given out there. */
      readonly incarnation: number
      /** Of the topics wanted by name that exist. */
      readonly rows: readonly TrunkRow[]
    }
  | {
      readonly kind: 'events'
      readonly slot: number
      readonly topic: string
      readonly index: number
      readonly events: readonly StoredEvent[]
    }
  | {
      readonly kind: 'ended'
      readonly slot: number
      readonly topic: string
      readonly incarnation: number
      readonly latest: number
      readonly index: number
    }
  | { readonly kind: 'marks'; readonly marks: readonly TrunkMark[] }
  | { readonly kind: 'refused'; readonly slot: number; readonly turn: number }
  | { readonly kind: 'interrupted'; readonly slot: number }

const packr = new Packr({ useRecords: false })
const unpackr = new Unpackr({ useRecords: false })
const LENGTH_BYTES = 4
const KINDS = { covered: 0, events: 1, ended: 2, marks: 3, refused: 4, interrupted: 5 } as const
/** Payloads below this are copied out of the chunk they came in, so that a small one does not keep a large one alive. */
const COPY_BELOW_BYTES = 4_096

/** One frame as bytes. */
export function encodeTrunkFrame(frame: TrunkFrame): Buffer {
  const body = packr.pack(toTuple(frame))
  const bytes = Buffer.allocUnsafe(LENGTH_BYTES + body.length)
  bytes.writeUInt32BE(body.length, 0)
  bytes.set(body, LENGTH_BYTES)
  return bytes
}

function toTuple(frame: TrunkFrame): unknown[] {
  const kind = KINDS[frame.kind]
  switch (frame.kind) {
    case 'covered': {
      const { slot, turn, wants, position, incarnation, rows } = frame
      const packed = rows.map(row => [row.topic, row.incarnation, row.earliest, row.latest])
      return [kind, slot, turn, wants, position.sequence, position.index, incarnation, packed]
    }
    case 'events':
      return [kind, frame.slot, frame.topic, frame.index, frame.events.map(eventTuple)]
    case 'ended':
      return [kind, frame.slot, frame.topic, frame.incarnation, frame.latest, frame.index]
    case 'marks':
      return [
        kind,
        frame.marks.map(({ slot, position, led, depth }) => [
          slot,
          position.sequence,
          position.index,
          led,
          depth,
        ]),
      ]
    case 'refused':
      return [kind, frame.slot, frame.turn]
    case 'interrupted':
      return [kind, frame.slot]
  }
}

function eventTuple(event: StoredEvent): unknown[] {
  const { offset, incarnation, sequence, timeMs, data, id, type, contentType, attributes } = event
  const optional = [id ?? null, type ?? null, contentType ?? null, attributes ?? null]
  return [offset, incarnation, sequence, timeMs, data, ...optional]
}

/** Cuts a byte stream into frames. Throws Error on anything that is not one; the stream is then of no more use. */
export class TrunkParser {
  #chunks: Buffer[] = []
  #sizeBytes = 0
  /** Bytes from which on there is something to cut. */
  #needBytes = LENGTH_BYTES

  push(chunk: Uint8Array): TrunkFrame[] {
    this.#chunks.push(asBuffer(chunk))
    this.#sizeBytes += chunk.length
    if (this.#sizeBytes < this.#needBytes) return []
    const frames: TrunkFrame[] = []
    let bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    this.#needBytes = LENGTH_BYTES
    while (bytes.length >= LENGTH_BYTES) {
      const length = bytes.readUInt32BE(0)
      if (length > LIMITS.MAX_PEER_BODY_BYTES) throw new Error(`trunk: a frame of ${length} bytes`)
      this.#needBytes = LENGTH_BYTES + length
      if (bytes.length < this.#needBytes) break
      frames.push(fromTuple(unpackr.unpack(bytes.subarray(LENGTH_BYTES, this.#needBytes))))
      bytes = bytes.subarray(this.#needBytes)
      this.#needBytes = LENGTH_BYTES
    }
    this.#chunks = bytes.length === 0 ? [] : [bytes]
    this.#sizeBytes = bytes.length
    return frames
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function fromTuple(tuple: unknown): TrunkFrame {
  const [kind, a, b, c, d, e, f, g] = items(tuple)
  switch (kind) {
    case KINDS.covered:
      return {
        kind: 'covered',
        slot: count(a),
        turn: count(b),
        wants: items(c).map(text),
        position: { sequence: count(d), index: count(e) },
        incarnation: count(f),
        rows: items(g).map(toRow),
      }
    case KINDS.events:
      return {
        kind: 'events',
        slot: count(a),
        topic: text(b),
        index: count(c),
        events: items(d).map(toEvent),
      }
    case KINDS.ended:
      return {
        kind: 'ended',
        slot: count(a),
        topic: text(b),
        incarnation: count(c),
        latest: count(d),
        index: count(e),
      }
    case KINDS.marks:
      return { kind: 'marks', marks: items(a).map(toMark) }
    case KINDS.refused:
      return { kind: 'refused', slot: count(a), turn: count(b) }
    case KINDS.interrupted:
      return { kind: 'interrupted', slot: count(a) }
    default:
      throw new Error('trunk: a frame of unknown kind')
  }
}

function toRow(raw: unknown): TrunkRow {
  const [topic, incarnation, earliest, latest] = items(raw)
  return {
    topic: text(topic),
    incarnation: count(incarnation),
    earliest: count(earliest),
    latest: count(latest),
  }
}

function toMark(raw: unknown): TrunkMark {
  const [slot, sequence, index, led, depth] = items(raw)
  const position = { sequence: count(sequence), index: count(index) }
  return { slot: count(slot), position, led: led === true, depth: count(depth) }
}

function toEvent(raw: unknown): StoredEvent {
  const [offset, incarnation, sequence, timeMs, data, id, type, contentType, attributes] = items(raw)
  if (!(data instanceof Uint8Array)) throw new Error('trunk: an event without bytes')
  return {
    offset: count(offset),
    incarnation: count(incarnation),
    sequence: count(sequence),
    timeMs: count(timeMs),
    data: data.length < COPY_BELOW_BYTES ? new Uint8Array(data) : data,
    ...optionalText('id', id),
    ...optionalText('type', type),
    ...optionalText('contentType', contentType),
    ...(attributes === null ? {} : { attributes: texts(attributes) }),
  }
}

function optionalText(name: string, value: unknown): Record<string, string> {
  return value === null ? {} : { [name]: text(value) }
}

function texts(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error('trunk: attributes are wrong')
  }
  for (const one of Object.values(value)) text(one)
  return value as Record<string, string>
}
