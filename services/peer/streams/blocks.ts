import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { StoredEvent } from '../topics/types.ts'
import type { Encoding } from './frames.ts'

/** Frames of consecutive events of one life of a topic, in one encoding. */
export class Block {
  readonly bytes: Buffer
  /** Offset of the first event. */
  readonly first: number
  /** Where the frame of each event begins. */
  readonly #starts: readonly number[]

  constructor(encoding: Encoding, events: readonly StoredEvent[]) {
    const frames = events.map(event => encoding.event(event))
    let at = 0
    this.#starts = frames.map(frame => {
      const start = at
      at += frame.length
      return start
    })
    this.bytes = Buffer.concat(frames, at)
    this.first = events[0]!.offset
  }

  get last(): number {
    return this.first + this.#starts.length - 1
  }

  has(offset: number): boolean {
    return offset >= this.first && offset <= this.last
  }

  /** The frames from an offset on that is in the block; those of all of it are the same buffer for everybody. */
  from(offset: number): Buffer {
    return offset === this.first ? this.bytes : this.bytes.subarray(this.#starts[offset - this.first])
  }
}

/** Offsets that are read together, both ends included. */
export interface Stretch {
  readonly first: number
  readonly last: number
}

/**
 * The blocks of history last framed: those who are far behind at different places come by the same events one after the
 * other, and each event becomes bytes once for all of them. No block reaches over the end of its stretch, so that all
 * meet there. Bounded, and forgotten when nobody has asked for a while.
 */
export class Blocks<Owner extends object> {
  readonly #clock: Clock
  readonly #stretchEvents: number
  /** By owner, then by encoding and stretch; none lies within another. */
  #blocks = new Map<Owner, Map<string, Block[]>>()
  /** Oldest first. */
  #order: { readonly owner: Owner; readonly key: string; readonly block: Block }[] = []
  #sizeBytes = 0
  #isUsed = false
  #cancel: (() => void) | undefined

  /** @param stretchEvents length of all stretches; the first begins with offset 1 */
  constructor(clock: Clock, stretchEvents: number) {
    this.#clock = clock
    this.#stretchEvents = stretchEvents
  }

  /** The stretch that an offset is in. */
  stretch(offset: number): Stretch {
    const before = offset - 1 - ((offset - 1) % this.#stretchEvents)
    return { first: before + 1, last: before + this.#stretchEvents }
  }

  /** The block that has an offset. */
  find(owner: Owner, encoding: Encoding, offset: number): Block | undefined {
    this.#isUsed = true
    const blocks = this.#blocks.get(owner)?.get(this.#key(encoding, offset))
    return blocks?.find(block => block.has(offset))
  }

  /** Keeps a block, which must be within one stretch, in place of those that it has all events of. */
  put(owner: Owner, encoding: Encoding, block: Block): void {
    const key = this.#key(encoding, block.first)
    const own = this.#blocks.get(owner) ?? new Map<string, Block[]>()
    const others = own.get(key)?.filter(({ first, last }) => !block.has(first) || !block.has(last)) ?? []
    this.#blocks.set(owner, own.set(key, [...others, block]))
    this.#order.push({ owner, key, block })
    this.#sizeBytes += block.bytes.length
    while (this.#sizeBytes > LIMITS.MAX_BLOCK_BYTES && this.#order.length > 1) this.#dropOldest()
    this.#isUsed = true
    this.#cancel ??= this.#clock.after(LIMITS.BLOCK_IDLE_MS, () => this.#look())
  }

  #key(encoding: Encoding, offset: number): string {
    return `${encoding.name}:${this.stretch(offset).first}`
  }

  #dropOldest(): void {
    const { owner, key, block } = this.#order.shift()!
    this.#sizeBytes -= block.bytes.length
    const own = this.#blocks.get(owner)
    const left = own?.get(key)?.filter(one => one !== block) ?? []
    if (left.length > 0) own?.set(key, left)
    else own?.delete(key)
    if (own?.size === 0) this.#blocks.delete(owner)
  }

  #look(): void {
    this.#cancel = undefined
    if (!this.#isUsed) {
      this.#blocks = new Map()
      this.#order = []
      this.#sizeBytes = 0
      return
    }
    this.#isUsed = false
    this.#cancel = this.#clock.after(LIMITS.BLOCK_IDLE_MS, () => this.#look())
  }
}
