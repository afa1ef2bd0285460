import type { PeerId } from '../cube/labels.ts'
import type { Roster } from '../cube/roster.ts'
import type { Placed, Slice, SlotStart } from '../links/slot-operations.ts'
import type { Configuration, Message } from '../raft/types.ts'
import { CorruptRecord, type LogStore } from '../store/types.ts'
import type { SlotPosition } from '../topics/positions.ts'
import type { Request, SlotNotice, StoredEvent, TopicRow } from '../topics/types.ts'
import { untilNextMs } from './clock.ts'
import { Heartbeats } from './heartbeats.ts'
import { HeldSlots } from './held-slots.ts'
import { Leaders } from './leaders.ts'
import { Liveness, type PeerState } from './liveness.ts'
import { MoveProgress } from './move-progress.ts'
import { Mover } from './mover.ts'
import { Place } from './place.ts'
import { offsetAt, readEvents } from './reading.ts'
import { Reclaim } from './reclaim.ts'
import { SlotRecovery } from './recover.ts'
import { Removals } from './removals.ts'
import { RosterSync } from './roster-sync.ts'
import { Rosters } from './rosters.ts'
import { Searches } from './searches.ts'
import type { EngineLog, EngineSettings } from './settings.ts'
import type { Slot } from './slot.ts'
import { placing, readSlot } from './slot-reading.ts'
import { Snapshots } from './snapshots.ts'
import { everybody } from './standing.ts'
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
  /** The roster to begin with: the last one that is known here. */
  readonly roster: Roster
  /** A slot's configuration by a linearizable read, wherever its primary is; null when nobody can say. */
  readonly members: (slot: number, deadlineMs: number) => Promise<Configuration | null>
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
  /** The roster does not list this store any more: it has left, was evicted or was replaced. */
  readonly onRemoved: () => void
}

/**
 * Drives every slot this peer is a replica of. All that arrives in one event-loop turn, for all slots, becomes one
 * storage transaction and at most one batch of messages per peer; what depends on the transaction leaves when it is
 * durable.
 */
export class Engine implements SlotLogs {
  /** For an operator who knows that peers are gone for good. */
  readonly recovery: SlotRecovery
  readonly #options: EngineOptions
  readonly #rosters: Rosters
  readonly #sync: RosterSync
  readonly #mover: Mover
  readonly #moves: MoveProgress
  readonly #removals: Removals
  readonly #slots: HeldSlots
  readonly #place: Place
  readonly #turns: Turns
  readonly #leaders: Leaders
  readonly #liveness: Liveness
  readonly #reclaim: Reclaim
  readonly #heartbeats: Heartbeats
  readonly #snapshots: Snapshots
  readonly #upkeep: Upkeep
  readonly #searches: Searches
  readonly #cubeListeners = new Set<(event: CubeEvent) => void>()
  #cancelTick: (() => void) | undefined
  #ticks = 0
  #state: 'new' | 'running' | 'stopping' | 'stopped' = 'new'
  #stopped: Promise<void> | undefined

  constructor(options: EngineOptions) {
    this.#options = options
    const { self, store, transport, clock, settings, log, observer, members } = options
    const rosters = new Rosters(options.roster)
    this.#rosters = rosters
    this.#searches = new Searches(clock)
    const fatal = (error: unknown) => this.#fatal(error)
    const event = (what: CubeEvent) => {
      // Perhaps it is silent because it goes by a roster that does not list this peer.
      if (what.kind === 'suspected') this.#sync.pull(what.peer)
      this.#emit(what)
    }
    const changed = () => this.#place.rosterChanged()
    this.#sync = new RosterSync({ self, rosters, store, transport, clock, log, event, changed, fatal })
    const dropped = (slot: Slot) => {
      this.#turns.drop(slot)
      this.#place.dropped(slot)
    }
    const slots = new HeldSlots({ self, rosters, store, log, dropped, fatal })
    this.#slots = slots
    const stopped = () => this.#state === 'stopped'
    const written = (bytes: number) => this.#upkeep.written(bytes)
    this.#turns = new Turns({ rosters, slots, store, transport, clock, observer, written, stopped, fatal })
    const liveness = new Liveness({
      clock,
      settings,
      log,
      isPartner: peer => this.#place.partners.includes(peer),
      dial: peer => transport.dial(peer),
      gone: peer => this.#leaders.gone(peer),
      event,
    })
    this.#liveness = liveness
    this.#place = new Place({
      self,
      uid: store.identity.uid,
      rosters,
      slots,
      liveness,
      clock,
      settings,
      event: what => this.#emit(what),
      started: () => this.#state !== 'new',
      removed: options.onRemoved,
    })
    const suspect = (peer: PeerId) => liveness.suspect(peer)
    const ready = () => this.ready()
    this.#leaders = new Leaders({ self, rosters, slots, clock, settings, log, suspect, ready, event })
    const reclaim = new Reclaim({ self, rosters, clock, liveness, settings, log })
    this.#reclaim = reclaim
    this.#mover = new Mover({ rosters, slots: slots.all, log })
    const guard = (slot: Slot, work: () => void) => slots.guard(slot, work)
    this.#moves = new MoveProgress({ self, rosters, slots: slots.all, store, clock, event, guard })
    this.#removals = new Removals({ self, rosters, slots, clock, settings, log, members })
    const cutOff = (slot: number) => this.#snapshots.cutOff(slot)
    this.recovery = new SlotRecovery({ self, rosters, slots, store, clock, log, cutOff, event })
    const write = (slot: Slot) => this.#turns.writeApplied(slot)
    const failed = (slot: Slot, error: unknown) => slots.failed(slot, error)
    const step = (slot: Slot, message: Message) => slots.guard(slot, () => slot.step(message))
    const serves = (slot: Slot) => slots.serves(slot)
    this.#snapshots = new Snapshots({ store, transport, log, write, step, serves, failed })
    this.#upkeep = new Upkeep({
      self,
      slots: slots.all,
      store,
      reclaim,
      liveness,
      rosters,
      clock,
      settings,
      log,
      write,
      failed,
    })
    this.#heartbeats = new Heartbeats({
      self,
      rosters,
      identity: store.identity,
      partners: () => this.#place.partners,
      slots: slots.all,
      transport,
      liveness,
      clock,
      settings,
      observer,
      step,
      newcomer: slot => this.#newcomer(slot),
      newerRoster: peer => this.#sync.pull(peer),
      lowDisk: () => this.#upkeep.lowDisk,
      stopping: () => this.#state === 'stopping' || this.#state === 'stopped',
    })
  }

  /** The roster this peer goes by. */
  get roster(): Roster {
    return this.#rosters.current
  }

  /** The same, with what follows from it. */
  get rosters(): Rosters {
    return this.#rosters
  }

  /** Slots out of service here because of a corrupt record, and what is wrong with it. */
  get corrupt(): ReadonlyMap<number, string> {
    return this.#slots.corrupt
  }

  /** Primaries or partners have been missed for a while: perhaps this peer is off the list, and nobody tells it. */
  isLost(): boolean {
    return this.#place.isLost()
  }

  /** For how long a peer that shares a slot or a link with this one is silent, in milliseconds; 0 for one that is up. */
  silentForMs(peer: PeerId): number {
    return this.#place.silentForMs(peer)
  }

  /** Goes over to a later version of the roster, got from a peer that goes by it; an earlier one is ignored. */
  adopt(roster: Roster): void {
    this.#sync.adopt(roster)
  }

  /** Asks a peer for the roster it goes by; a later version is gone over to. */
  askForRoster(peer: PeerId): void {
    this.#sync.pull(peer)
  }

  /** Calls `listener` with every version of the roster this peer goes over to. Returns the way to stop. */
  onRoster(listener: (roster: Roster) => void): () => void {
    return this.#place.onRoster(listener)
  }

  /** Founds the slots of a new cube, loads all the store holds, and starts time. */
  async start(): Promise<void> {
    await this.#slots.open({
      ...this.#options,
      rosters: this.#rosters,
      moved: slot => this.#place.moved(slot),
      rosterApplied: roster => this.#sync.adopt(roster),
      touch: slot => this.#turns.touch(slot),
      changed: (slot, before) => this.#leaders.changed(slot, before),
      stampRefusal: (slot, kind) => this.#upkeep.stampRefusal(slot, kind),
    })
    if (this.#state !== 'new') return
    this.#state = 'running'
    // The store may hold what was committed when its copy of the roster was not written yet.
    for (const slot of this.#slots.all.values()) slot.tellRoster()
    this.#heartbeats.start()
    this.#upkeep.start()
    this.#removals.start()
    this.#planTick()
    // A peer may hold no slot at all: nothing will ever change for it.
    this.#leaders.tellReady()
  }

  /**
   * Hands its slots over, writes what is left and stops time. The store stays open. Whoever asks again waits for the same
   * end.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    // One that is still starting does not begin.
    if (this.#state === 'new') this.#state = 'stopped'
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
    this.#removals.stop()
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
    const sender = this.#rosters.numberOf(from)
    for (const { slot: number, message } of messages) {
      const slot =
        this.#slots.all.get(number) ?? (message.from === sender ? this.#invited(number, message) : undefined)
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
    const number = this.#rosters.numberOf(peer)
    for (const slot of this.#slots.all.values()) if (slot.isPrimary) slot.raft.unreachable(number)
    this.connectionClosed(peer)
  }

  /** The next chunk of a slot's state, for a replica that pulls it. Throws SlotError for a slot not held. */
  snapshotChunk(from: PeerId, slot: number, afterIndex: number): SnapshotChunk {
    return this.#reading(slot, held => {
      this.#moves.pulls(held, from, afterIndex)
      return this.#snapshots.chunk(held, afterIndex)
    })
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
      this.#state === 'running' &&
      [...this.#slots.all.values()].every(slot => !slot.isVoter || slot.leadership.leader !== 0)
    )
  }

  // --- SlotLogs ------------------------------------------------------------------------------------------------

  get held(): readonly number[] {
    return [...this.#slots.all.values()]
      .filter(slot => slot.isVoter)
      .map(({ slot }) => slot)
      .sort((a, b) => a - b)
  }

  holds(slot: number): boolean {
    return this.#slots.all.get(slot)?.isVoter === true
  }

  status(slot: number): SlotStatus {
    return this.#slots.get(slot).status()
  }

  members(slot: number): Configuration {
    return everybody(this.#slots.get(slot).raft)
  }

  bytesToMove(slot: number): number {
    return this.#reading(slot, held => this.#moves.bytesToMove(held))
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

  position(slot: number): SlotPosition {
    const { sequence, appliedIndex: index } = this.#slots.get(slot).machine.slot
    return { sequence, index }
  }

  readSlot(
    slot: number,
    wants: readonly string[],
    position: SlotPosition,
    maxEvents: number,
    maxBytes: number,
  ): Slice {
    return this.#reading(slot, held =>
      readSlot(this.#options.store, held, wants, position, maxEvents, maxBytes),
    )
  }

  async placeSlot(slot: number, wants: readonly string[], start: SlotStart): Promise<Placed> {
    const first = this.#slots.get(slot)
    const search = placing(this.#options.store, first, wants, start)
    for (;;) {
      if (start.kind === 'last') await this.#searches.turn()
      const step = this.#reading(slot, held => {
        if (held !== first) throw new SlotError({ kind: 'unavailable', code: 'NOT_A_REPLICA' })
        return search.next()
      })
      if (step.done) return step.value
    }
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
        if (!slot.isPrimary || !mayReclaim) return
        this.#mover.look(slot)
        this.#reclaim.look(slot)
      })
    }
    if (!mayReclaim) return
    this.#moves.look()
    // The last slot without a primary may have moved away.
    this.#leaders.tellReady()
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

  /** A slot's primary has made this peer a learner: its first append, or snapshot, finds no replica here. */
  #invited(slot: number, { type, to }: Message): Slot | undefined {
    if (type !== 'append' && type !== 'snapshot') return undefined
    return to === this.#rosters.numberOf(this.#options.self) ? this.#newcomer(slot) : undefined
  }

  #newcomer(slot: number): Slot | undefined {
    if (this.#state !== 'running' || slot > this.#rosters.current.slots) return undefined
    return this.#slots.add(slot)
  }

  #fatal(error: unknown): void {
    if (this.#state === 'stopped') return
    this.#state = 'stopped'
    this.#heartbeats.stop()
    this.#upkeep.stop()
    this.#removals.stop()
    this.#cancelTick?.()
    this.#turns.cancel()
    this.#options.onFatal(error)
  }

  #emit(event: CubeEvent): void {
    for (const listener of this.#cubeListeners) listener(event)
  }
}
