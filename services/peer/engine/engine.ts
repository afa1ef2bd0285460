import type { PeerId } from '../cube/labels.ts'
import { neighbours } from '../cube/neighbours.ts'
import type { Roster } from '../cube/roster.ts'
import type { Message } from '../raft/types.ts'
import { CorruptRecord, type LogStore } from '../store/types.ts'
import type { Request, SlotNotice, StoredEvent, TopicRow } from '../topics/types.ts'
import { untilNextMs } from './clock.ts'
import { Heartbeats } from './heartbeats.ts'
import { HeldSlots } from './held-slots.ts'
import { Leaders } from './leaders.ts'
import { Liveness, type PeerState } from './liveness.ts'
import { offsetAt, readEvents } from './reading.ts'
import { Reclaim } from './reclaim.ts'
import type { EngineLog, EngineSettings } from './settings.ts'
import { numberOf, type Slot } from './slot.ts'
import { Snapshots } from './snapshots.ts'
import { Turns } from './turns.ts'
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

/** Whether a slot belongs to its home again is looked at in one of so many ticks. */
const RECLAIM_EVERY_TICKS = 2

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
  readonly #slots: HeldSlots
  readonly #turns: Turns
  readonly #leaders: Leaders
  readonly #liveness: Liveness
  readonly #reclaim: Reclaim
  readonly #heartbeats: Heartbeats
  readonly #snapshots: Snapshots
  readonly #upkeep: Upkeep
  readonly #cubeListeners = new Set<(event: CubeEvent) => void>()
  #cancelTick: (() => void) | undefined
  #ticks = 0
  #state: 'new' | 'running' | 'stopping' | 'stopped' = 'new'

  constructor(options: EngineOptions) {
    this.#options = options
    const { self, roster, store, transport, clock, settings, log, observer } = options
    const fatal = (error: unknown) => this.#fatal(error)
    const event = (what: CubeEvent) => this.#emit(what)
    const slots = new HeldSlots({ self, roster, store, log, dropped: slot => this.#turns.drop(slot), fatal })
    this.#slots = slots
    const stopped = () => this.#state === 'stopped'
    const written = (bytes: number) => this.#upkeep.written(bytes)
    this.#turns = new Turns({ roster, slots, store, transport, clock, observer, written, stopped, fatal })
    const liveness = new Liveness({
      peers: roster.peers.map(peer => peer.id).filter(id => id !== self),
      clock,
      settings,
      log,
      dial: peer => transport.dial(peer),
      gone: peer => this.#leaders.gone(peer),
      event,
    })
    this.#liveness = liveness
    const suspect = (peer: PeerId) => liveness.suspect(peer)
    const ready = () => this.ready()
    this.#leaders = new Leaders({ self, roster, slots, clock, settings, log, suspect, ready, event })
    const reclaim = new Reclaim({ self, roster, clock, liveness, settings, log })
    this.#reclaim = reclaim
    const write = (slot: Slot) => this.#turns.writeApplied(slot)
    const failed = (slot: Slot, error: unknown) => slots.failed(slot, error)
    const step = (slot: Slot, message: Message) => slots.guard(slot, () => slot.step(message))
    this.#snapshots = new Snapshots({ store, transport, log, write, step, failed })
    this.#upkeep = new Upkeep({ slots: slots.all, store, reclaim, clock, settings, log, write, failed })
    this.#heartbeats = new Heartbeats({
      self,
      roster,
      identity: store.identity,
      partners: this.#partners(),
      slots: slots.all,
      transport,
      liveness,
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
    await this.#slots.open({
      ...this.#options,
      touch: slot => this.#turns.touch(slot),
      changed: (slot, before) => this.#leaders.changed(slot, before),
      stampRefusal: (slot, kind) => this.#stampRefusal(slot, kind),
    })
    this.#state = 'running'
    this.#heartbeats.start()
    this.#upkeep.start()
    this.#planTick()
    // A peer may hold no slot at all: nothing will ever change for it.
    this.#leaders.tellReady()
  }

  /** Hands its slots over, writes what is left and stops time. The store stays open. */
  async stop(): Promise<void> {
    if (this.#state !== 'running') return
    this.#state = 'stopping'
    const { clock, settings } = this.#options
    const slots = [...this.#slots.all.values()]
    for (const slot of slots) this.#reclaim.resign(slot)
    const untilMs = clock.monotonicMs() + RESIGN_MS
    while (clock.monotonicMs() < untilMs && slots.some(slot => slot.raft.status().transferee !== 0)) {
      await new Promise<void>(resolve => clock.after(settings.tickMs, resolve))
    }
    this.#heartbeats.leave()
    this.#upkeep.stop()
    this.#cancelTick?.()
    for (const slot of this.#slots.all.values()) slot.stop()
    await this.#turns.finish(() => {
      this.#state = 'stopped'
    })
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
      const slot = this.#slots.all.get(number)
      if (!slot || message.from !== sender || message.to !== slot.number) continue
      if (message.type === 'preVote') this.#leaders.doubt(slot, from, message)
      if (message.type === 'snapshot') this.#snapshots.pull(slot, from, message)
      else this.#slots.guard(slot, () => slot.step(message))
    }
    return this.#turns.outcome()
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
    for (const slot of this.#slots.all.values()) if (slot.isPrimary) slot.raft.unreachable(number)
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
    return (
      this.#state === 'running' && [...this.#slots.all.values()].every(slot => slot.leadership.leader !== 0)
    )
  }

  // --- SlotLogs ------------------------------------------------------------------------------------------------

  get held(): readonly number[] {
    return [...this.#slots.all.keys()]
  }

  holds(slot: number): boolean {
    return this.#slots.all.has(slot)
  }

  status(slot: number): SlotStatus {
    return this.#slots.get(slot).status()
  }

  async append(slot: number, request: Request, deadlineMs: number): Promise<Appended> {
    if (this.#state !== 'running') throw new SlotError({ kind: 'unavailable', code: 'STOPPING' })
    return this.#slots.get(slot).appends.append(request, deadlineMs)
  }

  async barrier(slot: number, deadlineMs: number): Promise<void> {
    const { appends } = this.#slots.get(slot)
    await appends.primaryHere(deadlineMs)
    return appends.barrier(deadlineMs)
  }

  topic(slot: number, name: string): TopicRow | undefined {
    return this.#slots.get(slot).machine.topic(name)
  }

  topics(slot: number, after: string, limit: number): TopicRow[] {
    return this.#slots.get(slot).machine.topics(after, limit)
  }

  incarnation(slot: number): number {
    return this.#slots.get(slot).machine.slot.incarnation
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
    return this.#slots.get(slot).follow(listener)
  }

  onCubeEvent(listener: (event: CubeEvent) => void): () => void {
    this.#cubeListeners.add(listener)
    return () => this.#cubeListeners.delete(listener)
  }

  // --- time ----------------------------------------------------------------------------------------------------

  /** Queued input first, then at most one tick: a stall of the event loop must not depose healthy primaries. */
  #timeForATick(): void {
    const { clock } = this.#options
    clock.endOfTurn(() =>
      clock.endOfTurn(() => {
        if (this.#state !== 'running' && this.#state !== 'stopping') return
        this.#tick()
        this.#planTick()
      }),
    )
  }

  #planTick(): void {
    const { clock, settings } = this.#options
    this.#cancelTick = clock.after(untilNextMs(clock, settings.tickMs), () => this.#timeForATick())
  }

  #tick(): void {
    this.#liveness.tick()
    this.#ticks++
    const mayReclaim = this.#state === 'running' && this.#ticks % RECLAIM_EVERY_TICKS === 0
    for (const slot of this.#slots.all.values()) {
      this.#slots.guard(slot, () => {
        slot.tick()
        if (slot.isPrimary && mayReclaim) this.#reclaim.look(slot)
      })
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

  /** Reads from the store with all that is applied in it; a corrupt record takes the slot out of service. */
  #reading<T>(slot: number, read: (held: Slot) => T): T {
    const held = this.#slots.get(slot)
    this.#turns.writeApplied(held)
    try {
      return read(held)
    } catch (error) {
      if (!(error instanceof CorruptRecord)) throw error
      this.#slots.failed(held, error)
      throw new SlotError({ kind: 'unavailable', code: 'NOT_A_REPLICA' })
    }
  }

  /** Every peer that shares a slot or a link with this one. */
  #partners(): PeerId[] {
    const { self, roster } = this.#options
    const partners = new Set<PeerId>(neighbours(self, roster))
    for (const order of this.#slots.placed.values()) for (const id of order) partners.add(id)
    partners.delete(self)
    return [...partners]
  }

  #fatal(error: unknown): void {
    if (this.#state === 'stopped') return
    this.#state = 'stopped'
    this.#heartbeats.stop()
    this.#upkeep.stop()
    this.#cancelTick?.()
    this.#turns.cancel()
    this.#options.onFatal(error)
  }

  #emit(event: CubeEvent): void {
    for (const listener of this.#cubeListeners) listener(event)
  }
}
