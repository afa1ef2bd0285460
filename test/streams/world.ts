import type { PeerId } from '../../services/peer/cube/labels.ts'
import type { Dispatcher, Operation, OperationResult } from '../../services/peer/links/types.ts'
import { STREAM_BOUNDS, type StreamBounds } from '../../services/peer/streams/bounds.ts'
import { TopicStreams } from '../../services/peer/streams/hub.ts'
import type { StreamOptions, StreamStart } from '../../services/peer/streams/types.ts'
import { UNLIMITED } from '../../services/peer/topics/settings.ts'
import type { Command, EventInput, TopicRow } from '../../services/peer/topics/types.ts'
import { ManualClock } from './clock.ts'
import { FakeReplica, SLOT, SlotLog } from './fake-replica.ts'
import { FakeSink } from './sink.ts'
import { FakeTrunks } from './trunks.ts'

export { FakeReplica, SLOT }
export const TOPIC = 'sports'

export interface WorldOptions {
  readonly bounds?: Partial<StreamBounds>
  readonly heartbeatMs?: number
  readonly stallTimeoutMs?: number
  readonly random?: () => number
  readonly peers?: readonly PeerId[]
  /** Where the slot is at first. */
  readonly placed?: readonly PeerId[]
  /** Whom a peer gets the slot from, the one to try first first, if not the replicas in their order. */
  readonly parentsOf?: (self: PeerId) => readonly PeerId[]
}

/**
 * Four peers around one slot, unless a test wants others: 000 and 001 hold replicas, 010 and 011 hold none. Replicas lag
 * and move, trunks break and the majority goes as the test says.
 */
export class World {
  readonly clock = new ManualClock()
  readonly log = new SlotLog()
  readonly replicas = new Map<PeerId, FakeReplica>()
  readonly hubs = new Map<PeerId, TopicStreams>()
  /** Without it `describe` fails. */
  majority = true
  /** Where the roster places the slot, whoever holds it. */
  placed: readonly PeerId[]
  /** Whom `describe` names. */
  primary: PeerId | null = null
  /** Operations dispatched, by kind. */
  readonly dispatched = new Map<string, number>()
  /** Every hub is joined to others by these. */
  readonly trunks: FakeTrunks
  /** The slot's primary as peers have found out: a parent where none of the others has it. */
  readonly #found = new Map<PeerId, PeerId>()
  readonly #random: () => number

  constructor(options: WorldOptions = {}) {
    this.#random = options.random ?? (() => 0.5)
    this.placed = options.placed ?? ['000', '001']
    this.trunks = new FakeTrunks(this.hubs, options.bounds?.trunkBytes)
    const settings = {
      heartbeatMs: options.heartbeatMs ?? 15_000,
      stallTimeoutMs: options.stallTimeoutMs ?? 30_000,
      retryMs: 500,
      flushMs: 2,
    }
    for (const self of options.peers ?? ['000', '001', '010', '011']) {
      const slots = new FakeReplica(this.log, this.placed.includes(self))
      this.replicas.set(self, slots)
      const hub = new TopicStreams({
        self,
        slots,
        dispatcher: this.#dispatcher(self, slots),
        clock: this.clock,
        random: this.#random,
        log: { debug() {}, info() {} },
        trunks: this.trunks.of(self),
        settings,
        slotOf: () => SLOT,
        slotCount: SLOT + 1,
        parentsOf: () => {
          const parents = options.parentsOf?.(self) ?? this.placed
          return [...new Set([...parents, ...this.#foundBy(self)])].filter(peer => peer !== self)
        },
        bounds: { ...STREAM_BOUNDS, ...options.bounds },
      })
      this.hubs.set(self, hub)
    }
  }

  /** Trunks opened so far, and to whom. */
  get followed(): readonly PeerId[] {
    return this.trunks.opened
  }

  get down(): Set<PeerId> {
    return this.trunks.down
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

  /** Breaks every trunk. */
  cut(): void {
    this.trunks.cut()
  }

  /** Trunks that are open. */
  get pipes(): number {
    return this.trunks.size
  }

  /** Ends everything; no timer is left then. */
  async close(): Promise<void> {
    for (const hub of this.hubs.values()) await hub.close()
    await this.clock.settle()
  }

  #foundBy(self: PeerId): PeerId[] {
    const primary = this.#found.get(self)
    return primary === undefined ? [] : [primary]
  }

  #dispatcher(self: PeerId, slots: FakeReplica): Dispatcher {
    return {
      dispatch: async operation => {
        this.dispatched.set(operation.kind, (this.dispatched.get(operation.kind) ?? 0) + 1)
        if (operation.kind === 'members' && this.majority && this.primary !== null) {
          this.#found.set(self, this.primary)
        }
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
    if (operation.kind === 'members') {
      return { kind: 'members', configuration: near.members(), primary: this.primary ?? '' }
    }
    if (operation.kind === 'glance') {
      const topic = near.topic(SLOT, operation.topic)
      const incarnation = near.incarnation(SLOT)
      return { kind: 'described', view: { topic, incarnation, primary: null } }
    }
    if (operation.kind === 'offsetAt') {
      return { kind: 'offset', offset: near.offsetAt(SLOT, operation.topic, operation.timeMs) }
    }
    if (operation.kind !== 'read') throw new Error('not in this world')
    const row = near.topic(SLOT, operation.topic)
    if (row?.incarnation !== operation.incarnation) {
      return { kind: 'failed', code: 'UNKNOWN_TOPIC', definite: true }
    }
    const { incarnation, from, maxEvents, maxBytes } = operation
    const events = near.read(SLOT, incarnation, from, maxEvents, maxBytes)
    return { kind: 'events', events, earliest: row.earliest, latest: row.latest }
  }

  #anyReplica(): FakeReplica | undefined {
    const up = [...this.replicas.keys()].filter(
      peer => !this.down.has(peer) && this.replica(peer).holds(SLOT),
    )
    const peer = up[Math.floor(this.#random() * up.length)]
    return peer === undefined ? undefined : this.replica(peer)
  }
}
