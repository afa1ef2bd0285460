import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { assemble, type Parts } from './assembly.ts'
import type { PeerConfig } from './config.ts'
import type { PeerId } from './cube/labels.ts'
import type { Roster } from './cube/roster.ts'
import { systemClock } from './engine/clock.ts'
import type { Engine } from './engine/engine.ts'
import { Founding, StrangerError } from './engine/founding.ts'
import type { EngineLog } from './engine/settings.ts'
import { WIRE_FORMAT } from './engine/wire.ts'
import { HypercastError } from './errors.ts'
import type { LinksApi, MembershipApi, PeerApi, PeerStatus, StreamsApi } from './http/api.ts'
import { buildApp } from './http/app.ts'
import { askFounding, handleFounding } from './links/founding.ts'
import { fetchRoster, identify } from './links/identity.ts'
import { askToJoin } from './links/join.ts'
import { tellAddress } from './membership/address.ts'
import { Joining } from './membership/joining.ts'
import { PeerMetrics } from './metrics.ts'
import { openLmdbStore } from './store/open.ts'
import type { LogStore } from './store/types.ts'
import type { TopicStreams } from './streams/hub.ts'

/** Peers from which on the loss of one leaves a majority of every slot. */
const SURVIVING_PEERS = 3

/** One running peer. */
export interface Peer {
  readonly url: string
  /** Undefined before this peer belongs to a cube. */
  readonly id: PeerId | undefined
  /** Resolves when every slot held here has a primary; rejects when the cube cannot be founded or joined. */
  readonly ready: Promise<void>
  /** What a person should know of the cube this peer belongs to; undefined when there is nothing to say. */
  warning(): string | undefined
  /** Hands the slots over, ends the streams and the requests under way, writes what is left. */
  close(): Promise<void>
}

export interface PeerOptions {
  readonly log: EngineLog
  /** An invariant is broken or the disk failed: the process must end. */
  readonly onFatal: (error: Error) => void
  /** The roster does not list this peer any more: the process may end. */
  readonly onRemoved: (self: PeerId) => void
}

/**
 * Starts a peer: opens its store, listens, founds the cube with the others, joins a running one, or takes it up again
 * from its disk, and then takes part. Resolves as soon as it listens. Rejects with StoreError or with what listening throws.
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

class RunningPeer implements Peer {
  readonly ready: Promise<void>
  readonly #config: PeerConfig
  readonly #options: PeerOptions
  readonly #store: LogStore
  readonly #metrics = new PeerMetrics()
  /** Undefined for a peer that joins. */
  readonly #founding: Founding | undefined
  readonly #abort = new AbortController()
  /** Names this process, apart from others that run on a copy of its store. */
  readonly #run = randomUUID()
  #app: FastifyInstance | undefined
  #engine: Engine | undefined
  #parts: Parts | undefined
  #isReady = false
  #stopping = false
  #listening: () => void = () => {}

  constructor(config: PeerConfig, options: PeerOptions, store: LogStore) {
    this.#config = config
    this.#options = options
    this.#store = store
    this.#founding = config.join === undefined ? this.#newFounding() : undefined
    const listening = new Promise<void>(resolve => {
      this.#listening = resolve
    })
    this.ready = listening.then(() => this.#begin())
    this.ready.catch(() => {})
  }

  get url(): string {
    return this.#config.url
  }

  get id(): PeerId | undefined {
    return this.#parts?.self
  }

  warning(): string | undefined {
    const peers = this.#parts?.engine.roster.peers.filter(({ leaving }) => !leaving).length ?? 0
    if (peers === 0 || peers >= SURVIVING_PEERS) return undefined
    const many = peers === 1 ? 'one peer' : `${peers} peers`
    return `a cluster of ${many} does not survive a failure: let others join, up to three at least`
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
    this.#parts?.departures.stop()
    await this.#engine?.stop()
    this.#parts?.journal.close()
    await this.#app?.close()
    await this.#parts?.close()
    await this.#store.close()
  }

  async #begin(): Promise<void> {
    const roster = await this.#belong()
    await this.#checkAlone(roster)
    this.#abort.signal.throwIfAborted()
    const { log, onFatal, onRemoved } = this.#options
    const parts = assemble({
      config: this.#config,
      log,
      onFatal,
      onRemoved,
      roster,
      store: this.#store,
      metrics: this.#metrics,
    })
    const { engine } = parts
    const ready = new Promise<void>(resolve => {
      const stop = engine.onCubeEvent(event => {
        if (event.kind !== 'ready') return
        stop()
        resolve()
      })
    })
    this.#engine = engine
    await engine.start()
    this.#abort.signal.throwIfAborted()
    parts.journal.start()
    parts.departures.start()
    this.#parts = parts
    // Not only when it is ready: at an old address nobody finds it, and it may never hear of a primary.
    void this.#tellAddress(parts)
    await ready
    this.#isReady = true
  }

  /** The roster this peer starts with: it founds the cube, joins one, or has belonged to one before. */
  async #belong(): Promise<Roster> {
    const { signal } = this.#abort
    const { join } = this.#config
    const stored = this.#store.roster()
    if (this.#founding === undefined) {
      return stored ? this.#latest(join!, stored) : this.#joining(join!).run(signal)
    }
    try {
      return await this.#founding.run(signal)
    } catch (error) {
      if (!(error instanceof StrangerError) || error.replaceVia === undefined || stored !== null) throw error
      // The cube runs and lists this peer with a store that is lost: this one takes its place.
      this.#options.log.warn(
        { via: error.replaceVia },
        'the store of this peer was lost: it asks to be replaced',
      )
      return this.#joining(error.replaceVia).run(signal)
    }
  }

  /** A roster that was stored long ago may name addresses where nobody is any more: the peer given by --join knows. */
  async #latest(via: string, stored: Roster): Promise<Roster> {
    try {
      const roster = await fetchRoster(via, stored.clusterId, this.#config.peerTimeoutMs, systemClock)
      if (roster.version <= stored.version) return stored
      await this.#store.writeRoster(roster)
      return roster
    } catch (error) {
      this.#options.log.info(
        { via, error: String(error) },
        'no later roster could be had: the stored one is used',
      )
      return stored
    }
  }

  /**
   * Two processes with the same uid would vote twice as one member. At another address than the listed one this one asks
   * whether somebody answers there in its name. Throws StrangerError.
   */
  async #checkAlone(roster: Roster): Promise<void> {
    const { uid } = this.#store.identity
    const own = roster.peers.find(peer => peer.uid === uid)
    if (own === undefined || own.url === this.#config.url) return
    const other = await identify(own.url, this.#config.peerTimeoutMs, systemClock).catch(() => undefined)
    if (other?.uid !== uid || other.run === this.#run) return
    throw new StrangerError(
      `A process at ${own.url} runs on this same store (uid ${uid}): this data folder is a copy of it. Start this peer with an empty one.`,
    )
  }

  #joining(via: string): Joining {
    const { nodeId, url, slots, slotsGiven } = this.#config
    return new Joining({
      via,
      url,
      ...(slotsGiven && { slots }),
      ...(nodeId !== undefined && { id: nodeId }),
      format: WIRE_FORMAT,
      store: this.#store,
      ask: askToJoin,
      identify: url => identify(url, this.#config.peerTimeoutMs, systemClock),
      clock: systemClock,
      log: this.#options.log,
    })
  }

  #newFounding(): Founding {
    const { nodeId = '', peers, slots, found, peerTimeoutMs } = this.#config
    return new Founding({
      self: nodeId,
      list: peers,
      dimension: nodeId.length,
      slots,
      alone: found,
      store: this.#store,
      ask: (peer, statement) => askFounding(peer.url, statement, peerTimeoutMs, systemClock),
      clock: systemClock,
      uuid: randomUUID,
      log: this.#options.log,
    })
  }

  #tellAddress({ engine, dispatcher }: Parts): Promise<void> {
    const { uid } = this.#store.identity
    return tellAddress({
      uid,
      url: this.#config.url,
      rosters: engine.rosters,
      dispatcher,
      clock: systemClock,
      log: this.#options.log,
      signal: this.#abort.signal,
    })
  }

  #api(): PeerApi {
    const founded = () => {
      if (this.#parts) return this.#parts
      throw new HypercastError('NOT_FOUNDED')
    }
    const config = this.#config
    const self = () => this.#parts?.self ?? config.nodeId ?? ''
    return {
      get self() {
        return self()
      },
      roster: () => this.#parts?.engine.roster ?? null,
      get dispatcher() {
        return founded().dispatcher
      },
      get slots() {
        return founded().engine
      },
      streams: streamsApi(founded, () => this.#parts?.streams),
      links: this.#linksApi(founded),
      membership: membershipApi(founded),
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

  #linksApi(founded: () => Parts): LinksApi {
    return {
      replicate: async (from, type, body) => founded().handlers.replicate(from, type, body),
      heartbeat: async (from, type, body, socket) => founded().handlers.heartbeat(from, type, body, socket),
      operations: (from, type, body) => founded().handlers.operations(from, type, body),
      roster: async () => founded().handlers.roster(),
      snapshot: async (from, slot, after) => founded().handlers.snapshot(from, slot, after),
      identity: async () => ({
        uid: this.#store.identity.uid,
        clusterId: this.#store.roster()?.clusterId ?? null,
        run: this.#run,
      }),
      founding: async (type, body) => {
        const founding = this.#founding
        if (!founding) throw new HypercastError('NOT_FOUNDED', 'This peer joins a cluster and founds none.')
        return handleFounding(type, body, statement => founding.answer(statement))
      },
    }
  }

  #peerStatus(peer: PeerId): PeerStatus {
    if (peer === this.#parts?.self) return 'self'
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

function membershipApi(founded: () => Parts): MembershipApi {
  return {
    join: async (wish, deadlineMs) => founded().admission.join(wish, deadlineMs),
    leave: async (id, { by, force }, deadlineMs) => founded().admission.leave(id, by, force, deadlineMs),
    progress: async deadlineMs => founded().admission.survey(deadlineMs),
  }
}
