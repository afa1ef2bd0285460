import type { Feed } from './feed.ts'
import type { Encoding, EndReason, FeedView } from './frames.ts'
import type { Sink } from './types.ts'
import { Unsent } from './unsent.ts'

export interface SubscriberOptions {
  readonly topic: string
  readonly encoding: Encoding
  readonly sink: Sink
  /** Bytes waiting in its socket from which on it is not fed. */
  readonly bufferBytes: number
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Events written to all subscribers of its kind. */
  readonly tally: { deliveries: number }
  /** The sink is gone, whatever the cause. Called once. */
  readonly onClosed: (subscriber: Subscriber) => void
}

/**
 * One stream to one client: its position and its socket. It writes what it is given and knows whether the socket
 * takes it; what to write is the feed's and the replayer's affair.
 */
export class Subscriber {
  readonly topic: string
  readonly encoding: Encoding
  readonly #sink: Sink
  readonly #bufferBytes: number
  readonly #now: () => number
  readonly #tally: { deliveries: number }
  readonly #onClosed: (subscriber: Subscriber) => void
  /** Set once the life of the topic is known that this stream shows. */
  feed: Feed | undefined
  /** Offset of the next event it gets; 0 until it has a feed. */
  next = 0
  /** The client knows its position: a frame with an id has gone out. */
  positioned = false
  /** The replayer works for it: the feed leaves it alone. */
  replaying = false
  #state: 'open' | 'ending' | 'closed' = 'open'
  #needsDrain = false
  readonly #unsent: Unsent
  #lastWriteMs: number

  constructor(options: SubscriberOptions) {
    this.topic = options.topic
    this.encoding = options.encoding
    this.#sink = options.sink
    this.#bufferBytes = options.bufferBytes
    this.#now = options.now
    this.#tally = options.tally
    this.#onClosed = options.onClosed
    this.#lastWriteMs = this.#now()
    this.#unsent = new Unsent(options.sink, options.now)
    this.#sink.on('drain', () => this.#drained())
    this.#sink.on('close', () => this.#closed())
    this.#sink.on('error', () => this.#closed())
    if (this.#sink.destroyed) this.#closed()
  }

  get open(): boolean {
    return this.#state === 'open'
  }

  /** Its buffer is over the bound: nothing more until it has drained. */
  get blocked(): boolean {
    return this.#needsDrain && this.#sink.writableLength >= this.#bufferBytes
  }

  /** Its socket did not take everything at once: a replay waits for it. */
  get congested(): boolean {
    return this.#needsDrain
  }

  write(bytes: Buffer): void {
    if (this.#state !== 'open') return
    this.#lastWriteMs = this.#now()
    this.#unsent.wrote(bytes.length)
    if (!this.#sink.write(bytes)) this.#needsDrain = true
  }

  /** Writes events up to `to` (inclusive) and stands behind them. */
  deliver(bytes: Buffer, to: number, count: number): void {
    this.next = to + 1
    this.positioned = true
    this.#tally.deliveries += count
    this.write(bytes)
  }

  /** Ends the stream in order, for good, with a frame that says why. */
  finish(reason: EndReason): void {
    const position = this.positioned ? this.next - 1 : undefined
    this.write(this.encoding.end(reason, this.feed?.incarnation ?? 0, position))
    this.close()
  }

  /** Ends the response without a word: the client comes again, here or elsewhere. */
  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'ending'
    this.#sink.end()
  }

  /** Drops the socket with what it still holds. */
  destroy(): void {
    this.#sink.destroy()
    this.#closed()
  }

  /** A sign of life when nothing was written since `sinceMs`. */
  heartbeat(sinceMs: number, view: FeedView | undefined): void {
    if (this.#lastWriteMs > sinceMs || this.#needsDrain) return
    this.write(this.encoding.heartbeat(view))
  }

  /** True when bytes wait and none has left for `timeoutMs`. To be asked now and then. */
  stalled(timeoutMs: number): boolean {
    return this.#unsent.stalled(timeoutMs)
  }

  #drained(): void {
    this.#needsDrain = false
    this.#unsent.drained()
    if (this.#state === 'open') this.feed?.pump(this)
  }

  #closed(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#onClosed(this)
  }
}
