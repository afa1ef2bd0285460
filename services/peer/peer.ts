import { createHash, randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { PeerConfig } from './config.ts'
import type { PeerId } from './cube/labels.ts'
import { neighbours } from './cube/neighbours.ts'
import { placement, slotOf } from './cube/placement.ts'
import type { Roster } from './cube/roster.ts'
import { systemClock } from './engine/clock.ts'
import { Engine } from './engine/engine.ts'
import { Founding } from './engine/founding.ts'
import type { EngineLog } from './engine/settings.ts'
import { HypercastError } from './errors.ts'
import type { LinksApi, PeerApi, PeerStatus, StreamsApi } from './http/api.ts'
import { buildApp } from './http/app.ts'
import { PeerJournal } from './journal.ts'
import { LIMITS } from './limits.ts'
import { CubeDispatcher } from './links/dispatcher.ts'
import { Edges } from './links/edges.ts'
import { Executor } from './links/execute.ts'
import { makeOpenFollow } from './links/follow.ts'
import { askFounding, handleFounding } from './links/founding.ts'
import { LinkHandlers } from './links/handlers.ts'
import { InboundSockets } from './links/inbound.ts'
import { ProducerStamps } from './links/producer.ts'
import { packedHeaders } from './links/replicate.ts'
import { Router } from './links/router.ts'
import { HttpTransport } from './links/transport.ts'
import { PeerMetrics } from './metrics.ts'
import { openLmdbStore } from './store/open.ts'
import type { LogStore } from './store/types.ts'
import { TopicStreams } from './streams/hub.ts'

/** One running peer. */
export interface Peer {
  readonly url: string
  /** Resolves when every slot held here has a primary; rejects when the cube cannot be founded or joined. */
  readonly ready: Promise<void>
  /** Hands the slots over, ends the streams and the requests under way, writes what is left. */
  close(): Promise<void>
}

export interface PeerOptions {
  readonly log: EngineLog
  /** An invariant is broken or the disk failed: the process must end. */
  readonly onFatal: (error: Error) => void
}

/**
 * Starts a peer: opens its store, listens, founds the cube with the others or takes it up again from its disk, and
 * then takes part. Resolves as soon as it listens. Rejects with StoreError or with what listening throws.
 */
export async function startPeer(config: PeerConfig, options: PeerOptions): Promise<Peer> {
  const store = openLmdbStore(config.data)
  const peer = new RunningPeer(config, options, store)
  try {
    await peer.listen()
  } catch (error) {
    await store.close()
    throw error
  }
  return peer
}

/** What stands only once there is a roster. */
interface Parts {
  readonly roster: Roster
  readonly engine: Engine
  readonly dispatcher: CubeDispatcher
  readonly streams: TopicStreams
  readonly handlers: LinkHandlers
  readonly journal: PeerJournal
  /** Ends what goes out to other peers. */
  close(): Promise<void>
}

class RunningPeer implements Peer {
  readonly ready: Promise<void>
  readonly #config: PeerConfig
  readonly #options: PeerOptions
  readonly #store: LogStore
  readonly #metrics = new PeerMetrics()
  readonly #founding: Founding
  readonly #abort = new AbortController()
  #app: FastifyInstance | undefined
  #parts: Parts | undefined
  #isReady = false
  #stopping = false
  #listening: () => void = () => {}

  constructor(config: PeerConfig, options: PeerOptions, store: LogStore) {
    this.#config = config
    this.#options = options
    this.#store = store
    this.#founding = new Founding({
      self: config.nodeId,
      list: config.peers,
      dimension: config.nodeId.length,
      slots: config.slots,
      alone: config.found,
      store,
      ask: (peer, statement) => askFounding(peer.url, statement, config.peerTimeoutMs, systemClock),
      clock: systemClock,
      uuid: randomUUID,
      log: options.log,
    })
    const listening = new Promise<void>(resolve => {
      this.#listening = resolve
    })
    this.ready = listening.then(() => this.#begin())
    this.ready.catch(() => {})
  }

  get url(): string {
    return this.#config.url
  }

  async listen(): Promise<void> {
    const { host, port } = this.#config
    this.#app = await buildApp(this.#api())
    await this.#app.listen({ host, port })
    this.#listening()
  }

  async close(): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    this.#abort.abort(new Error('the peer stops'))
    await this.#parts?.engine.stop()
    this.#parts?.journal.close()
    await this.#app?.close()
    await this.#parts?.close()
    await this.#store.close()
  }

  async #begin(): Promise<void> {
    const roster = await this.#founding.run(this.#abort.signal)
    const parts = assemble(this.#config, this.#options, roster, this.#store, this.#metrics)
    const { engine } = parts
    const ready = new Promise<void>(resolve => {
      const stop = engine.onCubeEvent(event => {
        if (event.kind !== 'ready') return
        stop()
        resolve()
      })
    })
    await engine.start()
    parts.journal.start()
    this.#parts = parts
    await ready
    this.#isReady = true
  }

  #api(): PeerApi {
    const founded = () => {
      if (this.#parts) return this.#parts
      throw new HypercastError('NOT_FOUNDED')
    }
    const config = this.#config
    return {
      self: config.nodeId,
      roster: () => this.#parts?.roster ?? null,
      get dispatcher() {
        return founded().dispatcher
      },
      get slots() {
        return founded().engine
      },
      streams: streamsApi(founded, () => this.#parts?.streams),
      links: linksApi(founded, this.#founding),
      peerStatus: peer => this.#peerStatus(peer),
      primaryOf: slot => this.#parts?.dispatcher.primaryOf(slot) ?? null,
      settings: {
        ...config,
        retention: {
          maxAgeMs: config.retentionAgeMs,
          maxBytes: config.retentionBytes,
          maxEvents: config.retentionEvents,
        },
      },
      metrics: this.#metrics,
      log: this.#options.log,
      clock: systemClock,
      ready: () => this.#readiness(),
      stopping: () => this.#stopping,
    }
  }

  #peerStatus(peer: PeerId): PeerStatus {
    if (peer === this.#config.nodeId) return 'self'
    return this.#parts?.engine.peerState(peer) ?? 'unknown'
  }

  #readiness(): { ready: boolean; why: string } {
    if (this.#stopping) return { ready: false, why: 'the peer is stopping' }
    if (!this.#parts) return { ready: false, why: 'the cube is not founded yet' }
    const waiting = this.#parts.engine.held.filter(
      slot => this.#parts?.engine.status(slot).primary === null,
    ).length
    if (waiting > 0) return { ready: false, why: `${waiting} slots held here have no primary` }
    return this.#isReady ? { ready: true, why: 'ready' } : { ready: false, why: 'the peer is starting' }
  }
}

/** Wires the rooms together around one roster. */
function assemble(
  config: PeerConfig,
  { log, onFatal }: PeerOptions,
  roster: Roster,
  store: LogStore,
  metrics: PeerMetrics,
): Parts {
  const self = config.nodeId
  const clock = systemClock
  const random = Math.random
  const urls = new Map(roster.peers.map(peer => [peer.id, peer.url]))
  const transport = new HttpTransport({
    self,
    uid: store.identity.uid,
    clusterId: roster.clusterId,
    urlOf: peer => urls.get(peer),
    clock,
    random,
    log,
    settings: {
      heartbeatTimeoutMs: config.electionMs,
      connectTimeoutMs: config.electionMs,
      replicateTimeoutMs: 2 * config.electionMs,
    },
  })
  const journal = new PeerJournal({ log, slots: () => engine, clock })
  const engine: Engine = new Engine({
    self,
    roster,
    store,
    transport,
    clock,
    random,
    log,
    observer: {
      committed: durationMs => metrics.committed(durationMs),
      flushed: (durationMs, entries) => metrics.flushed(durationMs, entries),
      election: () => metrics.election(),
      beat: (peer, ok) => {
        metrics.beat(peer, ok)
        journal.beat(peer, ok)
      },
    },
    settings: config,
    onFatal: error => onFatal(error instanceof Error ? error : new Error(String(error))),
  })
  transport.attach(engine)
  const inbound = new InboundSockets(peer => engine.connectionClosed(peer))
  const edges = new Edges({
    clock,
    random,
    pools: transport.pools,
    identity: transport.identity,
    acceptTimeoutMs: Math.max(config.electionMs / 2, 4 * LIMITS.ACCEPT_AFTER_MS),
    isUp: peer => engine.peerUp(peer),
    trouble: peer => engine.connectionClosed(peer),
  })
  const executor = new Executor(self, engine)
  const router = new Router({ self, roster: () => roster, clock, executor, edges })
  const dispatcher = new CubeDispatcher({
    self,
    roster: () => roster,
    clock,
    random,
    log,
    slots: engine,
    router,
    edges,
    producers: new ProducerStamps(store.identity),
  })
  const streams = new TopicStreams({
    self,
    slots: engine,
    dispatcher,
    clock,
    random,
    log,
    openFollow: makeOpenFollow({
      connections: peer => transport.pools.bulk(peer),
      headers: () => packedHeaders(transport.identity),
    }),
    settings: {
      heartbeatMs: config.sseHeartbeatMs,
      stallTimeoutMs: config.stallTimeoutMs,
      retryMs: config.sseRetryMs,
      flushMs: LIMITS.STREAM_FLUSH_MS,
    },
    slotOf: topic => slotOf(createHash('sha256').update(topic, 'utf8').digest(), roster.slots),
    replicasOf: slot => placement(slot, roster, LIMITS.REPLICAS),
  })
  metrics.watch({
    slots: engine,
    streams,
    neighbours: () => neighbours(self, roster).map(id => ({ id, up: engine.peerUp(id) })),
  })
  const handlers = new LinkHandlers({ transport, engine, router, edges, inbound, clock, log })
  return {
    roster,
    engine,
    dispatcher,
    streams,
    handlers,
    journal,
    async close() {
      inbound.stop()
      dispatcher.close()
      edges.close()
      await transport.close()
    },
  }
}

function streamsApi(founded: () => Parts, parts: () => TopicStreams | undefined): StreamsApi {
  return {
    open: (options, deadlineMs) => founded().streams.open(options, deadlineMs),
    page: (topic, start, limit) => founded().streams.page(topic, start, limit),
    history: (topic, start, signal) => founded().streams.history(topic, start, signal),
    serveFollow: (request, sink) => founded().streams.serveFollow(request, sink),
    stats: () => parts()?.stats() ?? { streams: 0, deliveries: 0 },
    close: () => parts()?.close(),
  }
}

function linksApi(founded: () => Parts, founding: Founding): LinksApi {
  return {
    replicate: async (from, type, body) => founded().handlers.replicate(from, type, body),
    heartbeat: async (from, type, body, socket) => founded().handlers.heartbeat(from, type, body, socket),
    operations: (from, type, body) => founded().handlers.operations(from, type, body),
    snapshot: async (from, slot, after) => founded().handlers.snapshot(from, slot, after),
    founding: async (type, body) => handleFounding(type, body, statement => founding.answer(statement)),
  }
}
