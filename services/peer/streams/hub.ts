import type { PeerId } from '../cube/labels.ts'
import { pause } from '../engine/pause.ts'
import type { Clock, SlotLogs } from '../engine/types.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { TrunkLinks } from '../links/trunk.ts'
import type { WantsUpdate } from '../links/trunk-wants.ts'
import type { Dispatcher } from '../links/types.ts'
import { STREAM_BOUNDS, type StreamBounds } from './bounds.ts'
import { Feed } from './feed.ts'
import { Flusher } from './flusher.ts'
import { sseEncoding } from './frames.ts'
import { History, type HistoryItem, type TopicPage } from './history.ts'
import type { Outlet, OutletOptions } from './outlet.ts'
import { Pulse } from './pulse.ts'
import { Replayer } from './replay.ts'
import { type Resolution, Resolver } from './resolver.ts'
import { SeveralStreams } from './several.ts'
import { SlotFeeds } from './slot-feeds.ts'
import { CubeSlotReader } from './slot-reader.ts'
import type { Knowledge } from './start.ts'
import { Subscriber } from './subscriber.ts'
import { TapSource } from './tap-source.ts'
import type { SlotTaps } from './taps.ts'
import type { OpenedStream, SeveralOptions, Sink, StreamOptions, StreamStart } from './types.ts'

export interface StreamSettings {
  /** A comment at least this often, so that proxies and clients know the stream lives. */
  readonly heartbeatMs: number
  /** A socket that takes no byte for this long while bytes wait is closed. */
  readonly stallTimeoutMs: number
  /** What EventSource is told to wait before it reconnects. */
  readonly retryMs: number
  /** Shortest time between two flushes under load. */
  readonly flushMs: number
}

export interface TopicStreamsOptions {
  readonly self: PeerId
  readonly slots: SlotLogs
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  /** In [0, 1): jitter. */
  readonly random: () => number
  readonly log: { debug(fields: object, message: string): void; info(fields: object, message: string): void }
  readonly trunks: TrunkLinks
  readonly settings: StreamSettings
  readonly slotOf: (topic: string) => number
  /** Topic slots of the cluster. */
  readonly slotCount: number
  /** Peers to get a slot's events from, the one to try first first; never this one. */
  readonly parentsOf: (slot: number) => readonly PeerId[]
  /** Smaller ones for tests. */
  readonly bounds?: StreamBounds
}

export interface StreamStats {
  /** Open streams to clients. */
  readonly streams: number
  /** Trunks to peers below this one in the relay tree, and above it. */
  readonly trunksDown: number
  readonly trunksUp: number
  /** Events written to clients since the start. */
  readonly deliveries: number
}

type Begun = Extract<Resolution, { kind: 'start' }>

const NOTHING = Buffer.alloc(0)

/** All streams of one peer: opens them, keeps one feed per topic that anybody here wants, and ends them. */
export class TopicStreams {
  readonly #options: TopicStreamsOptions
  readonly #bounds: StreamBounds
  readonly #slotFeeds: SlotFeeds
  readonly #flusher: Flusher
  readonly #replayer: Replayer
  readonly #resolver: Resolver
  readonly #history: History
  readonly #several: SeveralStreams
  /** By topic; a feed whose topic's life is over has left, though it may still have bytes to write. */
  readonly #feeds = new Map<string, Feed>()
  readonly #clients: Pulse<Outlet>
  readonly #waits = new Map<Subscriber, AbortController>()
  readonly #toClients = { deliveries: 0 }
  /** Streams that were let in and are not attached yet. */
  #admitted = 0
  #closing = false
  #onEmpty: (() => void) | undefined

  constructor(options: TopicStreamsOptions) {
    const { slots, dispatcher, clock, slotOf, settings } = options
    this.#options = options
    this.#bounds = options.bounds ?? STREAM_BOUNDS
    this.#flusher = new Flusher(clock, settings.flushMs)
    this.#slotFeeds = new SlotFeeds({
      ...options,
      links: options.trunks,
      askPrimary: slot => {
        const deadlineMs = clock.monotonicMs() + LIMITS.STREAM_PATIENCE_MS
        void dispatcher.dispatch({ kind: 'members', slot }, deadlineMs)
      },
      flusher: this.#flusher,
      bufferBytes: this.#bounds.trunkBytes,
      stallTimeoutMs: settings.stallTimeoutMs,
    })
    this.#replayer = new Replayer(clock, options.random, this.#bounds.replayEvents)
    const known = (topic: string) => this.#known(topic)
    this.#resolver = new Resolver({ slots, dispatcher, clock, slotOf, known })
    this.#history = new History({ resolver: this.#resolver, slots, dispatcher, clock, slotOf })
    const reader = new CubeSlotReader({ slots, dispatcher, clock, replayEvents: this.#bounds.replayEvents })
    const several = { reader, flusher: this.#flusher, retryMs: settings.retryMs, bounds: this.#bounds }
    this.#several = new SeveralStreams({ ...options, ...several, taps: this.#slotFeeds })
    const { heartbeatMs, stallTimeoutMs } = settings
    const pulseMs = Math.min(heartbeatMs, stallTimeoutMs) / 2
    this.#clients = new Pulse(clock, pulseMs, one => this.#beat(one, heartbeatMs / 2))
  }

  /**
   * Resolves when it is known whether the stream can be: `ended` is for good. A stream whose topic cannot be looked up
   * now opens and waits. Rejects with HypercastError: UNKNOWN_TOPIC, CURSOR_FROM_FUTURE, OVERLOADED, STOPPING.
   * @param deadlineMs monotonic
   */
  async open(options: StreamOptions, deadlineMs: number): Promise<OpenedStream> {
    return this.#admit(async () => {
      const patienceMs = this.#options.clock.monotonicMs() + LIMITS.STREAM_PATIENCE_MS
      const { topic, start } = options
      const resolution = await this.#resolver.resolve(topic, start, Math.min(deadlineMs, patienceMs))
      if (resolution.kind === 'refused') throw resolution.error
      return resolution.kind === 'ended' ? undefined : sink => this.#attach(options, resolution, sink)
    })
  }

  /**
   * A stream over several topics and patterns. It waits for what it needs as an open stream. Rejects with HypercastError:
   * INVALID_REQUEST for patterns where there are too many slots, CURSOR_FROM_FUTURE, OVERLOADED, STOPPING.
   */
  async openSeveral({ wants, start }: SeveralOptions): Promise<OpenedStream> {
    return this.#admit(async () => {
      const several = this.#several
      const selection = several.select(wants)
      await several.check(selection, start)
      return sink => {
        const outlet = this.#outlet(sink)
        const subscriber = several.attach(selection, start, outlet, one => this.#forget(one))
        if (!subscriber.open) return
        if (this.#closing) subscriber.close()
        else this.#clients.add(subscriber)
      }
    })
  }

  /**
   * Events of a page: from `start` on, at most `limit`, perhaps fewer.
   * Rejects with HypercastError: UNKNOWN_TOPIC, CURSOR_FROM_FUTURE, NO_PRIMARY, UNREACHABLE and what else stands in the way.
   */
  page(topic: string, start: StreamStart, limit: number): Promise<TopicPage> {
    return this.#history.page(topic, start, limit)
  }

  /** Events from `start` to the last one there is now, and gaps. What is wrong is thrown at the first step, as by `page`. */
  history(topic: string, start: StreamStart, signal: AbortSignal): AsyncIterable<HistoryItem> {
    return this.#history.items(topic, start, signal)
  }

  /** The live events of every slot, for whoever wants some of them. */
  get taps(): SlotTaps {
    return this.#slotFeeds
  }

  /** Another peer's trunk begins here (`GET /v1/relay/trunk`). Throws HypercastError STOPPING. */
  openTrunk(peer: PeerId, name: string, sink: Sink): void {
    if (this.#closing) throw new HypercastError('STOPPING')
    this.#slotFeeds.openTrunk(peer, name, sink)
  }

  /** What it wants from now on (`POST /v1/relay/wants`). Throws HypercastError INVALID_REQUEST, OVERLOADED. */
  wants(peer: PeerId, update: WantsUpdate): void {
    this.#slotFeeds.wants(peer, update)
  }

  stats(): StreamStats {
    const { deliveries } = this.#toClients
    const { up, down } = this.#slotFeeds
    return { streams: this.#clients.size, trunksDown: down, trunksUp: up, deliveries }
  }

  /** How many open streams of clients here get the topic's events, those that still wait for it included. */
  listeners(topic: string): number {
    let count = 0
    for (const one of this.#clients.members()) if (one.open && one.listensTo(topic)) count += 1
    return count
  }

  /** The topics that have a feed here, with how many streams each serves. */
  topics(): { readonly topic: string; readonly subscribers: number }[] {
    return [...this.#feeds.values()].map(feed => ({ topic: feed.topic, subscribers: feed.size }))
  }

  /** Ends every stream behind what was written to it; resolves when all sockets are done or were given up. */
  async close(): Promise<void> {
    this.#closing = true
    // First, so that a slot that goes meanwhile is not looked for elsewhere.
    this.#slotFeeds.close()
    const all = this.#clients.members()
    if (all.length === 0) return
    const empty = new Promise<void>(resolve => {
      this.#onEmpty = resolve
    })
    for (const one of all) one.close()
    const cancel = this.#options.clock.after(LIMITS.STREAM_CLOSE_MS, () => {
      for (const one of all) one.destroy()
    })
    if (this.#clients.size > 0) await empty
    cancel()
  }

  /** Finds out how a stream is attached, undefined for one that has ended; its place counts as taken from now on. */
  async #admit(find: () => Promise<((sink: Sink) => void) | undefined>): Promise<OpenedStream> {
    if (this.#closing) throw new HypercastError('STOPPING')
    if (this.#clients.size + this.#admitted >= LIMITS.MAX_STREAMS) {
      throw new HypercastError('OVERLOADED', `This peer serves ${LIMITS.MAX_STREAMS} streams already`)
    }
    this.#admitted += 1
    let isHeld = true
    const abandon = () => {
      if (isHeld) this.#admitted -= 1
      isHeld = false
    }
    try {
      const begin = await find()
      if (begin !== undefined) {
        const attach = (sink: Sink) => {
          abandon()
          begin(sink)
        }
        return { kind: 'open', attach, abandon }
      }
    } catch (error) {
      abandon()
      throw error
    }
    abandon()
    return { kind: 'ended' }
  }

  #attach(options: StreamOptions, resolution: Resolution, sink: Sink): void {
    const { topic, named, format } = options
    const { retryMs } = this.#options.settings
    const encoding = sseEncoding(topic, { named, format, retryMs })
    const subscriber = this.#subscriber(topic, encoding, sink)
    if (!subscriber.open) return
    if (this.#closing) subscriber.close()
    else if (resolution.kind === 'start') this.#begin(subscriber, resolution, encoding.opening())
    else void this.#wait(subscriber, options.start)
  }

  #subscriber(topic: string, encoding: Subscriber['encoding'], sink: Sink): Subscriber {
    const subscriber = new Subscriber({
      ...this.#outlet(sink),
      topic,
      encoding,
      onClosed: one => this.#leave(one),
    })
    if (!sink.destroyed) this.#clients.add(subscriber)
    return subscriber
  }

  #outlet(sink: Sink): OutletOptions {
    const { clock } = this.#options
    const { bufferBytes } = this.#bounds
    return { sink, bufferBytes, now: () => clock.monotonicMs(), tally: this.#toClients }
  }

  #leave(subscriber: Subscriber): void {
    this.#waits.get(subscriber)?.abort()
    this.#waits.delete(subscriber)
    subscriber.feed?.remove(subscriber)
    this.#forget(subscriber)
  }

  #forget(outlet: Outlet): void {
    this.#clients.delete(outlet)
    if (this.#clients.size === 0) this.#onEmpty?.()
  }

  #beat(subscriber: Outlet, quietMs: number): void {
    const { clock, settings, log } = this.#options
    if (subscriber.stalled(settings.stallTimeoutMs)) {
      log.info(subscriber.label, 'a stream is closed: its socket takes nothing')
      subscriber.destroy()
      return
    }
    if (subscriber.open) subscriber.heartbeat(clock.monotonicMs() - quietMs)
  }

  /** Looks for the topic until it is found or known not to be; the stream is open meanwhile. */
  async #wait(subscriber: Subscriber, start: StreamStart): Promise<void> {
    const abort = new AbortController()
    this.#waits.set(subscriber, abort)
    subscriber.write(subscriber.encoding.opening())
    const { clock, random } = this.#options
    for (let attempt = 0; subscriber.open; attempt += 1) {
      const longestMs = Math.min(LIMITS.STREAM_RETRY_MAX_MS, LIMITS.STREAM_RETRY_MIN_MS * 2 ** attempt)
      await pause(clock, longestMs * (0.5 + random() / 2), abort.signal)
      if (!subscriber.open) return
      const deadlineMs = clock.monotonicMs() + LIMITS.STREAM_PATIENCE_MS
      const resolution = await this.#resolver.resolve(subscriber.topic, start, deadlineMs)
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
    const { slots, dispatcher, clock } = this.#options
    const local = slots.holds(slot)
    const row = local ? slots.topic(slot, topic) : undefined
    const here = row?.incarnation === incarnation ? row.latest : 0
    const feed = new Feed({
      topic,
      incarnation,
      head: local ? here : latest,
      source: new TapSource({
        ...{ feeds: this.#slotFeeds, slots, dispatcher, clock, slot, topic, incarnation },
        replayEvents: this.#bounds.replayEvents,
      }),
      flusher: this.#flusher,
      replayer: this.#replayer,
      bounds: this.#bounds,
      onDone: done => {
        if (this.#feeds.get(topic) === done) this.#feeds.delete(topic)
      },
    })
    // An older life's feed, asked for on old knowledge, is its subscriber's own.
    if (known === undefined || known.incarnation < incarnation) this.#feeds.set(topic, feed)
    feed.start()
    return feed
  }

  #known(topic: string): Knowledge | undefined {
    const feed = this.#feeds.get(topic)
    if (feed === undefined) return undefined
    const { incarnation, earliest, latest } = feed.view()
    return { topic: { incarnation, earliest, latest }, incarnation, linearizable: false }
  }
}
