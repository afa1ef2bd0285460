import type { Clock } from '../engine/types.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { Beginning } from './beginning.ts'
import type { StreamBounds } from './bounds.ts'
import { CatchUp } from './catch-up.ts'
import { Channel } from './channel.ts'
import { ChannelSubscriber } from './channel-subscriber.ts'
import type { Flusher } from './flusher.ts'
import type { OutletOptions } from './outlet.ts'
import { type Selection, select } from './selection.ts'
import type { SlotReader } from './slot-reader.ts'
import { SlotReads } from './slot-reads.ts'
import type { SlotTaps } from './taps.ts'
import type { SeveralStart } from './types.ts'

export interface SeveralStreamsOptions {
  readonly taps: SlotTaps
  readonly reader: SlotReader
  readonly clock: Clock
  /** In [0, 1): jitter. */
  readonly random: () => number
  readonly flusher: Flusher
  /** Slots of the cluster. */
  readonly slotCount: number
  readonly slotOf: (topic: string) => number
  /** What EventSource is told to wait before it reconnects. */
  readonly retryMs: number
  readonly bounds: StreamBounds
}

/** The streams of one peer over several topics: one channel for all streams of the same selection. */
export class SeveralStreams {
  readonly #options: SeveralStreamsOptions
  readonly #catchUp: CatchUp
  readonly #beginning: Beginning
  readonly #channels = new Map<string, Channel>()
  readonly #opening: Buffer

  constructor(options: SeveralStreamsOptions) {
    const { reader, clock, random, retryMs } = options
    this.#options = options
    const reads = new SlotReads(reader, clock)
    this.#catchUp = new CatchUp(reads, clock, random)
    this.#beginning = new Beginning(reads, clock, random)
    this.#opening = Buffer.from(`retry: ${retryMs}\n\n`)
  }

  /** Selections that are streamed now. */
  get channels(): number {
    return this.#channels.size
  }

  /** Where the wants are. Throws HypercastError INVALID_REQUEST for those in too many slots. */
  select(wants: readonly string[]): Selection {
    const { slotCount, slotOf } = this.#options
    const selection = select(wants, slotCount, slotOf)
    if (selection.slots.length <= LIMITS.MAX_STREAM_SLOTS) return selection
    throw new HypercastError(
      'INVALID_REQUEST',
      `One stream can show topics of ${LIMITS.MAX_STREAM_SLOTS} slots; this cluster has ${slotCount}: name the topics instead of a pattern.`,
    )
  }

  /**
   * Looks whether a stream can begin there. What cannot be told soon is told by the stream.
   * Rejects with HypercastError CURSOR_FROM_FUTURE.
   */
  check(selection: Selection, start: SeveralStart): Promise<void> {
    return this.#beginning.check(selection.slots, start)
  }

  /** Begins a stream on a sink. `onClosed` is called once, perhaps before this returns. */
  attach(
    selection: Selection,
    start: SeveralStart,
    outlet: OutletOptions,
    onClosed: (subscriber: ChannelSubscriber) => void,
  ): ChannelSubscriber {
    const channel = this.#channel(selection)
    const subscriber = new ChannelSubscriber(channel, outlet, onClosed)
    if (subscriber.open) this.#beginning.begin(channel, subscriber, start, this.#opening)
    return subscriber
  }

  #channel(selection: Selection): Channel {
    const known = this.#channels.get(selection.key)
    if (known !== undefined) return known
    const { taps, flusher, bounds } = this.#options
    const channel = new Channel({
      selection,
      taps,
      flusher,
      catchUp: this.#catchUp,
      bounds,
      onDone: done => {
        if (this.#channels.get(selection.key) === done) this.#channels.delete(selection.key)
      },
    })
    this.#channels.set(selection.key, channel)
    return channel
  }
}
