import { LIMITS } from '../limits.ts'
import type { StoredEvent } from '../topics/types.ts'
import type { StreamBounds } from './bounds.ts'
import type { Flushable, Flusher } from './flusher.ts'
import type { Encoding, FeedView } from './frames.ts'
import type { Replayer } from './replay.ts'
import { type Chunk, Ring } from './ring.ts'
import type { Slice, SourceTarget, TopicSource } from './source.ts'
import type { Subscriber } from './subscriber.ts'

export interface FeedOptions {
  readonly topic: string
  readonly incarnation: number
  /** Last offset known when the feed begins. */
  readonly head: number
  readonly source: TopicSource
  readonly flusher: Flusher
  readonly replayer: Replayer
  readonly bounds: StreamBounds
  /** The topic's life is over, or the last subscriber has left: no new subscriber may be added. Called once. */
  readonly onDone: (feed: Feed) => void
}

/**
 * One life of one topic on this peer: recent events in a ring, and the subscribers that want them. A subscriber that
 * is within the ring is written to at each flush; one that is behind it is the replayer's until it is level again.
 * Where its source has the events from may change; offsets make sure that its subscribers notice nothing.
 */
export class Feed implements SourceTarget, Flushable {
  readonly topic: string
  readonly incarnation: number
  readonly #source: TopicSource
  readonly #flusher: Flusher
  readonly #replayer: Replayer
  readonly #onDone: (feed: Feed) => void
  readonly #ring: Ring<StoredEvent>
  readonly #subscribers = new Set<Subscriber>()
  /** Chunks made for this flush, by encoding and first offset: subscribers that are level write the same bytes. */
  readonly #chunks = new Map<string, Chunk>()
  /** A flush that is not through yet. */
  #round: Iterator<Subscriber> | undefined
  #ended = false
  #done = false

  constructor(options: FeedOptions) {
    this.topic = options.topic
    this.incarnation = options.incarnation
    this.#source = options.source
    this.#flusher = options.flusher
    this.#replayer = options.replayer
    this.#onDone = options.onDone
    const { ringEvents, ringBytes } = options.bounds
    this.#ring = new Ring(options.head + 1, ringEvents, ringBytes, event => event.data.length)
  }

  /** Starts the source. Kept apart from the constructor because the source may end the feed at once. */
  start(): void {
    this.#source.start(this)
  }

  get head(): number {
    return this.#ring.last
  }

  get ended(): boolean {
    return this.#ended
  }

  get size(): number {
    return this.#subscribers.size
  }

  view(): FeedView {
    return { incarnation: this.incarnation, earliest: this.#source.earliest(), latest: this.head }
  }

  publish(events: readonly StoredEvent[]): void {
    if (this.#ended) return
    for (const event of events) {
      if (event.offset <= this.head) continue
      if (event.offset > this.head + 1) this.#ring.restart(event.offset)
      this.#ring.push(event.offset, event)
    }
    this.#flusher.request(this)
  }

  jump(latest: number): void {
    if (this.#ended || latest <= this.head) return
    this.#ring.restart(latest + 1)
    this.#flusher.request(this)
  }

  end(latest: number | null): void {
    if (this.#ended) return
    if (latest !== null) this.jump(latest)
    this.#ended = true
    this.#flusher.request(this)
    this.#finish()
  }

  /** Takes a subscriber whose `next` is set, and tells its client its position if it can be told now. */
  add(subscriber: Subscriber): void {
    subscriber.feed = this
    this.#subscribers.add(subscriber)
    this.pump(subscriber)
  }

  remove(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber)
    if (this.#subscribers.size === 0) this.#finish()
  }

  /** Reads the log; see TopicSource.read. */
  slice(from: number, maxEvents: number): Promise<Slice | null> {
    return this.#source.read(from, maxEvents)
  }

  /** Whether a subscriber with the same frames stands before an offset, and so will come by it. */
  hasBefore(offset: number, encoding: Encoding): boolean {
    for (const one of this.#subscribers) {
      if (one.next < offset && one.encoding.name === encoding.name) return true
    }
    return false
  }

  flush(isOver: () => boolean): boolean {
    // A set's iterator goes on behind what was deleted, and reaches what was added.
    this.#round ??= this.#subscribers.values()
    for (let next = this.#round.next(); !next.done; next = this.#round.next()) {
      this.pump(next.value)
      if (isOver()) return false
    }
    this.#round = undefined
    this.#chunks.clear()
    this.#ring.trim()
    return true
  }

  /** Writes what there is for one subscriber, or hands it to the replayer. */
  pump(subscriber: Subscriber): void {
    if (!subscriber.open || subscriber.replaying || subscriber.blocked) return
    this.#position(subscriber)
    if (subscriber.next < this.#ring.first) {
      if (!this.#ended) {
        this.#replayer.enqueue(subscriber)
        return
      }
      this.#skip(subscriber, this.#ring.first - 1)
    }
    if (subscriber.next <= this.head) {
      const { next } = subscriber
      const chunk = this.#chunk(subscriber)
      subscriber.deliver(chunk.bytes, chunk.to, chunk.to - next + 1)
      if (chunk.to < this.head) this.#flusher.request(this)
    }
    if (this.#ended && subscriber.next > this.head) subscriber.finish('deleted')
  }

  /** Announces that events up to `to` are gone. */
  #skip(subscriber: Subscriber, to: number): void {
    const bytes = subscriber.encoding.gap(this.incarnation, subscriber.next, to)
    subscriber.deliver(bytes, to, 0)
  }

  /** A stream that starts in the future has no position that a cursor could name until that is reached. */
  #position(subscriber: Subscriber): void {
    if (subscriber.positioned || subscriber.next > this.head + 1) return
    subscriber.positioned = true
    subscriber.write(subscriber.encoding.position(this.view(), subscriber.next - 1))
  }

  #chunk(subscriber: Subscriber): Chunk {
    const key = `${subscriber.encoding.name}:${subscriber.next}`
    let chunk = this.#chunks.get(key)
    if (chunk === undefined) {
      chunk = this.#ring.chunk(subscriber.encoding, subscriber.next, LIMITS.LIVE_CHUNK_BYTES)
      this.#chunks.set(key, chunk)
    }
    return chunk
  }

  #finish(): void {
    if (this.#done) return
    this.#done = true
    this.#source.close()
    this.#onDone(this)
  }
}
