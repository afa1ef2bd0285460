import {
  type CubeEvent,
  SlotError,
  type SlotLogs,
  type SlotStatus,
} from '../../services/peer/engine/types.ts'
import type { Placed, Slice, SlotStart } from '../../services/peer/links/slot-operations.ts'
import type { Configuration } from '../../services/peer/raft/types.ts'
import { emptyImage, SlotMachine } from '../../services/peer/topics/machine.ts'
import type { SlotPosition } from '../../services/peer/topics/positions.ts'
import type { Command, SlotNotice, StoredEvent, TopicRow } from '../../services/peer/topics/types.ts'
import { RunRecords, type SlotReads, slotReads } from '../support/run-records.ts'
import { LIMITS } from '../topics/kit.ts'

export const SLOT = 7

/** The one slot's committed log, and every event it ever held by incarnation. */
export class SlotLog {
  readonly commands: Command[] = []
  readonly events = new Map<number, StoredEvent[]>()
  readonly runs = new RunRecords()
  /** Every event in the slot's order. */
  readonly sequenced: { readonly topic: string; readonly sequence: number }[] = []
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
        this.sequenced.push({ topic: notice.topic, sequence: run.sequence + at })
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
  /** Every read of a topic: the offsets it gave. */
  readonly readings: number[][] = []
  readonly #log: SlotLog
  readonly #listeners = new Set<(notice: SlotNotice) => void>()
  readonly #machine = new SlotMachine(emptyImage(), LIMITS)
  readonly #slotReads: SlotReads

  constructor(log: SlotLog, holds: boolean) {
    this.#log = log
    this.#slotReads = slotReads(log.runs, this.#machine)
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

  get reads(): number {
    return this.readings.length
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

  read(slot: number, ...rest: [number, number, number, number]): StoredEvent[] {
    this.#mustHold(slot)
    const events = this.#slotReads.read(slot, ...rest)
    this.readings.push(events.map(({ offset }) => offset))
    return events
  }

  offsetAt(slot: number, name: string, timeMs: number): number {
    this.#mustHold(slot)
    return this.#slotReads.offsetAt(slot, name, timeMs)
  }

  position(slot: number): SlotPosition {
    this.#mustHold(slot)
    return this.#slotReads.position(slot)
  }

  readSlot(slot: number, ...rest: [readonly string[], SlotPosition, number, number]): Slice {
    this.#mustHold(slot)
    return this.#slotReads.readSlot(slot, ...rest)
  }

  async placeSlot(slot: number, wants: readonly string[], start: SlotStart): Promise<Placed> {
    this.#mustHold(slot)
    return this.#slotReads.placeSlot(slot, wants, start)
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
    // As the engine does it: who follows meanwhile is told, too.
    for (const listener of this.#listeners) listener(notice)
  }
}
