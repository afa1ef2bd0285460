import type { WantSet } from '../topics/wants.ts'
import { channelOver, channelPlace } from './channel-frames.ts'
import type { Batch } from './channel-log.ts'
import type { EndReason } from './frames.ts'
import { Outlet, type OutletOptions } from './outlet.ts'
import type { Trail } from './trail.ts'

/** The channel of a subscriber, as far as it calls it. */
export interface ChannelHome {
  readonly wanted: WantSet
  /** The cursor of those that are level and have everything, up to the item of this number. */
  standing(): { readonly cursor: string; readonly number: number }
  /** Writes what there is for it. */
  pump(subscriber: ChannelSubscriber): void
  /** It has gone. */
  remove(subscriber: ChannelSubscriber): void
}

const COMMENT = Buffer.from(':\n\n')

/**
 * One stream over several topics to one client: its place and its socket. It is level, and then all it has is the number
 * of its next item and the cursor before it, which the channel's frames bring; or it is on a trail of its own.
 */
export class ChannelSubscriber extends Outlet {
  readonly #channel: ChannelHome
  readonly #gone = new AbortController()
  readonly #onClosed: (subscriber: ChannelSubscriber) => void
  /** Number of the channel's next item for it; 0 until it is known where it begins. */
  next = 0
  /** Undefined for one that is level. */
  trail: Trail | undefined
  /** Of one that is level: the cursor before its next item. */
  place = ''
  /** The cursor its client knows. */
  #told = ''

  constructor(
    channel: ChannelHome,
    options: OutletOptions,
    onClosed: (subscriber: ChannelSubscriber) => void,
  ) {
    super(options)
    this.#channel = channel
    this.#onClosed = onClosed
    this.begin()
  }

  override get label(): object {
    return { topics: [...this.#channel.wanted.names].slice(0, 3) }
  }

  /** Aborted when the stream is over. */
  get gone(): AbortSignal {
    return this.#gone.signal
  }

  get begun(): boolean {
    return this.next > 0
  }

  override listensTo(topic: string): boolean {
    return this.#channel.wanted.matches(topic)
  }

  /** Says where it stands. */
  announce(): void {
    this.#told = this.#cursor()
    this.write(channelPlace(this.#told))
  }

  /** Ends the stream in order, for good, with a frame that says why. */
  finish(reason: EndReason): void {
    this.write(channelOver(reason))
    this.close()
  }

  /** Writes frames, none or more, and goes on with the channel's item `next`. */
  deliver({ bytes, count, cursor }: Batch, next: number): void {
    this.next = next
    if (bytes.length === 0) return
    this.place = cursor
    this.#told = cursor
    this.writeEvents(bytes, count)
  }

  protected override onDrain(): void {
    this.#channel.pump(this)
  }

  protected override onClosed(): void {
    this.#gone.abort()
    this.#channel.remove(this)
    this.#onClosed(this)
  }

  /** Where the stream has got to without events, so that its cursor does not fall behind what is kept. */
  protected override signOfLife(): Buffer {
    const cursor = this.#cursor()
    if (cursor === this.#told) return COMMENT
    this.#told = cursor
    return channelPlace(cursor)
  }

  #cursor(): string {
    if (!this.begun) return this.#told
    if (this.trail !== undefined) return this.trail.vector.text
    const { cursor, number } = this.#channel.standing()
    if (this.next > number) this.place = cursor
    return this.place
  }
}
