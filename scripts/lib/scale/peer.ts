import { createHash } from 'node:crypto'
import { slotOf } from '../../../services/peer/cube/placement.ts'
import type { Roster } from '../../../services/peer/cube/roster.ts'
import { Engine } from '../../../services/peer/engine/engine.ts'
import type {
  Beat,
  DialResult,
  SlotMessage,
  SnapshotChunk,
  Transport,
} from '../../../services/peer/engine/types.ts'
import { beatBody, messagesBody, rosterBody, snapshotBody } from '../../../services/peer/engine/wire.ts'
import { LIMITS } from '../../../services/peer/limits.ts'
import type { CubeDispatcher } from '../../../services/peer/links/dispatcher.ts'
import { LinkHandlers } from '../../../services/peer/links/handlers.ts'
import { InboundSockets } from '../../../services/peer/links/inbound.ts'
import { packedHeaders } from '../../../services/peer/links/replicate.ts'
import { makeTrunkLinks } from '../../../services/peer/links/trunk.ts'
import { MemoryDisk } from '../../../services/peer/store/memory.ts'
import { openMemoryStore } from '../../../services/peer/store/open.ts'
import type { TopicStreams } from '../../../services/peer/streams/hub.ts'
import { membersOf, wire } from '../../../services/peer/wiring.ts'
import type { Chance, World } from '../../../test/sim/world.ts'
import { Life } from './life.ts'
import { type Network, NoAnswerError } from './network.ts'
import type { Defaults } from './settings.ts'
import { operationsWire, streamWire } from './wires.ts'

/** Time an fsync takes. */
export const FLUSH_MS = 1

export interface SimulatedPeerOptions {
  readonly id: string
  readonly uid: string
  readonly roster: Roster
  readonly world: World
  readonly network: Network
  readonly chance: Chance
  readonly settings: Defaults
  /** What must not happen: a broken invariant, an error in the log. */
  onDefect(what: string): void
}

/**
 * One peer on virtual time, wired as any other: real engine, links and streams; only the network, the disk and the
 * clock are simulated.
 */
export class SimulatedPeer {
  readonly id: string
  life: Life
  engine!: Engine
  dispatcher!: CubeDispatcher
  streams!: TopicStreams
  handlers!: LinkHandlers
  readonly #options: SimulatedPeerOptions
  readonly #disk: MemoryDisk
  #isUp = false

  constructor(options: SimulatedPeerOptions) {
    this.#options = options
    this.id = options.id
    const { world } = options
    this.life = new Life(world)
    this.#disk = new MemoryDisk({
      schedule: done => {
        const { life } = this
        world.after(FLUSH_MS, () => life.run(done))
      },
    })
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** Starts a process on the disk; a fresh one gets the roster, as if its cube had just been founded. */
  async start(): Promise<void> {
    const { uid, roster, world, network, chance, settings, onDefect } = this.#options
    const { id: self } = this
    this.life = new Life(world)
    const { life } = this
    const { clock } = life
    const random = () => chance.next()
    const log = {
      ...{ debug() {}, info() {}, warn() {} },
      error: (fields: object, message: string) => onDefect(`${self}: ${message} ${JSON.stringify(fields)}`),
    }
    const store = openMemoryStore(this.#disk, { newUid: () => uid })
    if (!store.roster()) await store.writeRoster(roster)
    const engine: Engine = new Engine({
      self,
      roster: store.roster() ?? roster,
      members: (slot, deadlineMs) => membersOf(this.dispatcher, slot, deadlineMs),
      store,
      transport: this.#transport(life),
      clock,
      random,
      log,
      observer: { committed() {}, flushed() {}, election() {}, beat() {} },
      settings,
      onRemoved: () => onDefect(`${self} is off the list`),
      onFatal: error => onDefect(`${self} ended itself: ${String(error)}`),
    })
    const headers = { 'hypercast-cluster': roster.clusterId, 'hypercast-from': self, 'hypercast-uid': uid }
    const { edges, router, dispatcher, streams, departures } = wire({
      ...{ self, engine, store: store.identity, clock, random, log, headers },
      url: `http://${self}.invalid`,
      pools: { operations: peer => operationsWire(network, this, peer) },
      acceptTimeoutMs: Math.max(settings.electionMs / 2, 4 * LIMITS.ACCEPT_AFTER_MS),
      trunks: makeTrunkLinks({
        streams: peer => streamWire(network, this, peer),
        requests: peer => operationsWire(network, this, peer),
        headers: () => packedHeaders(headers),
        clock,
      }),
      streaming: {
        heartbeatMs: settings.sseHeartbeatMs,
        stallTimeoutMs: settings.stallTimeoutMs,
        retryMs: settings.sseRetryMs,
        flushMs: LIMITS.STREAM_FLUSH_MS,
      },
      evictAfterMs: settings.evictAfterMs,
      identify: url => Promise.reject(new Error(`nobody joins from ${url}`)),
    })
    this.engine = engine
    this.dispatcher = dispatcher
    this.streams = streams
    const transport = { handleReplicate: async () => [], takeLane() {}, closeLanes() {}, heard() {} }
    const inbound = new InboundSockets(() => {})
    this.handlers = new LinkHandlers({ transport, engine, router, edges, inbound, clock, log })
    await engine.start()
    departures.start()
    this.#isUp = !life.isDead
  }

  /** kill -9: what was not flushed is gone. */
  kill(): void {
    this.life.die()
    this.#isUp = false
    this.#disk.crash()
    const { network } = this.#options
    network.died(
      this.id,
      this.engine.roster.peers.map(({ id }) => id).filter(id => this.#beats(id)),
    )
  }

  /** Whether a heartbeat connection leads to that peer. */
  #beats(id: string): boolean {
    return id !== this.id && this.engine.peerState(id) !== 'unknown'
  }

  #transport(life: Life): Transport {
    const { network, settings, world } = this.#options
    const { electionMs } = settings
    return {
      send: (to, messages) => {
        if (life.isDead) return
        const body = messagesBody.encode(messages)
        const arrive = (target: SimulatedPeer) =>
          void target.engine.receive(this.id, messagesBody.decode(body) as readonly SlotMessage[])
        network.send('raft', this, to, arrive, () => this.engine.unreachable(to))
      },
      heartbeat: async (to, beat) => {
        const body = beatBody.encode(beat)
        network.tally.exchange(this.id, to)
        const answer = await network.ask('heartbeat', this, to, electionMs, target =>
          beatBody.encode(target.engine.heartbeat(this.id, beatBody.decode(body) as Beat)),
        )
        return beatBody.decode(answer)
      },
      roster: async to => {
        const answer = await network.ask('other', this, to, electionMs, target =>
          rosterBody.encode(target.engine.roster),
        )
        return rosterBody.decode(answer)
      },
      dial: to =>
        network
          .ask<DialResult>('other', this, to, electionMs, () => 'open')
          .then(
            // A connection must stay open for a while to count.
            result => new Promise(resolve => world.after(LIMITS.DIAL_SETTLE_MS, () => resolve(result))),
            error => (error instanceof NoAnswerError && error.kind === 'refused' ? 'refused' : 'silent'),
          ),
      snapshot: async (to, slot, afterIndex) => {
        const answer = await network.ask('other', this, to, LIMITS.SNAPSHOT_CHUNK_TIMEOUT_MS, target =>
          snapshotBody.encode(target.engine.snapshotChunk(this.id, slot, afterIndex)),
        )
        return snapshotBody.decode(answer) as SnapshotChunk
      },
    }
  }
}

/** The slot of a topic's name. */
export function slotOfTopic(topic: string, slots: number): number {
  return slotOf(createHash('sha256').update(topic, 'utf8').digest(), slots)
}
