import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
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

/** One read of the log, for all subscribers that stand at the same place when it begins. */
interface Read {
  readonly feed: Feed
  readonly from: number
  readonly subscribers: Subscriber[]
}

/**
 * Serves subscribers that are behind their feed's ring from the log. They take turns: each gets one bounded batch,
 * then the next one. One read begins in a turn of the event loop, a bounded number is under way, and live streams are
 * flushed in between. Subscribers at the same place share the read and the bytes.
 */
export class Replayer {
  readonly #clock: Clock
  readonly #random: () => number
  /** Reads to come, in order, by feed and offset. */
  readonly #queue: Read[] = []
  readonly #queued = new Map<Feed, Map<number, Read>>()
  /** Could not be served just now; they come back into the queue after a pause. */
  #later: Subscriber[] = []
  #reads = 0
  #scheduled = false

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock
    this.#random = random
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
    const from = subscriber.next
    const byOffset = this.#queued.get(feed) ?? new Map<number, Read>()
    this.#queued.set(feed, byOffset)
    const known = byOffset.get(from)
    if (known) {
      known.subscribers.push(subscriber)
      return
    }
    const read: Read = { feed, from, subscribers: [subscriber] }
    byOffset.set(from, read)
    this.#queue.push(read)
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
    const byOffset = this.#queued.get(read.feed)!
    byOffset.delete(read.from)
    if (byOffset.size === 0) this.#queued.delete(read.feed)
    return read
  }

  async #serve({ feed, from, subscribers }: Read): Promise<void> {
    const slice = await feed.slice(from)
    this.#reads -= 1
    const batches = new Map<string, Batch | null>()
    let untilMs = this.#clock.monotonicMs() + LIMITS.FLUSH_SLICE_MS
    for (const subscriber of subscribers) {
      if (this.#clock.monotonicMs() >= untilMs) {
        await new Promise<void>(resolve => this.#clock.endOfTurn(resolve))
        untilMs = this.#clock.monotonicMs() + LIMITS.FLUSH_SLICE_MS
      }
      if (!subscriber.open) {
        subscriber.replaying = false
        continue
      }
      const { encoding } = subscriber
      let batch = batches.get(encoding.name)
      if (batch === undefined) {
        batch = slice && makeBatch(feed.incarnation, slice, encoding, from)
        batches.set(encoding.name, batch)
      }
      if (batch === null && !feed.ended) {
        this.#postpone(subscriber)
        continue
      }
      if (batch !== null) subscriber.deliver(batch.bytes, batch.to, batch.count)
      release(subscriber)
    }
    this.#schedule()
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
