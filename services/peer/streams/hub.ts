import type { PeerId } from '../cube/labels.ts'
import type { Clock, SlotLogs } from '../engine/types.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { TrunkLinks } from '../links/trunk.ts'
import type { WantsUpdate } from '../links/trunk-wants.ts'
import type { Dispatcher } from '../links/types.ts'
import { STREAM_BOUNDS, type StreamBounds } from './bounds.ts'
import { Clients } from './clients.ts'
import { Flusher } from './flusher.ts'
import { History, type HistoryItem, type TopicPage } from './history.ts'
import { type Resolution, Resolver } from './resolver.ts'
import { SeveralStreams } from './several.ts'
import { SingleStreams } from './single.ts'
import { SlotFeeds } from './slot-feeds.ts'
import { CubeSlotReader } from './slot-reader.ts'
import type { OpenedStream, SeveralOptions, Sink, StreamOptions, StreamStart, StreamStats } from './types.ts'

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

/** All streams of one peer, to clients and to peers below: opens them, and ends them when the peer stops. */
export class TopicStreams {
  readonly #clock: Clock
  readonly #slotFeeds: SlotFeeds
  readonly #resolver: Resolver
  readonly #history: History
  readonly #clients: Clients
  readonly #single: SingleStreams
  readonly #several: SeveralStreams

  constructor(options: TopicStreamsOptions) {
    const { slots, dispatcher, clock, slotOf, settings, log, bounds = STREAM_BOUNDS } = options
    const { heartbeatMs, stallTimeoutMs, retryMs } = settings
    const { replayEvents, bufferBytes, trunkBytes } = bounds
    const flusher = new Flusher(clock, settings.flushMs)
    this.#clock = clock
    this.#slotFeeds = new SlotFeeds({
      ...options,
      links: options.trunks,
      askPrimary: slot => {
        const deadlineMs = clock.monotonicMs() + LIMITS.STREAM_PATIENCE_MS
        void dispatcher.dispatch({ kind: 'members', slot }, deadlineMs)
      },
      flusher,
      bufferBytes: trunkBytes,
      stallTimeoutMs,
    })
    const known = (topic: string) => this.#single.known(topic)
    const resolver = new Resolver({ slots, dispatcher, clock, slotOf, known })
    this.#resolver = resolver
    this.#history = new History({ resolver, slots, dispatcher, clock, slotOf })
    this.#clients = new Clients({ clock, log, heartbeatMs, stallTimeoutMs, bufferBytes })
    const shared = { ...options, slotFeeds: this.#slotFeeds, flusher, retryMs, bounds }
    this.#single = new SingleStreams({ ...shared, resolver })
    const reader = new CubeSlotReader({ slots, dispatcher, clock, replayEvents })
    this.#several = new SeveralStreams({ ...shared, reader, taps: this.#slotFeeds })
  }

  /**
   * Resolves when it is known whether the stream can be: `ended` is for good. A stream whose topic cannot be looked up
   * now opens and waits. Rejects with HypercastError: UNKNOWN_TOPIC, CURSOR_FROM_FUTURE, OVERLOADED, STOPPING.
   * @param deadlineMs monotonic
   */
  async open(options: StreamOptions, deadlineMs: number): Promise<OpenedStream> {
    return this.#clients.admit(async () => {
      const patienceMs = this.#clock.monotonicMs() + LIMITS.STREAM_PATIENCE_MS
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
    return this.#clients.admit(async () => {
      const several = this.#several
      const clients = this.#clients
      const selection = several.select(wants)
      await several.check(selection, start)
      return sink => {
        clients.add(several.attach(selection, start, clients.outlet(sink), one => clients.delete(one)))
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

  /** Another peer's trunk begins here (`GET /v1/relay/trunk`). Throws HypercastError STOPPING. */
  openTrunk(peer: PeerId, name: string, sink: Sink): void {
    if (this.#clients.isClosing) throw new HypercastError('STOPPING')
    this.#slotFeeds.openTrunk(peer, name, sink)
  }

  /** What it wants from now on (`POST /v1/relay/wants`). Throws HypercastError INVALID_REQUEST, OVERLOADED. */
  wants(peer: PeerId, update: WantsUpdate): void {
    this.#slotFeeds.wants(peer, update)
  }

  stats(): StreamStats {
    const { size: streams, deliveries } = this.#clients
    const { up, down } = this.#slotFeeds
    return { streams, trunksDown: down, trunksUp: up, deliveries }
  }

  /** How many open streams of clients here get the topic's events, those that still wait for it included. */
  listeners(topic: string): number {
    return this.#clients.listeners(topic)
  }

  /** Ends every stream behind what was written to it; resolves when all sockets are done or were given up. */
  async close(): Promise<void> {
    this.#clients.stop()
    // First, so that a slot that goes meanwhile is not looked for elsewhere.
    this.#slotFeeds.close()
    await this.#clients.close()
  }

  #attach(options: StreamOptions, resolution: Resolution, sink: Sink): void {
    const clients = this.#clients
    const subscriber = this.#single.make(options, clients.outlet(sink), one => clients.delete(one))
    if (clients.add(subscriber)) this.#single.begin(subscriber, resolution, options.start)
  }
}
