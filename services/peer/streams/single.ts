import { pause } from '../engine/pause.ts'
import type { Clock, SlotLogs } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { Dispatcher } from '../links/types.ts'
import type { StreamBounds } from './bounds.ts'
import { Feed } from './feed.ts'
import type { Flusher } from './flusher.ts'
import { sseEncoding } from './frames.ts'
import type { OutletOptions } from './outlet.ts'
import { Replayer } from './replay.ts'
import type { Resolution, Resolver } from './resolver.ts'
import type { SlotFeeds } from './slot-feeds.ts'
import type { Knowledge } from './start.ts'
import { Subscriber } from './subscriber.ts'
import { TapSource } from './tap-source.ts'
import type { StreamOptions, StreamStart } from './types.ts'

export interface SingleStreamsOptions {
  readonly slotFeeds: SlotFeeds
  readonly slots: SlotLogs
  readonly dispatcher: Dispatcher
  readonly resolver: Resolver
  readonly clock: Clock
  /** In [0, 1): jitter. */
  readonly random: () => number
  readonly flusher: Flusher
  readonly slotOf: (topic: string) => number
  /** What EventSource is told to wait before it reconnects. */
  readonly retryMs: number
  readonly bounds: StreamBounds
}

type Begun = Extract<Resolution, { kind: 'start' }>

const NOTHING = Buffer.alloc(0)

/** The streams of one peer over one topic each: one feed for all streams of the same life of a topic. */
export class SingleStreams {
  readonly #options: SingleStreamsOptions
  readonly #replayer: Replayer
  /** By topic; a feed whose topic's life is over has left, though it may still have bytes to write. */
  readonly #feeds = new Map<string, Feed>()
  readonly #waits = new Map<Subscriber, AbortController>()

  constructor(options: SingleStreamsOptions) {
    const { clock, random, bounds } = options
    this.#options = options
    this.#replayer = new Replayer(clock, random, bounds.replayEvents)
  }

  /** What the feed of a topic knows of it without asking anybody; its `earliest` may be old. */
  known(topic: string): Knowledge | undefined {
    const feed = this.#feeds.get(topic)
    if (feed === undefined) return undefined
    const { incarnation, earliest, latest } = feed.view()
    return { topic: { incarnation, earliest, latest }, incarnation, linearizable: false }
  }

  /** A stream on a sink, which `begin` lets go on. `onClosed` is called once, perhaps before this returns. */
  make(
    { topic, named, format }: StreamOptions,
    outlet: OutletOptions,
    onClosed: (subscriber: Subscriber) => void,
  ): Subscriber {
    const encoding = sseEncoding(topic, { named, format, retryMs: this.#options.retryMs })
    return new Subscriber({
      ...outlet,
      topic,
      encoding,
      onClosed: one => {
        this.#waits.get(one)?.abort()
        this.#waits.delete(one)
        one.feed?.remove(one)
        onClosed(one)
      },
    })
  }

  /** Lets it go on where it was found to begin; one whose topic could not be looked up waits for that. */
  begin(subscriber: Subscriber, resolution: Resolution, start: StreamStart): void {
    if (resolution.kind === 'start') this.#begin(subscriber, resolution, subscriber.encoding.opening())
    else void this.#wait(subscriber, start)
  }

  /** Looks for the topic until it is found or known not to be; the stream is open meanwhile. */
  async #wait(subscriber: Subscriber, start: StreamStart): Promise<void> {
    const abort = new AbortController()
    this.#waits.set(subscriber, abort)
    subscriber.write(subscriber.encoding.opening())
    const { clock, random, resolver } = this.#options
    for (let attempt = 0; subscriber.open; attempt += 1) {
      const longestMs = Math.min(LIMITS.STREAM_RETRY_MAX_MS, LIMITS.STREAM_RETRY_MIN_MS * 2 ** attempt)
      await pause(clock, longestMs * (0.5 + random() / 2), abort.signal)
      if (!subscriber.open) return
      const deadlineMs = clock.monotonicMs() + LIMITS.STREAM_PATIENCE_MS
      const resolution = await resolver.resolve(subscriber.topic, start, deadlineMs)
      if (!subscriber.open) return
      switch (resolution.kind) {
        case 'start':
          this.#waits.delete(subscriber)
          this.#begin(subscriber, resolution)
          return
        case 'ended':
          subscriber.finish('deleted')
          return
        case 'refused':
          subscriber.finish(resolution.error.code === 'CURSOR_FROM_FUTURE' ? 'future' : 'unknown')
          return
        case 'undecided':
          break
      }
    }
  }

  /** Sets the position, tells it to the client if a cursor can name it, and joins the topic's feed. */
  #begin(subscriber: Subscriber, begun: Begun, opening: Buffer = NOTHING): void {
    const slot = this.#options.slotOf(subscriber.topic)
    const feed = this.#feed(subscriber.topic, slot, begun.incarnation, begun.latest)
    subscriber.next = begun.next
    subscriber.positioned = begun.positioned
    const position = begun.positioned ? subscriber.encoding.position(feed.view(), begun.next - 1) : NOTHING
    if (position.length + opening.length > 0) subscriber.write(Buffer.concat([position, opening]))
    feed.add(subscriber)
  }

  #feed(topic: string, slot: number, incarnation: number, latest: number): Feed {
    const known = this.#feeds.get(topic)
    if (known?.incarnation === incarnation) return known
    const { slots, dispatcher, clock, slotFeeds, flusher, bounds } = this.#options
    const local = slots.holds(slot)
    const row = local ? slots.topic(slot, topic) : undefined
    const here = row?.incarnation === incarnation ? row.latest : 0
    const feed = new Feed({
      topic,
      incarnation,
      head: local ? here : latest,
      source: new TapSource({
        ...{ feeds: slotFeeds, slots, dispatcher, clock, slot, topic, incarnation },
      }),
      flusher,
      replayer: this.#replayer,
      bounds,
      onDone: done => {
        if (this.#feeds.get(topic) === done) this.#feeds.delete(topic)
      },
    })
    // An older life's feed, asked for on old knowledge, is its subscriber's own.
    if (known === undefined || known.incarnation < incarnation) this.#feeds.set(topic, feed)
    feed.start()
    return feed
  }
}
