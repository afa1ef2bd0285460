import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { Feed } from './feed.ts'
import { type Batch, SharedReads } from './shared-reads.ts'
import type { Subscriber } from './subscriber.ts'

/** What was made for the last subscriber served. */
interface Made {
  readonly from: number
  readonly encoding: string
  readonly batch: Batch | null
}

/** A turn of all subscribers that stand in the same stretch of offsets when it begins. */
interface Turn {
  readonly feed: Feed
  /** First offset of the stretch. */
  readonly stretch: number
  readonly subscribers: Subscriber[]
}

/**
 * Serves subscribers that are behind their feed's ring from the log. They take turns: each gets one bounded batch,
 * then the next one. One of these turns begins in a turn of the event loop, a bounded number is under way, and live
 * streams are flushed in between. What is read and framed for one serves all that come by it.
 */
export class Replayer {
  readonly #clock: Clock
  readonly #random: () => number
  readonly #reads: SharedReads
  /** Turns to come, in order, and by feed and stretch. */
  readonly #queue: Turn[] = []
  readonly #queued = new Map<Feed, Map<number, Turn>>()
  /** Could not be served just now; they come back into the queue after a pause. */
  #later: Subscriber[] = []
  #underWay = 0
  #scheduled = false

  /** @param blockEvents as many as are read at a time */
  constructor(clock: Clock, random: () => number, blockEvents: number) {
    this.#clock = clock
    this.#random = random
    this.#reads = new SharedReads(clock, blockEvents)
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
    const { first: stretch } = this.#reads.stretch(subscriber.next)
    const turns = this.#queued.get(feed) ?? new Map<number, Turn>()
    this.#queued.set(feed, turns)
    const known = turns.get(stretch)
    if (known) {
      known.subscribers.push(subscriber)
      return
    }
    const turn: Turn = { feed, stretch, subscribers: [subscriber] }
    turns.set(stretch, turn)
    this.#queue.push(turn)
  }

  #schedule(): void {
    if (this.#scheduled || this.#queue.length === 0 || this.#underWay >= LIMITS.MAX_REPLAY_READS) return
    this.#scheduled = true
    this.#clock.endOfTurn(() => {
      this.#scheduled = false
      this.#begin()
      this.#schedule()
    })
  }

  /** The next turn that anybody still waits for. */
  #begin(): void {
    for (let turn = this.#next(); turn !== undefined; turn = this.#next()) {
      const { feed, subscribers } = turn
      const waiting = subscribers.filter(({ open }) => open)
      for (const one of subscribers) if (!one.open) one.replaying = false
      if (feed.ended) for (const one of waiting) release(one)
      else if (waiting.length > 0) {
        this.#underWay += 1
        void this.#serve(feed, waiting)
        return
      }
    }
  }

  #next(): Turn | undefined {
    const turn = this.#queue.shift()
    if (turn === undefined) return undefined
    const turns = this.#queued.get(turn.feed)!
    turns.delete(turn.stretch)
    if (turns.size === 0) this.#queued.delete(turn.feed)
    return turn
  }

  async #serve(feed: Feed, subscribers: Subscriber[]): Promise<void> {
    // In their order: a read that begins at the first of them serves all. Those at the same place are next to each
    // other, and share what is made for them.
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
        const batch = await this.#reads.next(feed, encoding, from)
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
    this.#underWay -= 1
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
