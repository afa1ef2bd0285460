import type { PeerId } from '../cube/labels.ts'
import { neighbours } from '../cube/neighbours.ts'
import { successors } from '../cube/placement.ts'
import type { Roster } from '../cube/roster.ts'
import { LIMITS } from '../limits.ts'
import type { Message, Ready } from '../raft/types.ts'
import { CorruptRecord, type LogStore, type SlotWrite } from '../store/types.ts'
import type { Request, SlotNotice, StoredEvent, TopicRow } from '../topics/types.ts'
import { Heartbeats } from './heartbeats.ts'
import { Liveness, type PeerState } from './liveness.ts'
import { offsetAt, readEvents } from './reading.ts'
import { Reclaim } from './reclaim.ts'
import type { EngineLog, EngineSettings } from './settings.ts'
import { type Leadership, numberOf, peerOf, Slot, type SlotContext } from './slot.ts'
import { Snapshots } from './snapshots.ts'
import {
  type Appended,
  type Beat,
  type Clock,
  type CubeEvent,
  type EngineObserver,
  SlotError,
  type SlotLogs,
  type SlotMessage,
  type SlotStatus,
  type SnapshotChunk,
  type Transport,
} from './types.ts'
import { Upkeep } from './upkeep.ts'

/** Applied rows that no urgent write took along are written this much later: they follow from the log anyway. */
const LAZY_WRITE_MS = 100

/** A peer that stops gives its successors this long to take its slots over. */
const RESIGN_MS = 1_500

export interface EngineOptions {
  readonly self: PeerId
  readonly roster: Roster
  readonly store: LogStore
  readonly transport: Transport
  readonly clock: Clock
  /** Seeded generator in [0, 1). */
  readonly random: () => number
  readonly log: EngineLog
  readonly observer: EngineObserver
  readonly settings: EngineSettings
  /** An invariant is broken or the disk failed: the process must end. Nothing is sent or written any more. */
  readonly onFatal: (error: unknown) => void
}

/**
 * Drives every slot this peer is a replica of. All that arrives in one event-loop turn, for all slots, becomes one
 * storage transaction and at most one batch of messages per peer; what depends on the transaction leaves when it is
 * durable.
 */
export class Engine implements SlotLogs {
  readonly #options: EngineOptions
  /** Order of succession of every slot held here. */
  readonly #placed: ReadonlyMap<number, readonly PeerId[]>
  readonly #slots = new Map<number, Slot>()
  readonly #liveness: Liveness
  readonly #reclaim: Reclaim
  readonly #heartbeats: Heartbeats
  readonly #snapshots: Snapshots
  readonly #upkeep: Upkeep
  /** The last pre-vote of each slot that came while its leader, the key, was believed alive. */
  readonly #doubts = new Map<PeerId, Map<number, { readonly message: Message; readonly atMs: number }>>()
  readonly #cubeListeners = new Set<(event: CubeEvent) => void>()
  #dirty = new Set<Slot>()
  /** Slots with applied rows that are not handed to the store yet. */
  #lazy = new Set<Slot>()
  #turnAsked = false
  #turnWaiters: (() => void)[] = []
  #cancelTick: (() => void) | undefined
  #cancelLazy: (() => void) | undefined
  #toldReady = false
  #state: 'new' | 'running' | 'stopping' | 'stopped' = 'new'

  constructor(options: EngineOptions) {
    this.#options = options
    const { self, roster, store, transport, clock, settings, log, observer } = options
    const ids = roster.peers.map(peer => peer.id)
    const placed = new Map<number, readonly PeerId[]>()
    for (let slot = 0; slot < roster.slots; slot++) {
      const order = successors(slot, roster, LIMITS.REPLICAS)
      if (order.includes(self)) placed.set(slot, order)
    }
    this.#placed = placed
    const partners = new Set<PeerId>(neighbours(self, roster))
    for (const order of placed.values()) for (const id of order) partners.add(id)
    partners.delete(self)
    this.#liveness = new Liveness({
      peers: ids.filter(id => id !== self),
      clock,
      settings,
      log,
      dial: peer => transport.dial(peer),
      gone: peer => this.#gone(peer),
      event: event => this.#emit(event),
    })
    this.#reclaim = new Reclaim({ self, roster, clock, liveness: this.#liveness, settings, log })
    const write = (slot: Slot) => this.#writeLazy([slot])
    const failed = (slot: Slot, error: unknown) => this.#failed(slot, error)
    const step = (slot: Slot, message: Message) => this.#guard(slot, () => slot.step(message))
    this.#snapshots = new Snapshots({ store, transport, log, write, step, failed })
    this.#upkeep = new Upkeep({
      slots: this.#slots,
      store,
      reclaim: this.#reclaim,
      clock,
      settings,
      log,
      write,
      failed,
    })
    this.#heartbeats = new Heartbeats({
      self,
      roster,
      identity: store.identity,
      partners: [...partners],
      slots: this.#slots,
      transport,
      liveness: this.#liveness,
      clock,
      settings,
      observer,
      step,
      lowDisk: () => this.#upkeep.lowDisk,
      stopping: () => this.#state === 'stopping' || this.#state === 'stopped',
    })
  }

  /** Founds the slots this store does not hold yet, loads all, and starts time. */
  async start(): Promise<void> {
    const { store, clock } = this.#options
    const stored = new Set(store.slots())
    const missing = [...this.#placed.keys()].filter(slot => !stored.has(slot))
    if (missing.length > 0) await store.write(missing.map(slot => this.#founding(slot)))
    for (const [slot, order] of this.#placed) this.#load(slot, order)
    this.#state = 'running'
    this.#heartbeats.start()
    this.#upkeep.start()
    this.#cancelTick = clock.after(this.#options.settings.tickMs, () => this.#timeForATick())
    // A peer may hold no slot at all: nothing will ever change for it.
    this.#tellReady()
  }

  /** Hands its slots over, writes what is left and stops time. The store stays open. */
  async stop(): Promise<void> {
    if (this.#state !== 'running') return
    this.#state = 'stopping'
    const { clock } = this.#options
    for (const slot of this.#slots.values()) this.#reclaim.resign(slot)
    const untilMs = clock.monotonicMs() + RESIGN_MS
    while (
      clock.monotonicMs() < untilMs &&
      [...this.#slots.values()].some(slot => slot.raft.status().transferee !== 0)
    ) {
      await new Promise<void>(resolve => clock.after(this.#options.settings.tickMs, resolve))
    }
    this.#heartbeats.leave()
    this.#upkeep.stop()
    this.#cancelTick?.()
    this.#cancelLazy?.()
    for (const slot of this.#slots.values()) slot.stop()
    this.#runTurn()
    const left = this.#lazyWrites([...this.#slots.values()])
    this.#state = 'stopped'
    if (left.length > 0) await this.#options.store.write(left)
    await this.#written
  }

  // --- what other peers send -----------------------------------------------------------------------------------

  /**
   * Takes in Raft messages of another peer. Resolves when what they caused is durable and the answers to them were
   * handed to the transport. Messages of senders that the slot's configuration does not name are dropped.
   */
  receive(from: PeerId, messages: readonly SlotMessage[]): Promise<void> {
    if (this.#state !== 'running' && this.#state !== 'stopping') return Promise.resolve()
    const sender = numberOf(this.#options.roster, from)
    for (const { slot: number, message } of messages) {
      const slot = this.#slots.get(number)
      if (!slot || message.from !== sender || message.to !== slot.number) continue
      if (message.type === 'preVote') this.#doubtLeader(slot, from, message)
      if (message.type === 'snapshot') this.#snapshots.pull(slot, from, message)
      else this.#guard(slot, () => slot.step(message))
    }
    return new Promise(resolve => {
      this.#turnWaiters.push(resolve)
      this.#askForTurn()
    })
  }

  /** The other side of a heartbeat exchange. */
  heartbeat(from: PeerId, beat: Beat): Beat {
    return this.#heartbeats.answer(from, beat)
  }

  /** A connection to or from a peer closed: evidence of nothing, reason enough to dial. */
  connectionClosed(peer: PeerId): void {
    if (this.#state === 'running') this.#liveness.suspect(peer)
  }

  /** Messages to a peer were not delivered. */
  unreachable(peer: PeerId): void {
    const number = numberOf(this.#options.roster, peer)
    for (const slot of this.#slots.values()) if (slot.isPrimary) slot.raft.unreachable(number)
    this.connectionClosed(peer)
  }

  /** The next chunk of a slot's state, for a replica that pulls it. Throws SlotError for a slot not held. */
  snapshotChunk(_from: PeerId, slot: number, afterIndex: number): SnapshotChunk {
    return this.#reading(slot, held => this.#snapshots.chunk(held, afterIndex))
  }

  // --- what this peer believes of others -----------------------------------------------------------------------

  peerState(peer: PeerId): PeerState {
    return peer === this.#options.self ? 'up' : this.#liveness.state(peer)
  }

  /** True unless there is reason to think otherwise. */
  peerUp(peer: PeerId): boolean {
    const state = this.peerState(peer)
    return state === 'up' || state === 'unknown'
  }

  /** Whether every slot held here has a primary. */
  ready(): boolean {
    return this.#state === 'running' && [...this.#slots.values()].every(slot => slot.leadership.leader !== 0)
  }

  // --- SlotLogs ------------------------------------------------------------------------------------------------

  get held(): readonly number[] {
    return [...this.#slots.keys()]
  }

  holds(slot: number): boolean {
    return this.#slots.has(slot)
  }

  status(slot: number): SlotStatus {
    return this.#slot(slot).status()
  }

  async append(slot: number, request: Request, deadlineMs: number): Promise<Appended> {
    if (this.#state !== 'running') throw new SlotError({ kind: 'unavailable', code: 'STOPPING' })
    return this.#slot(slot).appends.append(request, deadlineMs)
  }

  async barrier(slot: number, deadlineMs: number): Promise<void> {
    const { appends } = this.#slot(slot)
    await appends.primaryHere(deadlineMs)
    return appends.barrier(deadlineMs)
  }

  topic(slot: number, name: string): TopicRow | undefined {
    return this.#slot(slot).machine.topic(name)
  }

  topics(slot: number, after: string, limit: number): TopicRow[] {
    return this.#slot(slot).machine.topics(after, limit)
  }

  incarnation(slot: number): number {
    return this.#slot(slot).machine.slot.incarnation
  }

  read(slot: number, incarnation: number, from: number, maxEvents: number, maxBytes: number): StoredEvent[] {
    return this.#reading(slot, held =>
      readEvents(this.#options.store, held, incarnation, from, maxEvents, maxBytes),
    )
  }

  offsetAt(slot: number, topic: string, timeMs: number): number {
    return this.#reading(slot, held => offsetAt(this.#options.store, held, topic, timeMs))
  }

  follow(slot: number, listener: (notice: SlotNotice) => void): () => void {
    return this.#slot(slot).follow(listener)
  }

  onCubeEvent(listener: (event: CubeEvent) => void): () => void {
    this.#cubeListeners.add(listener)
    return () => this.#cubeListeners.delete(listener)
  }

  // --- turns ---------------------------------------------------------------------------------------------------

  #askForTurn(): void {
    if (this.#turnAsked) return
    this.#turnAsked = true
    this.#options.clock.endOfTurn(() => this.#runTurn())
  }

  #runTurn(): void {
    this.#turnAsked = false
    if (this.#state === 'stopped') return
    const waiters = this.#turnWaiters
    this.#turnWaiters = []
    const dirty = this.#dirty
    this.#dirty = new Set()
    const writes: SlotWrite[] = []
    const outbox = new Outbox(this.#options.roster)
    const turns: { slot: Slot; ready: Ready }[] = []
    for (const slot of dirty) {
      if (!this.#serves(slot)) continue
      this.#guard(slot, () => {
        const turn = slot.turn()
        if (!turn) return
        turns.push({ slot, ready: turn.ready })
        outbox.add(slot.slot, turn.ready.messages)
        writes.push(...turn.writes)
        if (turn.writes.length > 0) this.#lazy.delete(slot)
        else this.#lazy.add(slot)
        if (slot.raft.hasReady()) this.#touch(slot)
      })
    }
    if (this.#isStopped) return
    outbox.flush(this.#options.transport)
    if (writes.length > 0) writes.push(...this.#lazyWrites([...this.#lazy]))
    this.#planLazyWrite()
    this.#persist(writes, turns, waiters)
    // Only now: whoever is told may read, and reading writes what is applied, which must not overtake the turn's rows.
    for (const { slot } of turns) this.#guard(slot, () => slot.tellFollowers())
  }

  /** Everything handed to the store so far; a Ready without a write waits for those before it. */
  #written: Promise<void> = Promise.resolve()
  #unfinishedWrites = 0

  #persist(writes: SlotWrite[], turns: { slot: Slot; ready: Ready }[], waiters: (() => void)[]): void {
    if (writes.length === 0 && this.#unfinishedWrites === 0) {
      this.#durable(turns, waiters)
      return
    }
    const { store, clock, observer } = this.#options
    const sinceMs = clock.monotonicMs()
    this.#unfinishedWrites++
    const before = this.#written
    const done = async () => {
      if (writes.length > 0) {
        await store.write(writes)
        const entries = writes.reduce((sum, { entries }) => sum + (entries?.length ?? 0), 0)
        observer.flushed(clock.monotonicMs() - sinceMs, entries)
      }
      await before
      this.#unfinishedWrites--
      this.#durable(turns, waiters)
    }
    this.#written = done().catch(error => this.#fatal(error))
  }

  #durable(turns: readonly { slot: Slot; ready: Ready }[], waiters: readonly (() => void)[]): void {
    if (this.#isStopped) {
      for (const done of waiters) done()
      return
    }
    const outbox = new Outbox(this.#options.roster)
    for (const { slot, ready } of turns) {
      if (!this.#serves(slot)) continue
      this.#guard(slot, () => {
        outbox.add(slot.slot, ready.messagesAfterPersist)
        slot.raft.persisted(ready.id)
        if (slot.raft.hasReady()) this.#touch(slot)
      })
    }
    if (!this.#isStopped) outbox.flush(this.#options.transport)
    for (const done of waiters) done()
  }

  #touch(slot: Slot): void {
    if (!this.#serves(slot)) return
    this.#dirty.add(slot)
    this.#askForTurn()
  }

  #lazyWrites(slots: readonly Slot[]): SlotWrite[] {
    const writes: SlotWrite[] = []
    for (const slot of slots) {
      this.#lazy.delete(slot)
      const write = slot.unwritten()
      if (write) writes.push(write)
    }
    return writes
  }

  #writeLazy(slots: readonly Slot[]): void {
    if (this.#state === 'stopped') return
    const writes = this.#lazyWrites(slots)
    if (writes.length > 0) this.#options.store.write(writes).catch(error => this.#fatal(error))
  }

  #planLazyWrite(): void {
    if (this.#lazy.size === 0 || this.#cancelLazy) return
    this.#cancelLazy = this.#options.clock.after(LAZY_WRITE_MS, () => {
      this.#cancelLazy = undefined
      this.#writeLazy([...this.#lazy])
    })
  }

  // --- time ----------------------------------------------------------------------------------------------------

  /** Queued input first, then at most one tick: a stall of the event loop must not depose healthy primaries. */
  #timeForATick(): void {
    const { clock, settings } = this.#options
    const dueMs = clock.monotonicMs()
    clock.endOfTurn(() =>
      clock.endOfTurn(() => {
        if (this.#state !== 'running' && this.#state !== 'stopping') return
        this.#tick()
        const spentMs = clock.monotonicMs() - dueMs
        this.#cancelTick = clock.after(Math.max(1, settings.tickMs - spentMs), () => this.#timeForATick())
      }),
    )
  }

  #tick(): void {
    this.#liveness.tick()
    for (const slot of this.#slots.values()) {
      this.#guard(slot, () => {
        slot.tick()
        if (slot.isPrimary && this.#state === 'running') this.#reclaim.look(slot)
      })
    }
  }

  // --- who leads -----------------------------------------------------------------------------------------------

  #changed(slot: Slot, before: Leadership): void {
    const { roster, log, self } = this.#options
    const now = slot.leadership
    if (now.leader !== 0 && (now.leader !== before.leader || now.term !== before.term)) {
      const peer = peerOf(roster, now.leader)
      if (peer !== null) this.#tellPrimary(slot, peer, now.term)
    }
    if (before.isLeader && !now.isLeader) {
      log.info({ slot: slot.slot, term: now.term, self }, 'no longer primary')
    }
    this.#tellReady()
  }

  /** Says once that every slot held here has a primary. */
  #tellReady(): void {
    if (this.#toldReady || !this.ready()) return
    this.#toldReady = true
    this.#emit({ kind: 'ready', timeMs: this.#options.clock.nowMs() })
  }

  readonly #lastPrimary = new Map<number, PeerId>()

  #tellPrimary(slot: Slot, peer: PeerId, term: number): void {
    const last = this.#lastPrimary.get(slot.slot)
    this.#lastPrimary.set(slot.slot, peer)
    const timeMs = this.#options.clock.nowMs()
    this.#emit({ kind: 'primary', slot: slot.slot, peer, term, timeMs })
    if (last === undefined || last === peer) return
    if (peer === slot.home) this.#emit({ kind: 'reclaimed', slot: slot.slot, peer, term, timeMs })
    else this.#emit({ kind: 'takeover', slot: slot.slot, peer, from: last, term, timeMs })
  }

  #gone(peer: PeerId): void {
    const number = numberOf(this.#options.roster, peer)
    for (const slot of this.#slots.values()) {
      this.#guard(slot, () => {
        if (slot.isPrimary) slot.raft.unreachable(number)
        slot.raft.leaderGone(number)
        slot.settle()
      })
    }
    this.#judgeAgain(peer)
  }

  /**
   * Another voter asks whether it could win: it knows something about the leader, or hears nothing of it. Find out at
   * once what became of the leader, and keep the question: if the leader is gone it is judged again without stickiness.
   */
  #doubtLeader(slot: Slot, candidate: PeerId, message: Message): void {
    const { primary } = slot
    if (primary === null || primary === candidate || primary === this.#options.self) return
    const doubts = this.#doubts.get(primary) ?? new Map()
    this.#doubts.set(primary, doubts.set(slot.slot, { message, atMs: this.#options.clock.monotonicMs() }))
    this.#liveness.suspect(primary)
  }

  #judgeAgain(leader: PeerId): void {
    const doubts = this.#doubts.get(leader)
    this.#doubts.delete(leader)
    const { clock, settings } = this.#options
    for (const [number, { message, atMs }] of doubts ?? []) {
      const slot = this.#slots.get(number)
      if (!slot || clock.monotonicMs() - atMs > settings.electionMs) continue
      this.#guard(slot, () => slot.step(message))
    }
  }

  #stampRefusal(slot: Slot, kind: Request['kind']): 'DISK_FULL' | 'CLOCK_SKEW' | undefined {
    // What frees space, or may, goes on: trims above all, or a full disk would stay full.
    if ((kind === 'publish' || kind === 'create') && this.#isShortOfDisk(slot)) return 'DISK_FULL'
    return this.#reclaim.clockIsWrong(slot) ? 'CLOCK_SKEW' : undefined
  }

  #isShortOfDisk(slot: Slot): boolean {
    const { self } = this.#options
    const low = slot.succession.filter(id =>
      id === self ? this.#upkeep.lowDisk : this.#liveness.lowDisk(id),
    )
    const majority = Math.floor(slot.succession.length / 2) + 1
    return low.includes(self) || slot.succession.length - low.length < majority
  }

  // --- slots ---------------------------------------------------------------------------------------------------

  #founding(slot: number): SlotWrite {
    const { roster, self } = this.#options
    const voters = this.#placed.get(slot)!.map(id => {
      const peer = roster.peers.find(listed => listed.id === id)!
      return { number: peer.number, uid: peer.uid }
    })
    voters.sort((a, b) => a.number - b.number)
    const configuration = { rosterVersion: roster.version, voters }
    return {
      slot,
      found: { number: numberOf(roster, self), snapshot: { index: 0, term: 0, configuration } },
      // Every founding voter begins with the same committed entry, as etcd's bootstrap does.
      hardState: { term: 1, vote: 0, commit: 1 },
      entries: [{ index: 1, term: 1, type: 'config', data: new Uint8Array(0), configuration }],
    }
  }

  #load(number: number, succession: readonly PeerId[]): void {
    const { self, roster, store, clock, random, settings, observer, log } = this.#options
    const context: SlotContext = {
      self,
      roster,
      store,
      clock,
      random,
      settings,
      observer,
      touch: slot => this.#touch(slot),
      changed: (slot, before) => this.#changed(slot, before),
      stampRefusal: (slot, kind) => this.#stampRefusal(slot, kind),
    }
    try {
      const slot = new Slot(context, number, succession)
      this.#slots.set(number, slot)
      this.#touch(slot)
    } catch (error) {
      if (!(error instanceof CorruptRecord)) throw error
      log.error(
        { slot: number, error: error.message },
        'slot has a corrupt record: this replica does not vote on it',
      )
    }
  }

  #slot(slot: number): Slot {
    const held = this.#slots.get(slot)
    if (!held) throw new SlotError({ kind: 'unavailable', code: 'NOT_A_REPLICA' })
    return held
  }

  /** Reads from the store with all that is applied in it; a corrupt record takes the slot out of service. */
  #reading<T>(slot: number, read: (held: Slot) => T): T {
    const held = this.#slot(slot)
    this.#writeLazy([held])
    try {
      return read(held)
    } catch (error) {
      if (!(error instanceof CorruptRecord)) throw error
      this.#quarantine(held, error)
      throw new SlotError({ kind: 'unavailable', code: 'NOT_A_REPLICA' })
    }
  }

  /** A corrupt record takes its slot out of service, here only; any other broken invariant ends the peer. */
  #guard(slot: Slot, work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#failed(slot, error)
    }
  }

  #failed(slot: Slot, error: unknown): void {
    if (error instanceof CorruptRecord) this.#quarantine(slot, error)
    else this.#fatal(error)
  }

  /** False once a slot was taken out of service. */
  #serves(slot: Slot): boolean {
    return this.#slots.get(slot.slot) === slot
  }

  get #isStopped(): boolean {
    return this.#state === 'stopped'
  }

  #quarantine(slot: Slot, error: CorruptRecord): void {
    this.#slots.delete(slot.slot)
    this.#dirty.delete(slot)
    this.#lazy.delete(slot)
    slot.stop()
    this.#options.log.error(
      { slot: slot.slot, error: error.message },
      'slot has a corrupt record: this replica does not vote on it any more',
    )
  }

  #fatal(error: unknown): void {
    if (this.#state === 'stopped') return
    this.#state = 'stopped'
    this.#heartbeats.stop()
    this.#upkeep.stop()
    this.#cancelTick?.()
    this.#cancelLazy?.()
    this.#options.onFatal(error)
  }

  #emit(event: CubeEvent): void {
    for (const listener of this.#cubeListeners) listener(event)
  }
}

/** Gathers a turn's messages by peer. The engine beats for all slots at once, so Raft's own plain beats stay here. */
class Outbox {
  readonly #roster: Roster
  readonly #byPeer = new Map<PeerId, SlotMessage[]>()

  constructor(roster: Roster) {
    this.#roster = roster
  }

  add(slot: number, messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.type === 'heartbeatResponse' && message.context === 0) continue
      if (message.type === 'heartbeat' && message.context === 0) continue
      const peer = peerOf(this.#roster, message.to)
      if (peer === null) continue
      const batch = this.#byPeer.get(peer)
      if (batch) batch.push({ slot, message })
      else this.#byPeer.set(peer, [{ slot, message }])
    }
  }

  flush(transport: Transport): void {
    for (const [peer, messages] of this.#byPeer) transport.send(peer, messages)
  }
}
