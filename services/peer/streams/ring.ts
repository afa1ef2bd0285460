import { ownBytes } from '../engine/own-bytes.ts'

/** Makes bytes of an item; framers of one name give the same bytes for the same item. */
export interface Framer<Item> {
  readonly name: string
  event(item: Item): Buffer
}

interface Entry<Item> {
  readonly item: Item
  /** Bytes by the encoding's name, made when first asked for. */
  readonly frames: Map<string, Buffer>
}

/** Frames that leave in one write: items `from` to `to`. */
export interface Chunk {
  readonly bytes: Buffer
  readonly to: number
}

/** What one item costs beside its payload and frames. */
const ENTRY_BYTES = 256
/** The dropped front of the array is cut off when it is this long: keeps dropping cheap. */
const SLACK_ENTRIES = 1_024

/**
 * Recent items, such as events of one topic by offset, with consecutive numbers and with their frames: each becomes
 * bytes once per framer, however many subscribers it goes to. Bounded by `maxItems` and `maxBytes`; the newest always
 * stays.
 */
export class Ring<Item> {
  readonly #maxItems: number
  readonly #maxBytes: number
  readonly #sizeOf: (item: Item) => number
  readonly #onDrop: ((item: Item, number: number) => void) | undefined
  /** Undefined: dropped. */
  #entries: (Entry<Item> | undefined)[] = []
  /** Entries at the array's front that have been dropped. */
  #dropped = 0
  #first: number
  #sizeBytes = 0

  /**
   * @param first number that the first item put in will have
   * @param sizeOf payload bytes of an item
   * @param onDrop told of each item that leaves by the bounds or by `dropTo`, just before it does
   */
  constructor(
    first: number,
    maxItems: number,
    maxBytes: number,
    sizeOf: (item: Item) => number,
    onDrop?: (item: Item, number: number) => void,
  ) {
    this.#first = first
    this.#maxItems = maxItems
    this.#maxBytes = maxBytes
    this.#sizeOf = sizeOf
    this.#onDrop = onDrop
  }

  /** Lowest number held; one past the last when empty. */
  get first(): number {
    return this.#first
  }

  /** Highest number held; one before `first` when empty. */
  get last(): number {
    return this.#first + this.#entries.length - this.#dropped - 1
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Puts the next item in; its number must be `last + 1`. */
  push(number: number, item: Item): void {
    if (number !== this.last + 1) throw new Error(`ring: number ${number} after ${this.last}`)
    this.#entries.push({ item, frames: new Map() })
    this.#sizeBytes += this.#sizeOf(item) + ENTRY_BYTES
    this.trim()
  }

  /** The item of a number that is held. */
  item(number: number): Item {
    return this.#entry(number).item
  }

  /** Forgets everything; the next item will be `first`. */
  restart(first: number): void {
    this.#entries = []
    this.#dropped = 0
    this.#first = first
    this.#sizeBytes = 0
  }

  /** Drops the oldest until the bounds hold. Frames count, so this is called again after they were made. */
  trim(): void {
    while (this.#entries.length - this.#dropped > 1 && this.#isOver()) this.#drop()
    this.#cut()
  }

  /** Drops everything up to `number`, which nobody needs any more. */
  dropTo(number: number): void {
    while (this.#first <= Math.min(number, this.last)) this.#drop()
    this.#cut()
  }

  /** Frames from `from` (which must be held) to `upTo`, at least one, then no more than `maxBytes`. */
  chunk(framer: Framer<Item>, from: number, maxBytes: number, upTo = this.last): Chunk {
    const frames: Buffer[] = []
    let sizeBytes = 0
    let to = from - 1
    while (to < upTo) {
      const frame = this.frame(framer, to + 1)
      if (frames.length > 0 && sizeBytes + frame.length > maxBytes) break
      frames.push(frame)
      sizeBytes += frame.length
      to += 1
    }
    return { bytes: frames.length === 1 ? frames[0]! : Buffer.concat(frames, sizeBytes), to }
  }

  /** The frame of a number that is held. */
  frame(framer: Framer<Item>, number: number): Buffer {
    const entry = this.#entry(number)
    let frame = entry.frames.get(framer.name)
    if (frame === undefined) {
      frame = ownBytes(framer.event(entry.item))
      entry.frames.set(framer.name, frame)
      this.#sizeBytes += frame.length
    }
    return frame
  }

  #entry(number: number): Entry<Item> {
    return this.#entries[number - this.#first + this.#dropped]!
  }

  #isOver(): boolean {
    return this.#entries.length - this.#dropped > this.#maxItems || this.#sizeBytes > this.#maxBytes
  }

  #drop(): void {
    const { item, frames } = this.#entries[this.#dropped]!
    this.#onDrop?.(item, this.#first)
    // Lets go of the payload, which would still sit in the array.
    this.#entries[this.#dropped] = undefined
    this.#dropped += 1
    this.#first += 1
    this.#sizeBytes -= this.#sizeOf(item) + ENTRY_BYTES
    for (const frame of frames.values()) this.#sizeBytes -= frame.length
  }

  /** Cuts the dropped front off the array when it has grown long. */
  #cut(): void {
    if (this.#dropped <= SLACK_ENTRIES || this.#dropped * 2 <= this.#entries.length) return
    this.#entries = this.#entries.slice(this.#dropped)
    this.#dropped = 0
  }
}
