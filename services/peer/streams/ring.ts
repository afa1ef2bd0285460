import type { StoredEvent } from '../topics/types.ts'
import type { Encoding } from './frames.ts'

interface Entry {
  readonly event: StoredEvent
  /** Bytes by the encoding's name, made when first asked for. */
  readonly frames: Map<string, Buffer>
}

/** Frames that leave in one write: events `from` to `to`. */
export interface Chunk {
  readonly bytes: Buffer
  readonly to: number
}

/** What one event costs beside its payload and frames. */
const ENTRY_BYTES = 256
/** The dropped front of the array is cut off when it is this long: keeps dropping cheap. */
const SLACK_ENTRIES = 1_024

/**
 * Recent events of one topic, consecutive offsets, with their frames: each becomes bytes once per encoding,
 * however many subscribers it goes to. Bounded by `maxEvents` and `maxBytes`; the newest always stays.
 */
export class Ring {
  readonly #maxEvents: number
  readonly #maxBytes: number
  #entries: Entry[] = []
  /** Entries at the array's front that have been dropped. */
  #dropped = 0
  #first: number
  #sizeBytes = 0

  /** `first` is the offset that the first event put in will have. */
  constructor(first: number, maxEvents: number, maxBytes: number) {
    this.#first = first
    this.#maxEvents = maxEvents
    this.#maxBytes = maxBytes
  }

  /** Lowest offset held; one past the last when empty. */
  get first(): number {
    return this.#first
  }

  /** Highest offset held; one before `first` when empty. */
  get last(): number {
    return this.#first + this.#entries.length - this.#dropped - 1
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Puts the next event in; its offset must be `last + 1`. */
  push(event: StoredEvent): void {
    if (event.offset !== this.last + 1) {
      throw new Error(`ring: offset ${event.offset} after ${this.last}`)
    }
    this.#entries.push({ event, frames: new Map() })
    this.#sizeBytes += event.data.length + ENTRY_BYTES
    this.trim()
  }

  /** Forgets everything; the next event will be `first`. */
  restart(first: number): void {
    this.#entries = []
    this.#dropped = 0
    this.#first = first
    this.#sizeBytes = 0
  }

  /** Drops the oldest until the bounds hold. Frames count, so this is called again after they were made. */
  trim(): void {
    while (this.#entries.length - this.#dropped > 1 && this.#isOver()) {
      const entry = this.#entries[this.#dropped]!
      this.#dropped += 1
      this.#first += 1
      this.#sizeBytes -= entry.event.data.length + ENTRY_BYTES
      for (const frame of entry.frames.values()) this.#sizeBytes -= frame.length
    }
    if (this.#dropped > SLACK_ENTRIES && this.#dropped * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#dropped)
      this.#dropped = 0
    } else if (this.#dropped > 0) {
      this.#release()
    }
  }

  /** Frames from `from` (which must be held) on, at least one, then no more than `maxBytes`. */
  chunk(encoding: Encoding, from: number, maxBytes: number): Chunk {
    const frames: Buffer[] = []
    let sizeBytes = 0
    let to = from - 1
    while (to < this.last) {
      const frame = this.#frame(encoding, to + 1)
      if (frames.length > 0 && sizeBytes + frame.length > maxBytes) break
      frames.push(frame)
      sizeBytes += frame.length
      to += 1
    }
    return { bytes: frames.length === 1 ? frames[0]! : Buffer.concat(frames, sizeBytes), to }
  }

  #frame(encoding: Encoding, offset: number): Buffer {
    const entry = this.#entries[offset - this.#first + this.#dropped]!
    let frame = entry.frames.get(encoding.name)
    if (frame === undefined) {
      frame = encoding.event(entry.event)
      entry.frames.set(encoding.name, frame)
      this.#sizeBytes += frame.length
    }
    return frame
  }

  #isOver(): boolean {
    return this.#entries.length - this.#dropped > this.#maxEvents || this.#sizeBytes > this.#maxBytes
  }

  /** Lets go of dropped payloads that still sit in the array. */
  #release(): void {
    for (let at = this.#dropped - 1; at >= 0 && this.#entries[at] !== RELEASED; at -= 1) {
      this.#entries[at] = RELEASED
    }
  }
}

const RELEASED: Entry = {
  event: { offset: 0, incarnation: 0, sequence: 0, timeMs: 0, data: new Uint8Array(0) },
  frames: new Map(),
}
