import { pause } from '../engine/pause.ts'
import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import { isLevelWith } from '../topics/positions.ts'
import { isSince } from '../topics/vector-cursor.ts'
import type { Channel } from './channel.ts'
import type { ChannelSubscriber } from './channel-subscriber.ts'
import { Slices } from './slices.ts'
import type { SlotReads } from './slot-reads.ts'
import type { Trail } from './trail.ts'

/**
 * Reads the log for subscribers whose channel does not bring what they lack: one slot of each after the other, one
 * bounded read at a time, while the socket takes it. Slots that could not be read, or of which nobody could say where the
 * stream begins, are tried again apart from the others, with growing pauses.
 */
export class CatchUp {
  readonly #reads: SlotReads
  readonly #clock: Clock
  readonly #random: () => number
  readonly #slices: Slices

  constructor(reads: SlotReads, clock: Clock, random: () => number) {
    this.#reads = reads
    this.#clock = clock
    this.#random = random
    this.#slices = new Slices(clock)
  }

  /** Starts what is to be done for a subscriber and is not under way. */
  serve(channel: Channel, subscriber: ChannelSubscriber): void {
    const { trail } = subscriber
    if (trail === undefined || !subscriber.open) return
    if (trail.failed.size > 0 && !trail.retrying) void this.#retry(channel, subscriber, trail)
    if (trail.reading || subscriber.congested) return
    const at = trail.nextToRead(channel.log)
    if (at !== undefined) void this.#read(channel, subscriber, trail, at)
  }

  async #read(channel: Channel, subscriber: ChannelSubscriber, trail: Trail, at: number): Promise<void> {
    trail.reading = true
    trail.lastRead = at
    const isDone = await this.#readOnce(channel, subscriber, trail, at, false)
    trail.reading = false
    if (!isDone) trail.failed.add(at)
    if (subscriber.trail === trail) channel.pump(subscriber)
  }

  async #retry(channel: Channel, subscriber: ChannelSubscriber, trail: Trail): Promise<void> {
    trail.retrying = true
    for (let attempt = 0; trail.failed.size > 0; attempt += 1) {
      const longestMs = Math.min(LIMITS.STREAM_RETRY_MAX_MS, LIMITS.STREAM_RETRY_MIN_MS * 2 ** attempt)
      await pause(this.#clock, longestMs * (0.5 + this.#random() / 2), subscriber.gone)
      if (!subscriber.open || subscriber.trail !== trail) return
      if (subscriber.congested) continue
      await Promise.all([...trail.failed].map(at => this.#tryAgain(channel, subscriber, trail, at)))
    }
    trail.retrying = false
  }

  async #tryAgain(channel: Channel, subscriber: ChannelSubscriber, trail: Trail, at: number): Promise<void> {
    const isDone = trail.undecided.has(at)
      ? await this.#decide(channel, subscriber, trail, at)
      : await this.#readOnce(channel, subscriber, trail, at, true)
    if (!isDone) return
    trail.failed.delete(at)
    if (subscriber.trail === trail) channel.pump(subscriber)
  }

  /** True when the slot is decided now. */
  async #decide(channel: Channel, subscriber: ChannelSubscriber, trail: Trail, at: number): Promise<boolean> {
    const place = trail.vector.place(at)
    if (!isSince(place)) return true
    const start = { kind: 'time', timeMs: place.sinceMs } as const
    const placed = await this.#reads.place(channel.selection.scopes[at]!, start, true, () => subscriber.open)
    if (placed === null) return false
    trail.decide(at, placed.position)
    return true
  }

  /** True when the subscriber got further in the slot, or needs nothing of it any more. */
  async #readOnce(
    channel: Channel,
    subscriber: ChannelSubscriber,
    trail: Trail,
    at: number,
    again: boolean,
  ): Promise<boolean> {
    const { log, selection } = channel
    if (!trail.mustRead(log, at)) return true
    const asked = trail.vector.position(at)
    const shown = log.shown(at)
    const slice = await this.#reads.read(
      selection.scopes[at]!,
      asked,
      shown,
      again,
      () => subscriber.open && subscriber.trail === trail,
    )
    const turn = this.#slices.turn()
    if (turn) await turn
    if (!subscriber.open || subscriber.trail !== trail || trail.vector.place(at) !== asked) return true
    if (slice === null || !isLevelWith(slice.position, asked)) return false
    subscriber.deliver(trail.read(log, at, slice, shown.lives), subscriber.next)
    // A replica that has everything up to here and nothing further is behind what the channel has heard of.
    return slice.position.sequence > asked.sequence || !trail.mustRead(log, at)
  }
}
