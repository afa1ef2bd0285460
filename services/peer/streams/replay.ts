import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import { Block, Blocks } from './blocks.ts'
import type { Feed } from './feed.ts'
import type { Encoding } from './frames.ts'
import type { Slice } from './source.ts'
import type { Subscriber } from './subscriber.ts'

/** What one read of the log gives a subscriber. */
interface Batch {
  readonly bytes: Buffer
  readonly to: number
  readonly count: number
}

/** What was made for the last subscriber served. */
interface Made {
  readonly from: number
  readonly encoding: string
  readonly batch: Batch | null
}

/** One read of the log, for all subscribers that stand in the same block of offsets when it begins. */
interface Read {
  readonly feed: Feed
  /** Number of the block. */
  readonly block: number
  readonly subscribers: Subscriber[]
}

/**
 * Serves subscribers that are behind their feed's ring from the log. They take turns: each gets one bounded batch,
 * then the next one. One read begins in a turn of the event loop, a bounded number is under way, and live streams are
 * flushed in between. Whole blocks of history are read and framed once for all subscribers that come by them.
 */
export class Replayer {
  readonly #clock: Clock
  readonly #random: () => number
  readonly #blockEvents: number
  readonly #blocks: Blocks<Feed>
  /** Reads to come, in order, by feed and block. */
  readonly #queue: Read[] = []
  readonly #queued = new Map<Feed, Map<number, Read>>()
  /** Could not be served just now; they come back into the queue after a pause. */
  #later: Subscriber[] = []
  #reads = 0
  #scheduled = false

  /** @param blockEvents as many as a feed reads at a time */
  constructor(clock: Clock, random: () => number, blockEvents: number) {
    this.#clock = clock
    this.#random = random
    this.#blockEvents = blockEvents
    this.#blocks = new Blocks(clock)
  }

  /** Serves `subscriber` until its feed's ring has its next event; the feed leaves it alone meanwhile. */
  enqueue(subscriber: Subscriber): void {
    if (subscriber.replaying || subscriber.congested) return
    subscriber.replaying = true
    this.#line(subscriber)
    this.#schedule()
  }

  #line(subscriber: Subscriber): void {
    const feed = subscriber.feed!
    const block = this.#blockOf(subscriber.next)
    const byBlock = this.#queued.get(feed) ?? new Map<number, Read>()
    this.#queued.set(feed, byBlock)
    const known = byBlock.get(block)
    if (known) {
      known.subscribers.push(subscriber)
      return
    }
    const read: Read = { feed, block, subscribers: [subscriber] }
    byBlock.set(block, read)
    this.#queue.push(read)
  }

  #blockOf(offset: number): number {
    return Math.floor((offset - 1) / this.#blockEvents)
  }

  #schedule(): void {
    if (this.#scheduled || this.#queue.length === 0 || this.#reads >= LIMITS.MAX_REPLAY_READS) return
    this.#scheduled = true
    this.#clock.endOfTurn(() => {
      this.#scheduled = false
      this.#begin()
      this.#schedule()
    })
  }

  /** The next read that anybody still waits for. */
  #begin(): void {
    for (let read = this.#next(); read !== undefined; read = this.#next()) {
      const { feed, subscribers } = read
      const waiting = subscribers.filter(({ open }) => open)
      for (const one of subscribers) if (!one.open) one.replaying = false
      if (feed.ended) for (const one of waiting) release(one)
      else if (waiting.length > 0) {
        this.#reads += 1
        void this.#serve({ ...read, subscribers: waiting })
        return
      }
    }
  }

  #next(): Read | undefined {
    const read = this.#queue.shift()
    if (read === undefined) return undefined
    const byBlock = this.#queued.get(read.feed)!
    byBlock.delete(read.block)
    if (byBlock.size === 0) this.#queued.delete(read.feed)
    return read
  }

  async #serve({ feed, block: number, subscribers }: Read): Promise<void> {
    const first = number * this.#blockEvents + 1
    // Those at the same place are next to each other: they share what is made for them.
    subscribers.sort((one, other) => one.next - other.next)
    let made: Made | undefined
    let untilMs = this.#clock.monotonicMs() + LIMITS.FLUSH_SLICE_MS
    for (const subscriber of subscribers) {
      if (this.#clock.monotonicMs() >= untilMs) {
        await new Promise<void>(resolve => this.#clock.endOfTurn(resolve))
        untilMs = this.#clock.monotonicMs() + LIMITS.FLUSH_SLICE_MS
      }
      const { encoding, next: from } = subscriber
      const isSame = made?.from === from && made.encoding === encoding.name
      // Who stands further on than somebody for whom nothing could be read waits with that one.
      if (subscriber.open && !isSame && made?.batch !== null) {
        const wanted = { first, to: from }
        const block = await this.#blocks.fetch(feed, encoding, wanted, () =>
          this.#read(feed, encoding, first),
        )
        const batch =
          block && block.last >= from ? tailOf(block, from) : await this.#piece(feed, encoding, from)
        made = { from, encoding: encoding.name, batch }
      }
      if (!subscriber.open) subscriber.replaying = false
      else if (made!.batch === null && !feed.ended) this.#postpone(subscriber)
      else {
        const { batch } = made!
        if (batch !== null) subscriber.deliver(batch.bytes, batch.to, batch.count)
        release(subscriber)
      }
    }
    this.#reads -= 1
    this.#schedule()
  }

  /** The block that begins at an offset, as far as there are events; undefined where one read does not give it so. */
  async #read(feed: Feed, encoding: Encoding, first: number): Promise<Block | undefined> {
    const slice = await feed.slice(first)
    const events = slice?.events.slice(0, this.#blockEvents) ?? []
    const isWhole = events.length > 0 && events.every(({ offset }, at) => offset === first + at)
    return isWhole ? new Block(encoding, events) : undefined
  }

  /** What one read gives from an offset on. */
  async #piece(feed: Feed, encoding: Encoding, from: number): Promise<Batch | null> {
    const slice = await feed.slice(from)
    return slice && makeBatch(feed.incarnation, slice, encoding, from)
  }

  /** The replica that was read is behind, or none could be read. */
  #postpone(subscriber: Subscriber): void {
    this.#later.push(subscriber)
    if (this.#later.length > 1) return
    this.#clock.after(LIMITS.RETRY_MAX_MS * (0.5 + this.#random() / 2), () => {
      for (const one of this.#later.splice(0)) this.#line(one)
      this.#schedule()
    })
  }
}

function tailOf(block: Block, from: number): Batch {
  return { bytes: block.from(from), to: block.last, count: block.last - from + 1 }
}

/** Back to the feed, which writes from its ring, or sends it here again when that does not reach back far enough. */
function release(subscriber: Subscriber): void {
  subscriber.replaying = false
  subscriber.feed?.pump(subscriber)
}

/** Frames of a slice from `from` on, gaps included; null when the slice says nothing about `from`. */
function makeBatch(incarnation: number, slice: Slice, encoding: Encoding, from: number): Batch | null {
  const frames: Buffer[] = []
  let next = from
  const skipTo = (offset: number) => {
    if (offset > next) frames.push(encoding.gap(incarnation, next, offset - 1))
    next = Math.max(next, offset)
  }
  skipTo(slice.earliest)
  let count = 0
  for (const event of slice.events) {
    if (event.offset < next) continue
    skipTo(event.offset)
    frames.push(encoding.event(event))
    next = event.offset + 1
    count += 1
  }
  return next === from ? null : { bytes: Buffer.concat(frames), to: next - 1, count }
}
