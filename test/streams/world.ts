import type { PeerId } from '../../services/peer/cube/labels.ts'
import { placeSlot, readSlot } from '../../services/peer/engine/slot-reading.ts'
import {
  type CubeEvent,
  SlotError,
  type SlotLogs,
  type SlotStatus,
} from '../../services/peer/engine/types.ts'
import { FollowParser, type OpenFollow } from '../../services/peer/links/follow-wire.ts'
import type { Placed, Slice, SlotStart } from '../../services/peer/links/slot-operations.ts'
import type { Dispatcher, Operation, OperationResult } from '../../services/peer/links/types.ts'
import type { Configuration } from '../../services/peer/raft/types.ts'
import { STREAM_BOUNDS, type StreamBounds } from '../../services/peer/streams/bounds.ts'
import { TopicStreams } from '../../services/peer/streams/hub.ts'
import type { StreamOptions, StreamStart } from '../../services/peer/streams/types.ts'
import { emptyImage, SlotMachine } from '../../services/peer/topics/machine.ts'
import type { SlotPosition } from '../../services/peer/topics/positions.ts'
import { UNLIMITED } from '../../services/peer/topics/settings.ts'
import type {
  Command,
  EventInput,
  SlotNotice,
  StoredEvent,
  TopicRow,
} from '../../services/peer/topics/types.ts'
import { appliedSlot, RunRecords } from '../support/run-records.ts'
import { LIMITS } from '../topics/kit.ts'
import { ManualClock } from './clock.ts'
import { FakeSink } from './sink.ts'

export const SLOT = 7
export const TOPIC = 'sports'

/** The one slot's committed log, and every event it ever held by incarnation. */
class SlotLog {
  readonly commands: Command[] = []
  readonly events = new Map<number, StoredEvent[]>()
  readonly runs = new RunRecords()
  readonly machine = new SlotMachine(emptyImage(), LIMITS)

  append(command: Command): void {
    this.commands.push(command)
    const applied = this.machine.apply(this.commands.length, 1, command)
    this.runs.keep(command, applied.notices)
    for (const notice of applied.notices) {
      if (notice.kind !== 'published') continue
      const { run } = notice
      const events = this.events.get(run.incarnation) ?? []
      this.events.set(run.incarnation, events)
      for (const [at, event] of notice.events.entries()) {
        const { incarnation, timeMs } = run
        events.push({ ...event, offset: run.first + at, incarnation, sequence: run.sequence + at, timeMs })
      }
    }
  }
}

/** One peer's replica of the slot (or none): applies the log as far as the test lets it. */
export class FakeReplica implements SlotLogs {
  held: readonly number[]
  /** Whether it follows a primary. */
  led = true
  reads = 0
  readonly #log: SlotLog
  readonly #listeners = new Set<(notice: SlotNotice) => void>()
  readonly #machine = new SlotMachine(emptyImage(), LIMITS)

  constructor(log: SlotLog, holds: boolean) {
    this.#log = log
    this.held = holds ? [SLOT] : []
  }

  bytesToMove(): number {
    return 0
  }

  members(): Configuration {
    return { rosterVersion: 1, voters: [] }
  }

  get applied(): number {
    return this.#machine.slot.appliedIndex
  }

  get listeners(): number {
    return this.#listeners.size
  }

  /** Applies what is committed, at most `entries`. */
  apply(entries = Number.POSITIVE_INFINITY): void {
    for (let count = 0; count < entries && this.applied < this.#log.commands.length; count += 1) {
      const { notices } = this.#machine.apply(this.applied + 1, 1, this.#log.commands[this.applied]!)
      for (const notice of notices) this.#tell(notice)
    }
  }

  /** Catches up by a snapshot: nobody is told what was in between. */
  restore(): void {
    while (this.applied < this.#log.commands.length) {
      this.#machine.apply(this.applied + 1, 1, this.#log.commands[this.applied]!)
    }
    this.#tell({ kind: 'restored' })
  }

  /** The slot is not served here any more, because it has moved away or because of a bad record. */
  drop(): void {
    this.held = []
    this.#tellGone()
  }

  /** The slot has moved here: all that is committed is applied. */
  arrive(): void {
    this.apply()
    this.held = [SLOT]
  }

  /** As when the peer's engine stops. */
  stop(): void {
    this.#tellGone()
  }

  holds(slot: number): boolean {
    return this.held.includes(slot)
  }

  #mustHold(slot: number): void {
    if (!this.holds(slot)) throw new SlotError({ kind: 'unavailable', code: 'NOT_A_REPLICA' })
  }

  status(slot: number): SlotStatus {
    this.#mustHold(slot)
    return {
      slot,
      home: '000',
      replicas: [],
      primary: this.led ? '000' : null,
      raft: {} as SlotStatus['raft'],
    }
  }

  append(): Promise<never> {
    return Promise.reject(new Error('not in this world'))
  }

  barrier(): Promise<never> {
    return Promise.reject(new Error('not in this world'))
  }

  topic(slot: number, name: string): TopicRow | undefined {
    this.#mustHold(slot)
    return this.#machine.topic(name)
  }

  topics(slot: number, after: string, limit: number): TopicRow[] {
    this.#mustHold(slot)
    return this.#machine.topics(after, limit)
  }

  incarnation(slot: number): number {
    this.#mustHold(slot)
    return this.#machine.slot.incarnation
  }

  read(slot: number, incarnation: number, from: number, maxEvents: number): StoredEvent[] {
    this.#mustHold(slot)
    this.reads += 1
    const row = this.#machine.topics('', 100).find(topic => topic.incarnation === incarnation)
    if (row === undefined) return []
    const first = Math.max(from, row.earliest)
    const events = this.#log.events.get(incarnation) ?? []
    return events.slice(first - 1, Math.min(row.latest, first - 1 + maxEvents))
  }

  offsetAt(slot: number, name: string, timeMs: number): number {
    this.#mustHold(slot)
    const row = this.#machine.topic(name)
    if (row === undefined) return 1
    const kept = this.#log.events.get(row.incarnation)?.slice(row.earliest - 1, row.latest) ?? []
    return kept.find(event => event.timeMs >= timeMs)?.offset ?? row.latest + 1
  }

  position(slot: number): SlotPosition {
    this.#mustHold(slot)
    const { sequence, appliedIndex: index } = this.#machine.slot
    return { sequence, index }
  }

  readSlot(
    slot: number,
    wants: readonly string[],
    position: SlotPosition,
    maxEvents: number,
    maxBytes: number,
  ): Slice {
    this.#mustHold(slot)
    return readSlot(
      this.#log.runs.upTo(this.applied),
      appliedSlot(slot, this.#machine),
      wants,
      position,
      maxEvents,
      maxBytes,
    )
  }

  placeSlot(slot: number, wants: readonly string[], start: SlotStart): Placed {
    this.#mustHold(slot)
    return placeSlot(this.#log.runs.upTo(this.applied), appliedSlot(slot, this.#machine), wants, start)
  }

  follow(slot: number, listener: (notice: SlotNotice) => void): () => void {
    this.#mustHold(slot)
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  onCubeEvent(_listener: (event: CubeEvent) => void): () => void {
    return () => undefined
  }

  #tellGone(): void {
    const listeners = [...this.#listeners]
    this.#listeners.clear()
    for (const listener of listeners) listener({ kind: 'gone' })
  }

  #tell(notice: SlotNotice): void {
    for (const listener of [...this.#listeners]) listener(notice)
  }
}

export interface WorldOptions {
  readonly bounds?: Partial<StreamBounds>
  readonly heartbeatMs?: number
  readonly stallTimeoutMs?: number
  readonly random?: () => number
}

/**
 * Four peers around one slot: 000 and 001 hold replicas, 010 and 011 hold none. Replicas lag and move, links break and
 * the majority goes as the test says.
 */
export class World {
  readonly clock = new ManualClock()
  readonly log = new SlotLog()
  readonly replicas = new Map<PeerId, FakeReplica>()
  readonly hubs = new Map<PeerId, TopicStreams>()
  /** Without it `describe` fails. */
  majority = true
  /** Where the roster places the slot, whoever holds it. */
  placed: readonly PeerId[] = ['000', '001']
  /** Whom `describe` names. */
  primary: PeerId | null = null
  /** Operations dispatched, by kind. */
  readonly dispatched = new Map<string, number>()
  /** Follow streams opened so far, and to whom. */
  readonly followed: PeerId[] = []
  readonly down = new Set<PeerId>()
  readonly #pipes = new Set<AbortController>()
  readonly #random: () => number

  constructor(options: WorldOptions = {}) {
    this.#random = options.random ?? (() => 0.5)
    const settings = {
      heartbeatMs: options.heartbeatMs ?? 15_000,
      stallTimeoutMs: options.stallTimeoutMs ?? 30_000,
      retryMs: 500,
      flushMs: 2,
    }
    for (const self of ['000', '001', '010', '011']) {
      const slots = new FakeReplica(this.log, this.placed.includes(self))
      this.replicas.set(self, slots)
      const hub = new TopicStreams({
        self,
        slots,
        dispatcher: this.#dispatcher(slots),
        clock: this.clock,
        random: this.#random,
        log: { debug() {}, info() {} },
        openFollow: this.#openFollow,
        settings,
        slotCount: 64,
        slotOf: () => SLOT,
        replicasOf: () => this.placed,
        bounds: { ...STREAM_BOUNDS, ...options.bounds },
      })
      this.hubs.set(self, hub)
    }
  }

  hub(peer: PeerId): TopicStreams {
    return this.hubs.get(peer)!
  }

  replica(peer: PeerId): FakeReplica {
    return this.replicas.get(peer)!
  }

  /** Commits a command; replicas apply it when told to. */
  commit(command: Partial<Command> & Pick<Command, 'kind'>): void {
    this.log.append({ topic: TOPIC, timeMs: this.clock.nowMs(), ...command } as Command)
  }

  create(topic = TOPIC): void {
    this.commit({ kind: 'create', topic, settings: UNLIMITED })
    this.level()
  }

  /** Publishes and lets every replica apply it. */
  publish(...texts: string[]): void {
    this.publishLagging(...texts)
    this.level()
  }

  publishLagging(...texts: string[]): void {
    this.commit({ kind: 'publish', events: texts.map(text => ({ data: Buffer.from(text) })) })
  }

  publishEvent(event: Partial<EventInput> & { readonly data: Uint8Array }): void {
    this.commit({ kind: 'publish', events: [event] })
    this.level()
  }

  trim(before: number): void {
    const row = this.row()
    if (row !== undefined) this.commit({ kind: 'trim', incarnation: row.incarnation, before, bytes: 0 })
  }

  row(): TopicRow | undefined {
    return this.log.machine.topic(TOPIC)
  }

  level(): void {
    for (const replica of this.replicas.values()) if (replica.held.length > 0) replica.apply()
  }

  /** Opens a stream at `peer` and attaches a sink to it. */
  async connect(peer: PeerId, start: StreamStart, options: Partial<StreamOptions> = {}): Promise<FakeSink> {
    const sink = new FakeSink()
    const wanted = { topic: TOPIC, start, named: false, format: 'plain', ...options } as const
    const opening = this.hub(peer).open(wanted, this.clock.monotonicMs() + 10_000)
    // What comes of it is awaited below; meanwhile it must not count as unhandled.
    opening.catch(() => undefined)
    await this.clock.settle()
    const opened = await opening
    if (opened.kind === 'ended') sink.end()
    else opened.attach(sink)
    await this.clock.settle()
    return sink
  }

  /** Breaks every stream between peers. */
  cut(): void {
    for (const pipe of this.#pipes) pipe.abort()
  }

  get pipes(): number {
    return this.#pipes.size
  }

  #dispatcher(slots: FakeReplica): Dispatcher {
    return {
      dispatch: async operation => {
        this.dispatched.set(operation.kind, (this.dispatched.get(operation.kind) ?? 0) + 1)
        return { result: this.#perform(operation, slots), path: [] }
      },
      append: () => Promise.reject(new Error('not in this world')),
    }
  }

  #perform(operation: Operation, here: FakeReplica): OperationResult {
    const near = here.held.length > 0 ? here : this.#anyReplica()
    if (operation.kind === 'describe') {
      if (!this.majority) return { kind: 'failed', code: 'NO_PRIMARY', definite: true }
      const { machine } = this.log
      const view = {
        topic: machine.topic(operation.topic),
        incarnation: machine.slot.incarnation,
        primary: this.primary,
      }
      return { kind: 'described', view }
    }
    if (near === undefined) return { kind: 'failed', code: 'UNREACHABLE', definite: true }
    if (operation.kind === 'offsetAt') {
      return { kind: 'offset', offset: near.offsetAt(SLOT, operation.topic, operation.timeMs) }
    }
    if (operation.kind !== 'read') throw new Error('not in this world')
    const row = near.topic(SLOT, operation.topic)
    if (row?.incarnation !== operation.incarnation) {
      return { kind: 'failed', code: 'UNKNOWN_TOPIC', definite: true }
    }
    const events = near.read(SLOT, operation.incarnation, operation.from, operation.maxEvents)
    return { kind: 'events', events, earliest: row.earliest, latest: row.latest }
  }

  #anyReplica(): FakeReplica | undefined {
    const up = [...this.replicas.keys()].filter(
      peer => !this.down.has(peer) && this.replica(peer).holds(SLOT),
    )
    const peer = up[Math.floor(this.#random() * up.length)]
    return peer === undefined ? undefined : this.replica(peer)
  }

  readonly #openFollow: OpenFollow = (peer, request, signal) => this.#followed(peer, request, signal)

  async *#followed(...[peer, request, signal]: Parameters<OpenFollow>) {
    if (this.down.has(peer)) throw new Error(`${peer} is down`)
    this.followed.push(peer)
    const pipe = new AbortController()
    this.#pipes.add(pipe)
    const stop = () => pipe.abort()
    signal.addEventListener('abort', stop)
    try {
      const parser = new FollowParser()
      for await (const chunk of this.hub(peer).followBytes(request, pipe.signal)) yield parser.push(chunk)
    } finally {
      signal.removeEventListener('abort', stop)
      this.#pipes.delete(pipe)
      pipe.abort()
    }
  }
}
