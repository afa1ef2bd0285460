import { encodeCommand } from '../../services/peer/engine/codec.ts'
import { placeSlot, placing, readSlot } from '../../services/peer/engine/slot-reading.ts'
import type { AppliedSlot } from '../../services/peer/engine/wanted-runs.ts'
import type { Placed, Slice, SlotStart } from '../../services/peer/links/slot-operations.ts'
import { MemoryDisk } from '../../services/peer/store/memory.ts'
import { openMemoryStore } from '../../services/peer/store/open.ts'
import type { LogStore, SlotWrite } from '../../services/peer/store/types.ts'
import type { SlotPosition } from '../../services/peer/topics/positions.ts'
import { UNLIMITED } from '../../services/peer/topics/settings.ts'
import type { Command, SlotNotice } from '../../services/peer/topics/types.ts'
import { snapshotAt, sweepAll } from '../store/kit.ts'
import { appliedSlot } from '../support/run-records.ts'
import { Bench, text } from '../topics/kit.ts'

const SLOT = 3

/** An event as the slot's history has it, whatever became of it. */
export interface PastEvent {
  readonly topic: string
  readonly incarnation: number
  readonly offset: number
  readonly sequence: number
  readonly timeMs: number
  /** Log index of the trim that took it; absent while it is kept. */
  trimmed?: number
  /** Its topic's life is over. */
  isGone?: true
}

/** One slot of one replica: the state machine and a store, and beside them all that ever happened. */
export class SlotWorld {
  readonly bench = new Bench()
  readonly store: LogStore = openMemoryStore(new MemoryDisk())
  readonly history: PastEvent[] = []
  readonly #slot: AppliedSlot

  constructor() {
    this.#slot = appliedSlot(SLOT, this.bench.machine)
    this.#write({ slot: SLOT, found: { number: 1, snapshot: snapshotAt(0, 0) } })
  }

  get index(): number {
    return this.bench.machine.slot.appliedIndex
  }

  get position(): SlotPosition {
    return { sequence: this.bench.machine.slot.sequence, index: this.index }
  }

  create(topic: string): void {
    this.#apply({ kind: 'create', topic, settings: UNLIMITED, timeMs: this.bench.timeMs })
  }

  delete(topic: string): void {
    const incarnation = this.bench.machine.topic(topic)?.incarnation
    this.#apply({ kind: 'delete', topic, timeMs: this.bench.timeMs })
    for (const event of this.history) if (event.incarnation === incarnation) event.isGone = true
  }

  publish(topic: string, count: number): void {
    const events = Array.from({ length: count }, (_, at) => text(`${topic} ${at}`))
    this.#apply({ kind: 'publish', topic, events, timeMs: this.bench.timeMs })
  }

  /** Takes the oldest `count` events of a topic, as the primary's retention does. */
  trim(topic: string, count: number): void {
    const row = this.bench.machine.topic(topic)
    if (row === undefined) return
    const { incarnation } = row
    const gone = this.history.filter(event => event.incarnation === incarnation && !event.trimmed)
    const last = gone.slice(0, count).at(-1)
    if (last === undefined) return
    const before = last.offset + 1
    const trim = { incarnation, before, bytes: 0, sequence: last.sequence }
    this.#apply({ kind: 'trim', topic, ...trim, timeMs: this.bench.timeMs })
    for (const event of gone.slice(0, count)) event.trimmed = this.index
  }

  /** As the upkeep does, some time after what it cleans up behind. */
  sweep(): void {
    this.#write({ slot: SLOT, compact: snapshotAt(this.index, 1) })
    sweepAll(this.store, SLOT)
  }

  read(wants: readonly string[], position: SlotPosition, maxEvents: number, maxBytes = 10_000): Slice {
    return readSlot(this.store, this.#slot, wants, position, maxEvents, maxBytes)
  }

  placing(wants: readonly string[], start: SlotStart): Generator<undefined, Placed, undefined> {
    return placing(this.store, this.#slot, wants, start)
  }

  place(wants: readonly string[], start: SlotStart): Placed {
    return placeSlot(this.store, this.#slot, wants, start)
  }

  #apply(command: Command): void {
    const { notices } = this.bench.apply(command)
    for (const notice of notices) if (notice.kind === 'published') this.#note(notice)
    const entry = { index: this.index, term: 1, type: 'data', data: encodeCommand(command) } as const
    this.#write({ slot: SLOT, entries: [entry], changes: this.bench.machine.drain()! })
  }

  #note({ topic, run }: SlotNotice & { kind: 'published' }): void {
    const { incarnation, timeMs } = run
    for (let at = 0; at < run.count; at++) {
      this.history.push({ topic, incarnation, timeMs, offset: run.first + at, sequence: run.sequence + at })
    }
  }

  /** Seen at once; nothing here waits for it to be durable. */
  #write(write: SlotWrite): void {
    this.store.write([write]).catch(error => {
      throw error
    })
  }
}
