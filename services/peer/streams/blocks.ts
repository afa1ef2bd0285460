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

  /** The frames from an offset on that is in the block; those of all of it are the same buffer for everybody. */
  from(offset: number): Buffer {
    return offset === this.first ? this.bytes : this.bytes.subarray(this.#starts[offset - this.first])
  }
}

/**
 * The blocks of history last framed: those who are far behind at different places come by the same events one after the
 * other, and each event becomes bytes once for all of them. Bounded, and forgotten when nobody has asked for a while.
 */
export class Blocks<Owner extends object> {
  readonly #clock: Clock
  /** By owner, then by encoding and first offset. */
  #blocks = new Map<Owner, Map<string, Block>>()
  /** Being read, by owner and key. */
  readonly #coming = new Map<Owner, Map<string, Promise<Block | undefined>>>()
  /** Oldest first. */
  #order: { readonly owner: Owner; readonly key: string; readonly block: Block }[] = []
  #sizeBytes = 0
  #isUsed = false
  #cancel: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get(owner: Owner, encoding: Encoding, first: number): Block | undefined {
    this.#isUsed = true
    return this.#blocks.get(owner)?.get(keyOf(encoding, first))
  }

  /**
   * The block that begins at `first` and reaches `to`: the one held, or else what `read` gives, which is asked once at a
   * time. That may reach less far, and is then of no use.
   */
  async fetch(
    owner: Owner,
    encoding: Encoding,
    { first, to }: { readonly first: number; readonly to: number },
    read: () => Promise<Block | undefined>,
  ): Promise<Block | undefined> {
    const known = this.get(owner, encoding, first)
    if (known && known.last >= to) return known
    const key = keyOf(encoding, first)
    const coming = this.#coming.get(owner) ?? new Map<string, Promise<Block | undefined>>()
    this.#coming.set(owner, coming)
    const started = coming.get(key)
    if (started) return started
    const reading = read()
    coming.set(key, reading)
    try {
      const block = await reading
      if (block) this.put(owner, encoding, block)
      return block
    } finally {
      coming.delete(key)
      if (coming.size === 0) this.#coming.delete(owner)
    }
  }

  put(owner: Owner, encoding: Encoding, block: Block): void {
    const key = keyOf(encoding, block.first)
    const own = this.#blocks.get(owner) ?? new Map<string, Block>()
    this.#blocks.set(owner, own.set(key, block))
    this.#order.push({ owner, key, block })
    this.#sizeBytes += block.bytes.length
    while (this.#sizeBytes > LIMITS.MAX_BLOCK_BYTES && this.#order.length > 1) this.#dropOldest()
    this.#isUsed = true
    this.#cancel ??= this.#clock.after(LIMITS.BLOCK_IDLE_MS, () => this.#look())
  }

  #dropOldest(): void {
    const { owner, key, block } = this.#order.shift()!
    this.#sizeBytes -= block.bytes.length
    const own = this.#blocks.get(owner)
    // The end of a topic's history is put in again when it has grown.
    if (own?.get(key) === block) own.delete(key)
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

function keyOf(encoding: Encoding, first: number): string {
  return `${encoding.name}:${first}`
}
