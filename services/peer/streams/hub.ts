import { PassThrough } from 'node:stream'
import type { PeerId } from '../cube/labels.ts'
import { pause } from '../engine/pause.ts'
import type { Clock, SlotLogs } from '../engine/types.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { encodeFollowFrame, type FollowRequest, type OpenFollow } from '../links/follow-wire.ts'
import type { Dispatcher } from '../links/types.ts'
import type { StoredEvent } from '../topics/types.ts'
import { STREAM_BOUNDS, type StreamBounds } from './bounds.ts'
import { Feed } from './feed.ts'
import { Flusher } from './flusher.ts'
import { sseEncoding } from './frames.ts'
import { History, type TopicPage } from './history.ts'
import type { Outlet, OutletOptions } from './outlet.ts'
import { peerEncoding } from './peer-encoding.ts'
import { Pulse } from './pulse.ts'
import { Replayer } from './replay.ts'
import { type Resolution, Resolver } from './resolver.ts'
import { SeveralStreams } from './several.ts'
import { CubeSlotReader } from './slot-reader.ts'
import { Sources } from './sources.ts'
import type { Knowledge } from './start.ts'
import { Subscriber } from './subscriber.ts'
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
  readonly openFollow: OpenFollow
  /** Live events of slots; without them no stream over several topics can be served. */
  readonly taps?: SlotTaps
  /** Slots of the cluster. */
  readonly slotCount: number
  readonly settings: StreamSettings
  readonly slotOf: (topic: string) => number
  /** The slot's replicas in order of distance. */
  readonly replicasOf: (slot: number) => readonly PeerId[]
  /** Smaller ones for tests. */
  readonly bounds?: StreamBounds
}

export interface StreamStats {
  /** Open streams to clients, and to peers that follow a topic here. */
  readonly streams: number
  readonly follows: number
  /** Events written to clients since the start. */
  readonly deliveries: number
}

type Begun = Extract<Resolution, { kind: 'start' }>

const NOTHING = Buffer.alloc(0)

/**
 * All streams of one peer: opens them, keeps one feed per topic that anybody here wants, and ends them. A peer without
 * a replica of a topic follows it by one stream to a peer that has one.
 */
export class TopicStreams {
  readonly #options: TopicStreamsOptions
  readonly #bounds: StreamBounds
  readonly #sources: Sources
  readonly #flusher: Flusher
  readonly #replayer: Replayer
  readonly #resolver: Resolver
  readonly #history: History
  readonly #several: SeveralStreams | undefined
  /** By topic; a feed whose topic's life is over has left, though it may still have bytes to write. */
  readonly #feeds = new Map<string, Feed>()
  readonly #clients: Pulse<Outlet>
  readonly #peers: Pulse<Outlet>
  readonly #waits = new Map<Subscriber, AbortController>()
  readonly #toClients = { deliveries: 0 }
  readonly #toPeers = { deliveries: 0 }
  #closing = false
  #onEmpty: (() => void) | undefined

  constructor(options: TopicStreamsOptions) {
    const { slots, dispatcher, clock, openFollow, slotOf, settings } = options
    this.#options = options
    this.#bounds = options.bounds ?? STREAM_BOUNDS
    this.#sources = new Sources({ ...options, replayEvents: this.#bounds.replayEvents })
    this.#flusher = new Flusher(clock, settings.flushMs)
    this.#replayer = new Replayer(clock, options.random)
    const replicasOf = (slot: number) => this.#sources.replicas(slot)
    const known = (topic: string) => this.#known(topic)
    this.#resolver = new Resolver({ slots, dispatcher, clock, openFollow, slotOf, replicasOf, known })
    this.#history = new History({ resolver: this.#resolver, slots, dispatcher, clock, slotOf })
    const reader = new CubeSlotReader({ slots, dispatcher, clock, replayEvents: this.#bounds.replayEvents })
    const { taps } = options
    const several = { reader, flusher: this.#flusher, retryMs: settings.retryMs, bounds: this.#bounds }
    this.#several = taps && new SeveralStreams({ ...options, ...several, taps })
    const { heartbeatMs, stallTimeoutMs } = settings
    const pulseMs = Math.min(heartbeatMs, stallTimeoutMs) / 2
    this.#clients = new Pulse(clock, pulseMs, one => this.#beat(one, heartbeatMs / 2))
    this.#peers = new Pulse(clock, LIMITS.FOLLOW_MARK_MS, one => this.#beat(one, 0))
  }

  /**
   * Resolves when it is known whether the stream can be: `ended` is for good. A stream whose topic cannot be looked up
   * now opens and waits. Rejects with HypercastError: UNKNOWN_TOPIC, CURSOR_FROM_FUTURE, OVERLOADED, STOPPING.
   * @param deadlineMs monotonic
   */
  async open(options: StreamOptions, deadlineMs: number): Promise<OpenedStream> {
    this.#admit(this.#clients)
    const patienceMs = this.#options.clock.monotonicMs() + LIMITS.STREAM_PATIENCE_MS
    const { topic, start } = options
    const resolution = await this.#resolver.resolve(topic, start, Math.min(deadlineMs, patienceMs))
    if (resolution.kind === 'ended') return resolution
    if (resolution.kind === 'refused') throw resolution.error
    return { kind: 'open', attach: sink => this.#attach(options, resolution, sink) }
  }

  /**
   * A stream over several topics and patterns. It opens at once and waits for what it needs as an open stream.
   * Throws HypercastError: INVALID_REQUEST for patterns where there are too many slots, OVERLOADED, STOPPING.
   */
  openSeveral({ wants, start }: SeveralOptions): OpenedStream {
    this.#admit(this.#clients)
    const several = this.#several
    if (several === undefined) throw new HypercastError('UNREACHABLE')
    const selection = several.select(wants)
    const attach = (sink: Sink) => {
      const outlet = this.#outlet(sink, this.#clients)
      const subscriber = several.attach(selection, start, outlet, one => this.#forget(one, this.#clients))
      if (!subscriber.open) return
      if (this.#closing) subscriber.close()
      else this.#clients.add(subscriber)
    }
    return { kind: 'open', attach }
  }

  /**
   * Events of a page: from `start` on, at most `limit`, perhaps fewer.
   * Rejects with HypercastError: UNKNOWN_TOPIC, CURSOR_FROM_FUTURE, NO_PRIMARY, UNREACHABLE and what else stands in the way.
   */
  page(topic: string, start: StreamStart, limit: number): Promise<TopicPage> {
    return this.#history.page(topic, start, limit)
  }

  /** Events from `start` to the last one there is now. What is wrong is thrown at the first step, as by `page`. */
  history(topic: string, start: StreamStart, signal: AbortSignal): AsyncIterable<StoredEvent> {
    return this.#history.events(topic, start, signal)
  }

  /**
   * Serves another peer's stream of a topic (`GET /v1/relay/follow`) from the replica here.
   * Throws HypercastError: UNREACHABLE without a replica here, OVERLOADED, STOPPING.
   */
  serveFollow(request: FollowRequest, sink: Sink): void {
    this.#admit(this.#peers)
    const { slots } = this.#options
    const { slot, topic } = request
    if (!slots.holds(slot)) throw new HypercastError('UNREACHABLE', `No replica of slot ${slot} is here`)
    const row = slots.topic(slot, topic)
    const incarnation = request.incarnation || row?.incarnation
    if (incarnation === undefined) {
      sink.write(encodeFollowFrame({ kind: 'state', incarnation: 0, earliest: 1, latest: 0 }))
      sink.end()
      return
    }
    const latest = row?.incarnation === incarnation ? row.latest : 0
    const next = request.from === 'latest' ? latest + 1 : Math.max(1, request.from)
    const subscriber = this.#subscriber(topic, peerEncoding, sink, this.#peers)
    if (!subscriber.open) return
    this.#begin(subscriber, { kind: 'start', incarnation, next, earliest: 1, latest, positioned: true })
  }

  /** `serveFollow` as bytes to be read; `signal` ends it. */
  followBytes(request: FollowRequest, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const pipe = new PassThrough()
    this.serveFollow(request, pipe)
    if (signal.aborted) pipe.destroy()
    signal.addEventListener('abort', () => pipe.destroy(), { once: true })
    return pipe
  }

  stats(): StreamStats {
    const { deliveries } = this.#toClients
    return { streams: this.#clients.size, follows: this.#peers.size, deliveries }
  }

  /** The topics that have a feed here, with how many streams each serves. */
  topics(): { readonly topic: string; readonly subscribers: number }[] {
    return [...this.#feeds.values()].map(feed => ({ topic: feed.topic, subscribers: feed.size }))
  }

  /** Ends every stream behind what was written to it; resolves when all sockets are done or were given up. */
  async close(): Promise<void> {
    this.#closing = true
    const all = [...this.#clients.members(), ...this.#peers.members()]
    if (all.length === 0) return
    const empty = new Promise<void>(resolve => {
      this.#onEmpty = resolve
    })
    for (const one of all) one.close()
    const cancel = this.#options.clock.after(LIMITS.STREAM_CLOSE_MS, () => {
      for (const one of all) one.destroy()
    })
    if (this.#clients.size + this.#peers.size > 0) await empty
    cancel()
  }

  #admit(streams: Pulse<Outlet>): void {
    if (this.#closing) throw new HypercastError('STOPPING')
    if (streams.size < LIMITS.MAX_STREAMS) return
    throw new HypercastError('OVERLOADED', `This peer serves ${LIMITS.MAX_STREAMS} streams already`)
  }

  #attach(options: StreamOptions, resolution: Resolution, sink: Sink): void {
    const { topic, named, format } = options
    const { retryMs } = this.#options.settings
    const encoding = sseEncoding(topic, { named, format, retryMs })
    const subscriber = this.#subscriber(topic, encoding, sink, this.#clients)
    if (!subscriber.open) return
    if (this.#closing) subscriber.close()
    else if (resolution.kind === 'start') this.#begin(subscriber, resolution, encoding.opening())
    else void this.#wait(subscriber, options.start)
  }

  #subscriber(
    topic: string,
    encoding: Subscriber['encoding'],
    sink: Sink,
    streams: Pulse<Outlet>,
  ): Subscriber {
    const subscriber = new Subscriber({
      ...this.#outlet(sink, streams),
      topic,
      encoding,
      bound: streams === this.#peers,
      onClosed: one => this.#leave(one, streams),
    })
    if (!sink.destroyed) streams.add(subscriber)
    return subscriber
  }

  #outlet(sink: Sink, streams: Pulse<Outlet>): OutletOptions {
    const { clock } = this.#options
    return {
      sink,
      bufferBytes: this.#bounds.bufferBytes,
      now: () => clock.monotonicMs(),
      tally: streams === this.#clients ? this.#toClients : this.#toPeers,
    }
  }

  #leave(subscriber: Subscriber, streams: Pulse<Outlet>): void {
    this.#waits.get(subscriber)?.abort()
    this.#waits.delete(subscriber)
    subscriber.feed?.remove(subscriber)
    this.#forget(subscriber, streams)
  }

  #forget(outlet: Outlet, streams: Pulse<Outlet>): void {
    streams.delete(outlet)
    if (this.#clients.size + this.#peers.size === 0) this.#onEmpty?.()
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
    // A replica that has come here may serve other peers now, which must be from itself: two peers whose feeds are
    // older than their replicas could follow each other. A feed that nobody asks for may stay remote.
    this.#feeds.get(topic)?.relocate()
    const known = this.#feeds.get(topic)
    if (known?.incarnation === incarnation) return known
    const { slots } = this.#options
    const local = slots.holds(slot)
    const row = local ? slots.topic(slot, topic) : undefined
    const here = row?.incarnation === incarnation ? row.latest : 0
    const feed = new Feed({
      topic,
      incarnation,
      head: local ? here : latest,
      source: () => this.#sources.choose(topic, slot, incarnation),
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
