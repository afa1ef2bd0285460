import type { Feed } from './feed.ts'
import type { Encoding, EndReason } from './frames.ts'
import { Outlet, type OutletOptions } from './outlet.ts'

export interface SubscriberOptions extends OutletOptions {
  readonly topic: string
  readonly encoding: Encoding
  /** The sink is gone, whatever the cause. Called once. */
  readonly onClosed: (subscriber: Subscriber) => void
}

/**
 * One stream of one topic to one client: its position and its socket. What to write is the feed's and the replayer's
 * affair.
 */
export class Subscriber extends Outlet {
  readonly topic: string
  readonly encoding: Encoding
  readonly #onClosed: (subscriber: Subscriber) => void
  /** Set once the life of the topic is known that this stream shows. */
  feed: Feed | undefined
  /** Offset of the next event it gets; 0 until it has a feed. */
  next = 0
  /** The client knows its position: a frame with an id has gone out. */
  positioned = false
  /** The replayer works for it: the feed leaves it alone. */
  replaying = false

  constructor(options: SubscriberOptions) {
    super(options)
    this.topic = options.topic
    this.encoding = options.encoding
    this.#onClosed = options.onClosed
    this.begin()
  }

  override get label(): object {
    return { topic: this.topic }
  }

  override listensTo(topic: string): boolean {
    return topic === this.topic
  }

  /** Writes events up to `to` (inclusive) and stands behind them. */
  deliver(bytes: Buffer, to: number, count: number): void {
    this.next = to + 1
    this.positioned = true
    this.writeEvents(bytes, count)
  }

  /** Ends the stream in order, for good, with a frame that says why. */
  finish(reason: EndReason): void {
    const position = this.positioned ? this.next - 1 : undefined
    this.write(this.encoding.end(reason, this.feed?.incarnation ?? 0, position))
    this.close()
  }

  protected override onDrain(): void {
    this.feed?.pump(this)
  }

  protected override onClosed(): void {
    this.#onClosed(this)
  }

  protected override signOfLife(): Buffer {
    return this.encoding.heartbeat(this.feed?.view())
  }
}
