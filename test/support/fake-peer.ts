import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { PeerId } from '../../services/peer/cube/labels.ts'
import { placement } from '../../services/peer/cube/placement.ts'
import { peerAt, type Roster } from '../../services/peer/cube/roster.ts'
import { systemClock } from '../../services/peer/engine/clock.ts'
import { type ErrorCode, HypercastError } from '../../services/peer/errors.ts'
import type {
  HttpLog,
  HttpSettings,
  LinksApi,
  MembershipApi,
  PeerApi,
  PeerStatus,
} from '../../services/peer/http/api.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import { Executor } from '../../services/peer/links/execute.ts'
import { topicSlot } from '../../services/peer/links/topic-slot.ts'
import type { Dispatcher, Operation, OperationResult } from '../../services/peer/links/types.ts'
import type { RecoveryPlan } from '../../services/peer/membership/recovery-plan.ts'
import { PeerMetrics } from '../../services/peer/metrics.ts'
import { TopicStreams } from '../../services/peer/streams/hub.ts'
import type { Request } from '../../services/peer/topics/types.ts'
import { MemorySlots } from './memory-slots.ts'

export const SELF = '110'
const PATIENCE_MS = 1_000

/** Eight peers on a 3-cube, at addresses where nobody listens. */
export const ROSTER: Roster = {
  version: 1,
  clusterId: 'c1',
  dimension: 3,
  slots: 64,
  peers: Array.from({ length: 8 }, (_, at) => {
    const id = at.toString(2).padStart(3, '0')
    return { id, uid: `uid-${id}`, number: at + 1, url: `http://127.0.0.1:${5555 + at}` }
  }),
}

/** Everything below HTTP in memory: one peer that holds and leads every slot. What tests may change is a field. */
export class FakePeer implements PeerApi {
  readonly self: PeerId = SELF
  readonly clock = systemClock
  readonly slots = new MemorySlots(SELF, ROSTER.slots, systemClock)
  readonly metrics = new PeerMetrics()
  readonly dispatcher: Dispatcher
  readonly streams: TopicStreams
  readonly links = new FakeLinks()
  readonly membership = new FakeMembership(this)
  readonly settings: HttpSettings
  /** Errors that were logged: there should be none. */
  readonly logged: object[] = []
  readonly log: HttpLog
  current: Roster | null = ROSTER
  statuses = new Map<PeerId, PeerStatus>()
  /** Streams of clients at the other peers; null: that one does not answer. */
  listening = new Map<PeerId, number | null>()
  isReady = true
  isStopping = false
  /** When set, everything asked of the cube fails with it. */
  failing: { code: ErrorCode; definite: boolean } | undefined
  /** The code with which an operation fails, or undefined for one that does not. */
  refusing: (operation: Operation) => ErrorCode | undefined = () => undefined

  constructor(settings: Partial<HttpSettings> = {}) {
    this.settings = {
      maxPayloadBytes: 1_048_576,
      maxBatchBytes: 8_388_608,
      publishTimeoutMs: PATIENCE_MS,
      requestTimeoutMs: 30_000,
      allowOrigin: [],
      sseHeartbeatMs: 15_000,
      sseRetryMs: 500,
      stallTimeoutMs: 30_000,
      retention: { maxAgeMs: 604_800_000, maxEvents: null, maxBytes: null },
      ...settings,
    }
    const quiet = () => {}
    this.log = { debug: quiet, info: quiet, warn: quiet, error: fields => this.logged.push(fields) }
    this.dispatcher = this.#dispatcher()
    this.streams = new TopicStreams({
      self: SELF,
      slots: this.slots,
      dispatcher: this.dispatcher,
      clock: this.clock,
      random: () => 0.5,
      log: this.log,
      trunks: {
        open: () => {
          throw new HypercastError('UNREACHABLE')
        },
        say: () => Promise.reject(new HypercastError('UNREACHABLE')),
      },
      settings: { heartbeatMs: 15_000, stallTimeoutMs: 30_000, retryMs: 500, flushMs: 2 },
      slotOf: topic => topicSlot(topic, ROSTER.slots),
      slotCount: ROSTER.slots,
      parentsOf: slot => placement(slot, ROSTER, LIMITS.REPLICAS).filter(peer => peer !== SELF),
    })
    this.metrics.watch({
      slots: this.slots,
      streams: this.streams,
      neighbours: () => ['010', '100', '111'].map(id => ({ id, up: this.peerStatus(id) === 'up' })),
    })
  }

  roster(): Roster | null {
    return this.current
  }

  peerStatus(peer: PeerId): PeerStatus {
    return this.statuses.get(peer) ?? 'up'
  }

  primaryOf(slot: number): PeerId | null {
    return slot === 0 ? null : SELF
  }

  ready() {
    return this.isReady
      ? { ready: true, why: 'every slot has a primary' }
      : { ready: false, why: 'slot 4 has none' }
  }

  stopping(): boolean {
    return this.isStopping
  }

  #dispatcher(): Dispatcher {
    const executor = new Executor(SELF, 'http://here', this.slots, topic => this.streams.listeners(topic))
    const dispatch = async (operation: Operation, deadlineMs: number) => {
      if (this.failing)
        return { result: { kind: 'failed', ...this.failing } as OperationResult, path: [SELF] }
      const code = this.refusing(operation)
      if (code !== undefined)
        return { result: { kind: 'failed', code, definite: true } as const, path: [SELF] }
      if (operation.kind === 'listeners' && operation.peer !== SELF) {
        const count = this.listening.get(operation.peer)
        const result: OperationResult =
          count === null
            ? { kind: 'failed', code: 'UNREACHABLE', definite: true }
            : { kind: 'listeners', count: count ?? 0 }
        return { result, path: [] }
      }
      const outcome = await executor.execute(operation, deadlineMs)
      if (outcome.kind !== 'done') throw new Error('a peer that holds every slot can answer')
      return { result: outcome.result, path: [SELF] }
    }
    return {
      dispatch,
      async append(request: Request, deadlineMs: number) {
        const slot = request.kind === 'roster' ? ROSTER.slots : topicSlot(request.topic, ROSTER.slots)
        return { ...(await dispatch({ kind: 'append', slot, request }, deadlineMs)), slot }
      },
    }
  }
}

/** A roster without slots that move: what is asked for is so at once. */
export class FakeMembership implements MembershipApi {
  readonly #peer: FakePeer
  /** Everything that was asked for, in order. */
  readonly asked: object[] = []
  /** When set, everything rejects with it. */
  failure: HypercastError | undefined
  /** What is said to be left. */
  recovery: RecoveryPlan = { slots: [], kept: 65, stuck: [] }
  state = { moving: 0, bytesToMove: 0, behind: 0, unknown: 0 }

  constructor(peer: FakePeer) {
    this.#peer = peer
  }

  async join(wish: Parameters<MembershipApi['join']>[0], deadlineMs: number) {
    this.#note({ ...wish, deadlineMs })
    const { uid, url } = wish
    const before = this.#peer.current!
    const known = before.peers.find(peer => peer.uid === uid)
    if (known) return { roster: before, peer: known, fresh: false }
    const dimension = before.peers.length === 2 ** before.dimension ? before.dimension + 1 : before.dimension
    const id = wish.id ?? before.peers.length.toString(2).padStart(dimension, '0')
    const peer = { id, uid, url, number: before.peers.length + 1 }
    const roster = { ...before, version: before.version + 1, dimension, peers: [...before.peers, peer] }
    this.#peer.current = roster
    return { roster, peer, fresh: true }
  }

  async leave(id: PeerId, options: Parameters<MembershipApi['leave']>[1], deadlineMs: number) {
    this.#note({ id, ...options, deadlineMs })
    const before = this.#peer.current!
    const peer = { ...peerAt(before, id)!, leaving: true as const }
    const peers = before.peers.map(other => (other.uid === peer.uid ? peer : other))
    const roster = { ...before, version: before.version + 1, peers }
    this.#peer.current = roster
    return { roster, peer }
  }

  async progress(deadlineMs: number) {
    this.#note({ deadlineMs })
    return this.state
  }

  async recover(wish: Parameters<MembershipApi['recover']>[0]) {
    this.#note(wish)
    const roster = this.#peer.current!
    const lost = wish.lost.flatMap(id => peerAt(roster, id) ?? [])
    return { ...this.recovery, done: wish.force, roster, lost }
  }

  #note(asked: object): void {
    if (this.failure) throw this.failure
    this.asked.push(asked)
  }
}

/** Peers' requests, told back as JSON. */
class FakeLinks implements LinksApi {
  readonly uid = 'uid-110'
  readonly sockets: Socket[] = []
  /** Who opened a lane. */
  readonly lanes: PeerId[] = []
  /** Where peers said that they are, in order. */
  readonly places: (readonly [from: PeerId, url: string])[] = []

  said(from: PeerId, url: string) {
    this.places.push([from, url])
  }

  lane(from: PeerId, socket: Duplex, head: Buffer) {
    this.lanes.push(from)
    socket.end(`${from}:${head}`)
  }

  closeLanes() {}

  async replicate(from: PeerId, contentType: string, body: Buffer) {
    return say({ from, contentType, body: body.toString() })
  }

  async heartbeat(from: PeerId, contentType: string, body: Buffer, socket: Socket) {
    this.sockets.push(socket)
    return say({ from, contentType, body: body.toString() })
  }

  async *operations(from: PeerId, _contentType: string, body: Buffer): AsyncGenerator<Uint8Array> {
    yield Buffer.from(`${from}:`)
    yield body
  }

  async snapshot(from: PeerId, slot: number, after: number) {
    return say({ from, slot, after })
  }

  async roster() {
    return say({ roster: 'asked for' })
  }

  async identity() {
    return { uid: 'uid', clusterId: 'cluster', run: 'run' }
  }

  async recovery(contentType: string, body: Buffer) {
    return say({ contentType, body: body.toString() })
  }

  async founding(contentType: string, body: Buffer) {
    if (body.length === 0) throw new HypercastError('INVALID_REQUEST', 'The body is empty.')
    return say({ contentType, body: body.toString() })
  }
}

function say(value: object) {
  return { contentType: 'application/json', body: Buffer.from(JSON.stringify(value)) }
}
