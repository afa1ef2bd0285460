import type { PeerId } from '../../services/peer/cube/labels.ts'
import {
  type Appended,
  type Clock,
  type CubeEvent,
  SlotError,
  type SlotLogs,
  type SlotStatus,
} from '../../services/peer/engine/types.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import type { Placed, Slice, SlotStart } from '../../services/peer/links/slot-operations.ts'
import type { Configuration } from '../../services/peer/raft/types.ts'
import { emptyImage, SlotMachine } from '../../services/peer/topics/machine.ts'
import type { SlotPosition } from '../../services/peer/topics/positions.ts'
import type { Command, Request, SlotNotice, StoredEvent, TopicRow } from '../../services/peer/topics/types.ts'
import { RunRecords, slotReads } from './run-records.ts'

/** One slot in memory: the real state machine under a log that is always committed. */
class MemorySlot {
  readonly machine = new SlotMachine(emptyImage(), {
    maxTopics: LIMITS.MAX_TOPICS_PER_SLOT,
    maxKeys: LIMITS.MAX_KEYS_PER_SLOT,
    keyWindowMs: LIMITS.KEY_WINDOW_MS,
    maxProducers: LIMITS.MAX_PRODUCERS_PER_SLOT,
    maxProducerInflight: LIMITS.MAX_PRODUCER_INFLIGHT,
    roster: LIMITS,
  })
  readonly listeners = new Set<(notice: SlotNotice) => void>()
  readonly #records = new RunRecords()
  readonly reads = slotReads(this.#records, this.machine)

  apply(command: Command): Appended {
    const { result, notices } = this.machine.apply(this.machine.slot.appliedIndex + 1, 1, command)
    this.#records.keep(command, notices)
    for (const notice of notices) for (const listener of this.listeners) listener(notice)
    return { result: result!, replicas: 2 }
  }
}

/** All slots of a cube in the memory of one peer that leads them all. */
export class MemorySlots implements SlotLogs {
  readonly held: readonly number[]
  readonly #slots: MemorySlot[]
  readonly #self: PeerId
  readonly #clock: Clock
  readonly #cubeListeners = new Set<(event: CubeEvent) => void>()
  /** Set to make every append fail so. */
  failure: Error | undefined

  constructor(self: PeerId, slots: number, clock: Clock) {
    this.#self = self
    this.#clock = clock
    this.#slots = Array.from({ length: slots }, () => new MemorySlot())
    this.held = this.#slots.map((_, slot) => slot)
  }

  holds(slot: number): boolean {
    return slot < this.#slots.length
  }

  status(slot: number): SlotStatus {
    if (!this.holds(slot)) throw new SlotError({ kind: 'unavailable', code: 'NOT_A_REPLICA' })
    const { appliedIndex } = this.#slots[slot]!.machine.slot
    return {
      slot,
      home: this.#self,
      replicas: [this.#self],
      primary: this.#self,
      raft: {
        number: 1,
        role: 'leader',
        term: 1,
        leader: 1,
        commit: appliedIndex,
        applied: appliedIndex,
        lastIndex: appliedIndex,
        durable: appliedIndex,
        configuration: this.members(),
        changing: false,
        transferee: 0,
        progress: new Map(),
      },
    }
  }

  bytesToMove(): number {
    return 0
  }

  members(): Configuration {
    return { rosterVersion: 1, voters: [{ number: 1, uid: 'uid' }] }
  }

  async append(slot: number, request: Request): Promise<Appended> {
    if (this.failure) throw this.failure
    return this.#slots[slot]!.apply({ ...request, timeMs: this.#clock.nowMs() } as Command)
  }

  async barrier(): Promise<void> {
    if (this.failure) throw this.failure
  }

  topic(slot: number, name: string): TopicRow | undefined {
    return this.#slots[slot]!.machine.topic(name)
  }

  topics(slot: number, after: string, limit: number): TopicRow[] {
    return this.#slots[slot]!.machine.topics(after, limit)
  }

  incarnation(slot: number): number {
    return this.#slots[slot]!.machine.slot.incarnation
  }

  read(slot: number, ...rest: [number, number, number, number]): StoredEvent[] {
    return this.#slots[slot]!.reads.read(slot, ...rest)
  }

  offsetAt(slot: number, topic: string, timeMs: number): number {
    return this.#slots[slot]!.reads.offsetAt(slot, topic, timeMs)
  }

  position(slot: number): SlotPosition {
    return this.#slots[slot]!.reads.position(slot)
  }

  readSlot(slot: number, ...rest: [readonly string[], SlotPosition, number, number]): Slice {
    return this.#slots[slot]!.reads.readSlot(slot, ...rest)
  }

  async placeSlot(slot: number, wants: readonly string[], start: SlotStart): Promise<Placed> {
    return this.#slots[slot]!.reads.placeSlot(slot, wants, start)
  }

  follow(slot: number, listener: (notice: SlotNotice) => void): () => void {
    const { listeners } = this.#slots[slot]!
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  onCubeEvent(listener: (event: CubeEvent) => void): () => void {
    this.#cubeListeners.add(listener)
    return () => this.#cubeListeners.delete(listener)
  }

  /** Tells all who listen, as the engine would. */
  happen(event: CubeEvent): void {
    for (const listener of this.#cubeListeners) listener(event)
  }

  get cubeListeners(): number {
    return this.#cubeListeners.size
  }
}
