import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { assemble, type Parts } from './assembly.ts'
import type { PeerConfig } from './config.ts'
import type { PeerId } from './cube/labels.ts'
import type { Roster } from './cube/roster.ts'
import { systemClock } from './engine/clock.ts'
import type { Engine } from './engine/engine.ts'
import { FORMATS, type Formats, formatFault } from './engine/formats.ts'
import { Founding, StrangerError } from './engine/founding.ts'
import type { EngineLog } from './engine/settings.ts'
import { HypercastError } from './errors.ts'
import type { PeerApi } from './http/api.ts'
import { buildApp } from './http/app.ts'
import { LIMITS } from './limits.ts'
import { askFounding } from './links/founding.ts'
import { fetchRoster, identify } from './links/identity.ts'
import { askToJoin } from './links/join.ts'
import { type Life, Lives, type Peer, type Succession } from './lives.ts'
import { OwnAddress } from './membership/address.ts'
import { OwnFormat } from './membership/format.ts'
import { Joining } from './membership/joining.ts'
import { Repair } from './membership/repair.ts'
import { PeerMetrics } from './metrics.ts'
import { peerApi } from './peer-api.ts'
import { StoreError } from './store/errors.ts'
import type { LogStore } from './store/types.ts'

export type { Peer } from './lives.ts'

/** Peers from which on the loss of one leaves a majority of every slot. */
const SURVIVING_PEERS = 3

export interface PeerOptions {
  readonly log: EngineLog
  /** An invariant is broken or the disk failed: the process must end. */
  readonly onFatal: (error: Error) => void
  /** The roster does not list this peer any more: the process may end. */
  readonly onRemoved: (self: PeerId) => void
  /** What this program speaks with other peers; FORMATS, but for a test that plays another version. */
  readonly formats?: Formats
}

/**
 * Starts a peer: opens its store, listens, founds the cube with the others, joins a running one, or takes it up again
 * from its disk, and then takes part. Resolves as soon as it listens. Rejects with StoreError or with what listening throws.
 */
export async function startPeer(config: PeerConfig, options: PeerOptions): Promise<Peer> {
  const metrics = new PeerMetrics()
  const others = [...config.peers.map(({ url }) => url), ...(config.join ? [config.join] : [])]
  const lives = new Lives({
    url: config.url,
    data: config.data,
    others: others.filter(url => url !== config.url),
    clock: systemClock,
    log: options.log,
    begin: (store, succession) => new RunningPeer(config, options, store, metrics, succession),
    rosterAt: url => rosterAt(url, config.peerTimeoutMs),
    onFatal: options.onFatal,
  })
  await lives.start()
  return lives
}

/** Rejects when nobody answers at `url` in time, or who does belongs to no cluster yet. */
async function rosterAt(url: string, timeoutMs: number): Promise<Roster> {
  const { clusterId } = await identify(url, timeoutMs, systemClock)
  if (clusterId === null) throw new HypercastError('NOT_FOUNDED')
  return fetchRoster(url, clusterId, timeoutMs, systemClock)
}

class RunningPeer implements Life {
  readonly ready: Promise<void>
  readonly #config: PeerConfig
  readonly #options: PeerOptions
  readonly #store: LogStore
  readonly #metrics: PeerMetrics
  readonly #succession: Succession
  /** Undefined for a peer that joins. */
  readonly #founding: Founding | undefined
  readonly #abort = new AbortController()
  /** Names this process, apart from others that run on a copy of its store. */
  readonly #run = randomUUID()
  #app: FastifyInstance | undefined
  #engine: Engine | undefined
  #parts: Parts | undefined
  #repair: Repair | undefined
  #isReady = false
  /** It has handed its slots over, to be replaced by an empty store. */
  #isSilent = false
  #stopping = false
  #listening: () => void = () => {}

  constructor(
    config: PeerConfig,
    options: PeerOptions,
    store: LogStore,
    metrics: PeerMetrics,
    succession: Succession,
  ) {
    this.#config = config
    this.#options = options
    this.#store = store
    this.#metrics = metrics
    this.#succession = succession
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
    this.#checkVersion()
    this.#app = await buildApp(this.#api())
    await this.#app.listen({ host, port })
    this.#listening()
  }

  /** Throws StoreError DATA_VERSION when the cluster of this store is at a format that this program does not speak. */
  #checkVersion(): void {
    const stored = this.#store.roster()
    const fault = stored && formatFault(this.#formats, stored)
    if (fault) throw new StoreError('DATA_VERSION', `${this.#config.data} cannot be used: ${fault}`)
  }

  get #formats(): Formats {
    return this.#options.formats ?? FORMATS
  }

  async close(): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    this.#abort.abort(new Error('the peer stops'))
    this.#repair?.stop()
    this.#parts?.departures.stop()
    await this.#engine?.stop()
    this.#parts?.journal.close()
    // What is under way is tried again for a while, since the slots have just been handed over; off the list in vain.
    const isListed = this.#parts?.engine.roster.peers.some(({ uid }) => uid === this.#store.identity.uid)
    const cancel = systemClock.after(isListed ? LIMITS.STOP_PATIENCE_MS : 0, () =>
      this.#parts?.dispatcher.close(),
    )
    await this.#app?.close()
    cancel()
    await this.#parts?.close()
    await this.#store.close()
  }

  async #begin(): Promise<void> {
    const roster = await this.#belong()
    this.#checkListed(roster)
    await this.#checkAlone(roster)
    this.#abort.signal.throwIfAborted()
    const { log, onFatal } = this.#options
    const parts: Parts = assemble({
      config: this.#config,
      log,
      onFatal,
      onRemoved: () => this.#removed(parts),
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
    this.#repair = this.#newRepair(parts)
    this.#repair.start()
    // Not only when it is ready: at an old address nobody finds it, and it may never hear of a primary.
    void this.#tellAddress(parts)
    void this.#tellFormat(parts)
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
   * A store that the cluster took off its list while nobody ran on it: whoever says --join wants the peer back, as a new
   * one. Throws StrangerError.
   */
  #checkListed({ clusterId, peers }: Roster): void {
    const { uid } = this.#store.identity
    if (peers.some(peer => peer.uid === uid)) return
    if (this.#config.join !== undefined) this.#succession.ended({ kind: 'unlisted' })
    throw new StrangerError(`Cluster ${clusterId} has taken this store (uid ${uid}) off its list.`)
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
      formats: this.#formats,
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
      formats: this.#formats,
      alone: found,
      store: this.#store,
      ask: (peer, statement) => askFounding(peer.url, statement, peerTimeoutMs, systemClock),
      clock: systemClock,
      uuid: randomUUID,
      log: this.#options.log,
    })
  }

  #newRepair({ self, engine, dispatcher, departures }: Parts): Repair {
    const { attempts, prepare, ended } = this.#succession
    return new Repair({
      self,
      uid: this.#store.identity.uid,
      rosters: engine.rosters,
      dispatcher,
      clock: systemClock,
      random: Math.random,
      log: this.#options.log,
      attempts,
      damaged: () => engine.corrupt,
      space: () => this.#store.space(),
      reserveBytes: this.#config.diskReserveBytes,
      prepare,
      fallSilent: async () => {
        this.#isSilent = true
        departures.stop()
        await engine.stop()
      },
      ended,
    })
  }

  /** Off the list: for good, or because the store that was prepared has taken its place. */
  #removed({ self, engine }: Parts): void {
    const next = this.#succession.nextUid()
    const { roster } = engine
    const isReplaced = roster.peers.some(({ uid }) => uid === next)
    if (isReplaced) this.#succession.ended({ kind: 'replaced', roster })
    else this.#options.onRemoved(self)
  }

  #tellAddress({ engine, dispatcher }: Parts): Promise<void> {
    const { uid } = this.#store.identity
    const address = new OwnAddress({
      uid,
      url: this.#config.url,
      run: this.#run,
      rosters: engine.rosters,
      dispatcher,
      clock: systemClock,
      log: this.#options.log,
      signal: this.#abort.signal,
      identify: url => identify(url, this.#config.peerTimeoutMs, systemClock),
      adopt: roster => engine.adopt(roster),
      askForRoster: peer => engine.askForRoster(peer),
      onRoster: listener => engine.onRoster(listener),
    })
    return address.watch()
  }

  #tellFormat({ engine, dispatcher }: Parts): Promise<void> {
    const format = new OwnFormat({
      uid: this.#store.identity.uid,
      formats: this.#formats,
      rosters: engine.rosters,
      dispatcher,
      clock: systemClock,
      log: this.#options.log,
      signal: this.#abort.signal,
      adopt: roster => engine.adopt(roster),
      onRoster: listener => engine.onRoster(listener),
      unfit: this.#options.onFatal,
    })
    return format.watch()
  }

  #api(): PeerApi {
    return peerApi({
      config: this.#config,
      store: this.#store,
      metrics: this.#metrics,
      log: this.#options.log,
      run: this.#run,
      founding: this.#founding,
      parts: () => this.#parts,
      isReady: () => this.#isReady,
      isSilent: () => this.#isSilent,
      isStopping: () => this.#stopping,
    })
  }
}
