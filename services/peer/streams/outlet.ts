import type { Sink } from './types.ts'
import { Unsent } from './unsent.ts'

export interface OutletOptions {
  readonly sink: Sink
  /** Bytes waiting in its socket from which on it is not fed. */
  readonly bufferBytes: number
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Events written to all subscribers of its kind. */
  readonly tally: { deliveries: number }
}

/**
 * The socket of one stream to one client: writes what it is given and knows whether the socket takes it. What to write
 * is said by those who know what the stream shows.
 */
export abstract class Outlet {
  readonly #sink: Sink
  readonly #bufferBytes: number
  readonly #now: () => number
  readonly #tally: { deliveries: number }
  #state: 'open' | 'ending' | 'closed' = 'open'
  #needsDrain = false
  readonly #unsent: Unsent
  #lastWriteMs: number

  constructor(options: OutletOptions) {
    this.#sink = options.sink
    this.#bufferBytes = options.bufferBytes
    this.#now = options.now
    this.#tally = options.tally
    this.#lastWriteMs = this.#now()
    this.#unsent = new Unsent(options.sink, options.now)
    this.#sink.on('drain', () => this.#drained())
    this.#sink.on('close', () => this.#closed())
    this.#sink.on('error', () => this.#closed())
  }

  /** What the log says of a stream that is closed because its socket takes nothing. */
  abstract readonly label: object
  /** Whether the stream shows the events of a topic, also while it waits for it. */
  abstract listensTo(topic: string): boolean
  /** The socket has taken everything; the stream is open. */
  protected abstract onDrain(): void
  /** The sink is gone, whatever the cause. Called once. */
  protected abstract onClosed(): void
  /** A comment, or where the stream stands. */
  protected abstract signOfLife(): Buffer

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

  /** Writes frames with `count` events in them. */
  protected writeEvents(bytes: Buffer, count: number): void {
    this.#tally.deliveries += count
    this.write(bytes)
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
  heartbeat(sinceMs: number): void {
    if (this.#lastWriteMs > sinceMs || this.#needsDrain) return
    this.write(this.signOfLife())
  }

  /** True when bytes wait and none has left for `timeoutMs`. To be asked now and then. */
  stalled(timeoutMs: number): boolean {
    return this.#unsent.stalled(timeoutMs)
  }

  /** To be called once the stream is made: its sink may have gone before. */
  protected begin(): void {
    if (this.#sink.destroyed) this.#closed()
  }

  #drained(): void {
    this.#needsDrain = false
    this.#unsent.drained()
    if (this.#state === 'open') this.onDrain()
  }

  #closed(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.onClosed()
  }
}
