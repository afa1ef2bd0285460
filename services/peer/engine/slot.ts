import type { PeerId } from '../cube/labels.ts'
import type { Roster } from '../cube/roster.ts'
import { LIMITS } from '../limits.ts'
import { RaftNode } from '../raft/node.ts'
import type {
  Configuration,
  DatedConfiguration,
  Entry,
  Message,
  RaftMember,
  Ready,
  SnapshotMeta,
} from '../raft/types.ts'
import type { LogStore, SlotWrite } from '../store/types.ts'
import { SlotMachine } from '../topics/machine.ts'
import type { Request, SlotImage, SlotNotice, TopicRow } from '../topics/types.ts'
import { Appends } from './appends.ts'
import { decodeCommand } from './codec.ts'
import type { Rosters } from './rosters.ts'
import type { EngineSettings } from './settings.ts'
import { Standing } from './standing.ts'
import type { Clock, EngineObserver, SlotStatus } from './types.ts'

/** What a slot needs from the engine it belongs to. */
export interface SlotContext {
  readonly self: PeerId
  readonly rosters: Rosters
  readonly store: LogStore
  readonly clock: Clock
  readonly random: () => number
  readonly settings: EngineSettings
  readonly observer: EngineObserver
  /** Something waits in this slot for the end of the turn. */
  touch(slot: Slot): void
  /** The slot's leader, role or term is another than before. */
  changed(slot: Slot, before: Leadership): void
  /** Who takes part in the slot is other than before. */
  moved(slot: Slot): void
  /** The slot is the roster's own, and its state holds this version. */
  rosterApplied(roster: Roster): void
  /** The primary may not stamp a command of this kind: why, or undefined when it may. */
  stampRefusal(slot: Slot, kind: Request['kind']): 'DISK_FULL' | 'CLOCK_SKEW' | undefined
}

/** Who leads, as last seen. */
export interface Leadership {
  readonly leader: number
  readonly term: number
  readonly isLeader: boolean
}

/**
 * One slot on one of its replicas: the Raft member, the state machine it drives, and who waits for either.
 * All work is handed over at the end of a turn (`turn`) and continued when its transaction is durable.
 */
export class Slot {
  readonly slot: number
  readonly raft: RaftMember
  readonly appends: Appends
  leadership: Leadership
  /** Monotonic time since when the leadership is as it is. */
  leadsSinceMs: number
  readonly #context: SlotContext
  readonly #standing: Standing
  readonly #machine: SlotMachine
  readonly #number: number
  readonly #listeners = new Set<(notice: SlotNotice) => void>()
  /** What was applied and the listeners were not told yet. */
  #untold: SlotNotice[] = []
  readonly #reads = new Map<number, (outcome: 'served' | 'failed') => void>()
  #servable: { readonly context: number; readonly index: number }[] = []
  #nextContext = 1
  /** Name by incarnation, of the topics that exist. */
  readonly #names = new Map<number, string>()
  /** Configurations by the index from which they hold, ascending; the first is the log start's. */
  #configurations: DatedConfiguration[]
  #incoming: SlotImage | undefined
  #unwrittenHardState: Ready['hardState']
  /** Term and vote as last handed to the store. */
  #vow: { readonly term: number; readonly vote: number }
  #lowerBound: number

  constructor(context: SlotContext, slot: number) {
    this.#context = context
    this.slot = slot
    const loaded = context.store.load(slot)
    this.#number = loaded.number
    this.#standing = new Standing(slot, loaded.number, context.rosters)
    this.#lowerBound = loaded.snapshot.index
    const log = context.store.log(slot)
    const { appliedIndex } = loaded.image.slot
    this.#configurations = [
      { index: loaded.snapshot.index, configuration: loaded.snapshot.configuration },
      ...log.configurations().filter(({ index }) => index <= appliedIndex),
    ]
    this.#machine = new SlotMachine(loaded.image, {
      maxTopics: LIMITS.MAX_TOPICS_PER_SLOT,
      maxKeys: LIMITS.MAX_KEYS_PER_SLOT,
      // Two primaries' clocks may differ by twice the bound, and the age of a key is told by both.
      keyWindowMs: LIMITS.KEY_WINDOW_MS + 2 * LIMITS.MAX_CLOCK_SKEW_MS,
      maxProducers: LIMITS.MAX_PRODUCERS_PER_SLOT,
      maxProducerInflight: LIMITS.MAX_PRODUCER_INFLIGHT,
      roster: LIMITS,
    })
    for (const topic of loaded.image.topics) this.#names.set(topic.incarnation, topic.name)
    const { settings } = context
    this.raft = new RaftNode({
      number: loaded.number,
      configuration: loaded.snapshot.configuration,
      hardState: loaded.hardState,
      applied: loaded.image.slot.appliedIndex,
      log,
      electionTicks: Math.max(2, Math.round(settings.electionMs / settings.tickMs)),
      // The engine beats for all slots of a pair of peers at once (heartbeats.ts).
      heartbeatTicks: Number.MAX_SAFE_INTEGER,
      successionTicks: Math.max(1, Math.round((settings.electionMs * 0.2) / settings.tickMs)),
      succession: [],
      random: context.random,
      maxAppendBytes: LIMITS.MAX_APPEND_BYTES,
      maxInflightAppends: LIMITS.MAX_INFLIGHT_APPENDS,
      maxCachedBytes: LIMITS.MAX_CACHED_LOG_BYTES,
      maxUncommittedBytes: LIMITS.MAX_UNCOMMITTED_BYTES,
      maxPendingReads: LIMITS.MAX_PENDING_READS,
    })
    this.place()
    this.appends = new Appends(this, context)
    this.leadsSinceMs = context.clock.monotonicMs()
    this.leadership = { leader: 0, term: loaded.hardState.term, isLeader: false }
    this.#vow = loaded.hardState
  }

  get number(): number {
    return this.#number
  }

  get machine(): SlotMachine {
    return this.#machine
  }

  get isPrimary(): boolean {
    return this.leadership.isLeader
  }

  /** The primary as this replica knows it. */
  get primary(): PeerId | null {
    return this.#context.rosters.peerOf(this.leadership.leader)
  }

  /** The peer that should be primary. */
  get home(): PeerId {
    return this.#standing.home
  }

  /** The voters in the order in which they take the slot over. */
  get succession(): readonly PeerId[] {
    return this.#standing.succession
  }

  /** Everybody the log goes to, this peer included: voters and learners. */
  get members(): readonly PeerId[] {
    return this.#standing.members
  }

  /** This peer is a voter here: what it holds may be served. */
  get isVoter(): boolean {
    return this.#standing.isVoter
  }

  /** It stands where the roster places it, by its newest configuration. */
  get isSettled(): boolean {
    return this.#standing.isSettled
  }

  /** To be called when the roster or the configuration may have changed. */
  place(): void {
    const { isVoter } = this.#standing
    if (!this.#standing.update(this.raft.configuration)) return
    this.raft.setSuccession(this.#standing.numbers)
    this.#context.moved(this)
    // Nothing more comes to a replica that is out: who follows it must not wait until it is deleted.
    if (isVoter && !this.isVoter) this.#tellGone()
  }

  status(): SlotStatus {
    const { slot, home, succession: replicas, primary, raft } = this
    return {
      ...{ slot, home, replicas, primary },
      // Most who ask want to know the primary alone, and they ask for each publish.
      get raft() {
        return raft.status()
      },
    }
  }

  /** Steps a message of another member and notices what it changed. */
  step(message: Message): void {
    this.raft.step(message)
    this.settle()
  }

  tick(): void {
    this.raft.tick()
    this.appends.ticked()
    // Also when nothing is ready: a leader that steps down may have nothing to say.
    this.settle()
  }

  /** To be called after anything was done to the Raft member: notices a change of leadership, asks for a turn. */
  settle(): void {
    const { leader, term, role } = this.raft
    this.place()
    const before = this.leadership
    if (leader !== before.leader || term !== before.term || (role === 'leader') !== before.isLeader) {
      this.leadership = { leader, term, isLeader: role === 'leader' }
      this.leadsSinceMs = this.#context.clock.monotonicMs()
      // Also a lone member's, which is over within one step.
      if (term > before.term && (role === 'candidate' || role === 'leader')) this.#context.observer.election()
      this.appends.leadershipChanged()
      this.#context.changed(this, before)
    }
    if (this.raft.hasReady()) this.#context.touch(this)
  }

  /** Asks for a linearizable read point; the callback runs once, when it is applied here or will never be. */
  readIndex(done: (outcome: 'served' | 'failed') => void): void {
    const context = this.#nextContext++
    this.#reads.set(context, done)
    if (this.raft.readIndex(context) !== undefined) {
      this.#reads.delete(context)
      done('failed')
      return
    }
    this.#context.touch(this)
  }

  follow(listener: (notice: SlotNotice) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Tells the listeners what the turn applied; to be called when its rows are in the store, so that they can be read. */
  tellFollowers(): void {
    const notices = this.#untold
    this.#untold = []
    for (const notice of notices) {
      for (const listener of this.#listeners) listener(notice)
      if (notice.kind === 'roster' || notice.kind === 'restored') this.tellRoster()
    }
  }

  /** In the roster's own slot: hands over the version that is applied here. */
  tellRoster(): void {
    const { roster } = this.#machine.slot
    if (roster !== undefined) this.#context.rosterApplied(roster)
  }

  /** Answers everybody who waits or follows: nothing will come of it here any more. */
  stop(): void {
    this.appends.stop()
    for (const context of [...this.#reads.keys()]) this.#finishRead(context, 'failed')
    this.#tellGone()
  }

  /** The topic an incarnation belongs to, while it exists. */
  topicOf(incarnation: number): TopicRow | undefined {
    const name = this.#names.get(incarnation)
    return name === undefined ? undefined : this.#machine.topic(name)
  }

  /** The image that belongs to the snapshot message about to be stepped. */
  offerImage(image: SlotImage): void {
    this.#incoming = image
  }

  /** What of applied state is not handed to the store yet, as a write of its own; undefined when nothing is. */
  unwritten(): SlotWrite | undefined {
    const changes = this.#machine.drain()
    const hardState = this.#unwrittenHardState
    if (changes === undefined && hardState === undefined) return undefined
    this.#unwrittenHardState = undefined
    return { slot: this.slot, ...(hardState && { hardState }), ...(changes && { changes }) }
  }

  /**
   * The end of a turn: takes what Raft wants done, applies what is committed.
   * `writes` is empty when nothing must be written now; applied rows may wait (they follow from the log).
   */
  turn(): { ready: Ready; writes: readonly SlotWrite[] } | undefined {
    if (!this.raft.hasReady()) return undefined
    const ready = this.raft.ready()
    // What was applied before a snapshot is not in it: those rows go first.
    const changes = ready.snapshot && this.#machine.drain()
    const before: SlotWrite[] = changes ? [{ slot: this.slot, changes }] : []
    if (ready.hardState) this.#unwrittenHardState = ready.hardState
    const install = ready.snapshot && this.#install(ready.snapshot)
    this.#apply(ready.committed)
    this.#answerReads(ready)
    const urgent = ready.mustSync || ready.entries.length > 0 || ready.truncateFrom !== undefined || install
    if (!urgent) return { ready, writes: [] }
    const compact = this.#compaction()
    const { hardState } = ready
    const isVow = hardState && (hardState.term !== this.#vow.term || hardState.vote !== this.#vow.vote)
    if (isVow) this.#vow = hardState
    // What was applied follows from the log: it is written now and then, and not with each entry.
    const write: SlotWrite = {
      ...((isVow || install || compact ? this.unwritten() : undefined) ?? { slot: this.slot }),
      ...(ready.truncateFrom !== undefined && { truncateFrom: ready.truncateFrom }),
      ...(ready.entries.length > 0 && { entries: ready.entries }),
      ...(install && { install }),
      ...(compact && { compact }),
    }
    return { ready, writes: [...before, write] }
  }

  /** Snapshot point of everything applied. */
  appliedPoint(): SnapshotMeta {
    const { appliedIndex, appliedTerm } = this.#machine.slot
    return { index: appliedIndex, term: appliedTerm, configuration: this.#configurationAt(appliedIndex) }
  }

  #install(snapshot: SnapshotMeta): SlotWrite['install'] {
    const image = this.#incoming
    if (image === undefined || image.slot.appliedIndex !== snapshot.index) {
      throw new Error(`slot ${this.slot}: a snapshot at ${snapshot.index} without its image`)
    }
    this.#incoming = undefined
    this.#machine.restore(image)
    this.#configurations = [{ index: snapshot.index, configuration: snapshot.configuration }]
    this.#lowerBound = snapshot.index
    this.#names.clear()
    for (const topic of image.topics) this.#names.set(topic.incarnation, topic.name)
    this.raft.applied(snapshot.index)
    this.appends.restored(snapshot.index)
    this.#tell({ kind: 'restored' })
    return { snapshot, image }
  }

  #apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const command = entry.type === 'data' ? decodeCommand(entry.data) : null
      const applied = this.#machine.apply(entry.index, entry.term, command)
      if (entry.configuration) {
        this.#configurations.push({ index: entry.index, configuration: entry.configuration })
      }
      for (const notice of applied.notices) this.#tell(notice)
      this.appends.applied(entry, applied.result)
    }
    const last = entries.at(-1)
    if (last) this.raft.applied(last.index)
  }

  #tell(notice: SlotNotice): void {
    if (notice.kind === 'created') this.#names.set(notice.topic.incarnation, notice.topic.name)
    else if (notice.kind === 'deleted') this.#names.delete(notice.incarnation)
    this.#untold.push(notice)
  }

  /** The last notice to those who listen now; who listens later, to a replica that is a voter again, begins anew. */
  #tellGone(): void {
    const listeners = [...this.#listeners]
    this.#listeners.clear()
    for (const listener of listeners) listener({ kind: 'gone' })
  }

  #answerReads(ready: Ready): void {
    for (const context of ready.readsFailed) this.#finishRead(context, 'failed')
    this.#servable.push(...ready.reads)
    if (this.#servable.length === 0) return
    const applied = this.#machine.slot.appliedIndex
    const waiting = this.#servable.filter(read => read.index > applied)
    const served = this.#servable.filter(read => read.index <= applied)
    this.#servable = waiting
    for (const read of served) this.#finishRead(read.context, 'served')
  }

  #finishRead(context: number, outcome: 'served' | 'failed'): void {
    const done = this.#reads.get(context)
    this.#reads.delete(context)
    done?.(outcome)
  }

  #compaction(): SnapshotMeta | undefined {
    const { appliedIndex } = this.#machine.slot
    const index = appliedIndex - LIMITS.KEEP_LOG_ENTRIES
    if (index - this.#lowerBound < LIMITS.COMPACT_EVERY_ENTRIES) return undefined
    const term = this.#context.store.log(this.slot).term(index)
    if (term === undefined) return undefined
    const configuration = this.#configurationAt(index)
    this.#lowerBound = index
    this.#configurations = [
      { index, configuration },
      ...this.#configurations.filter(held => held.index > index),
    ]
    return { index, term, configuration }
  }

  #configurationAt(index: number): Configuration {
    let found = this.#configurations[0]!.configuration
    for (const held of this.#configurations) if (held.index <= index) found = held.configuration
    return found
  }
}
