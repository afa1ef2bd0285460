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

/** One read of the log, shared by all subscribers that need it in this turn. */
interface Read {
  readonly feed: Feed
  readonly from: number
  readonly subscribers: Subscriber[]
}

/**
 * Serves subscribers that are behind their feed's ring from the log. They take turns: each gets one bounded batch,
 * then the next one; a bounded number of reads runs at a time, and live streams are flushed in between. Subscribers at
 * the same place share the read and the bytes.
 */
export class Replayer {
  readonly #clock: Clock
  readonly #random: () => number
  #queue: Subscriber[] = []
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
    this.#queue.push(subscriber)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled || this.#queue.length === 0 || this.#reads >= LIMITS.MAX_REPLAY_READS) return
    this.#scheduled = true
    this.#clock.endOfTurn(() => {
      this.#scheduled = false
      this.#turn()
    })
  }

  #turn(): void {
    const queue = this.#queue
    this.#queue = []
    const reads = new Map<Feed, Map<number, Read>>()
    for (const subscriber of queue) {
      const feed = subscriber.feed!
      if (!subscriber.open || feed.ended) {
        release(subscriber)
        continue
      }
      const read = this.#join(reads, feed, subscriber.next)
      if (read === undefined) this.#queue.push(subscriber)
      else read.subscribers.push(subscriber)
    }
    for (const byOffset of reads.values()) for (const read of byOffset.values()) void this.#serve(read)
  }

  /** The read of this turn that starts at `from`; undefined when it would be one too many. */
  #join(reads: Map<Feed, Map<number, Read>>, feed: Feed, from: number): Read | undefined {
    const known = reads.get(feed)?.get(from)
    if (known !== undefined || this.#reads >= LIMITS.MAX_REPLAY_READS) return known
    const read: Read = { feed, from, subscribers: [] }
    const byOffset = reads.get(feed) ?? new Map<number, Read>()
    reads.set(feed, byOffset.set(from, read))
    this.#reads += 1
    return read
  }

  async #serve({ feed, from, subscribers }: Read): Promise<void> {
    const slice = await feed.slice(from)
    this.#reads -= 1
    const batches = new Map<string, Batch | null>()
    for (const subscriber of subscribers) {
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
      this.#queue.push(...this.#later.splice(0))
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
