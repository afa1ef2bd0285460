import type { Roster } from '../cube/roster.ts'
import type { Entry, LogReader } from '../raft/types.ts'
import type { Run } from '../topics/types.ts'
import { behind, indexKey, orderKey, slotOf, storeKey, TABLES } from './keys.ts'
import type { Key, OrderedKv, Space } from './kv.ts'
import { corrupt, seal, sealValue, unseal, unsealEntry, unsealValue } from './record.ts'
import {
  firstOf,
  openSlot,
  readEntry,
  readHardState,
  readImage,
  readRun,
  type SlotState,
  unpackRun,
} from './slot-state.ts'
import { foundSlot, type Ops, putRun, writeSlot } from './slot-writer.ts'
import { sweepSlot } from './sweeper.ts'
import type { LoadedSlot, LogStore, RunRecord, SlotWrite, StoreIdentity } from './types.ts'

const ROSTER = storeKey('roster')

/** The one implementation of `LogStore`, over any ordered rows. */
export class KvLogStore implements LogStore {
  readonly identity: StoreIdentity
  readonly #kv: OrderedKv
  readonly #onClosed: () => void
  readonly #slots: Set<number>
  readonly #states = new Map<number, SlotState>()

  /** @param onClosed runs once the rows are closed */
  constructor(kv: OrderedKv, identity: StoreIdentity, onClosed: () => void = () => {}) {
    this.#kv = kv
    this.identity = identity
    this.#onClosed = onClosed
    const members = kv.keys(TABLES.member, behind(TABLES.member))
    this.#slots = new Set(members.map(slotOf))
  }

  roster(): Roster | null {
    const record = this.#kv.get(ROSTER)
    return record ? unsealValue<Roster>(ROSTER, record) : null
  }

  writeRoster(roster: Roster): Promise<void> {
    return this.#kv.write([{ key: ROSTER, value: sealValue(ROSTER, roster) }])
  }

  slots(): number[] {
    return [...this.#slots].sort((a, b) => a - b)
  }

  load(slot: number): LoadedSlot {
    const state = this.#state(slot)
    const hardState = readHardState(this.#kv, slot)
    const image = readImage(this.#kv, slot)
    return { slot, number: state.number, hardState, snapshot: state.snapshot, image }
  }

  log(slot: number): LogReader {
    const state = this.#state(slot)
    return {
      firstIndex: () => state.snapshot.index + 1,
      lastIndex: () => state.last,
      term: index => this.#term(state, index),
      entries: (from, to, maxBytes) => this.#entries(state, from, to, maxBytes),
      configurations: () => state.configurations,
    }
  }

  write(writes: readonly SlotWrite[]): Promise<void> {
    const ops: Ops = []
    for (const write of writes) {
      if (write.found) this.#found(write.slot, write.found, ops)
      writeSlot(this.#kv, this.#state(write.slot), write, ops)
    }
    return this.#kv.write(ops)
  }

  findRun(slot: number, incarnation: number, offset: number): Run | undefined {
    return this.runs(slot, incarnation, offset, 1)[0]
  }

  runs(slot: number, incarnation: number, offset: number, limit: number): Run[] {
    const state = this.#state(slot)
    const from = orderKey(slot, incarnation, offset)
    const start = orderKey(slot, incarnation, 0)
    const found = this.#runsOf(state, this.#kv.range(start, from, { limit: 1, reverse: true }), offset)
    if (found.length >= limit) return found
    const end = orderKey(slot, incarnation, Number.POSITIVE_INFINITY)
    const rest = this.#kv.range(from, end, { limit: limit - found.length })
    return [...found, ...this.#runsOf(state, rest, offset)]
  }

  runData(slot: number, logIndex: number): Uint8Array | undefined {
    const stagedKey = indexKey(TABLES.staged, slot, logIndex)
    const staged = this.#kv.get(stagedKey)
    if (staged) return unseal(stagedKey, staged)
    const logKey = indexKey(TABLES.log, slot, logIndex)
    const entry = this.#kv.get(logKey)
    return entry && unsealEntry(logKey, logIndex, entry).data
  }

  runsAfter(slot: number, logIndex: number, upTo: number, maxBytes: number): RunRecord[] {
    const records: RunRecord[] = []
    let bytes = 0
    let next = logIndex + 1
    while (next <= upTo) {
      const [row] = this.#kv.range(indexKey(TABLES.run, slot, next), indexKey(TABLES.run, slot, upTo + 1), {
        limit: 1,
      })
      if (!row) break
      const run = unpackRun(row[0], row[1])
      const data = this.runData(slot, run.logIndex)
      if (!data) throw corrupt(indexKey(TABLES.log, slot, run.logIndex), 'missing')
      bytes += data.length
      if (records.length > 0 && bytes > maxBytes) break
      records.push({ run, data })
      next = run.logIndex + 1
    }
    return records
  }

  stage(slot: number, records: readonly RunRecord[]): Promise<void> {
    const state = this.#state(slot)
    const ops: Ops = []
    for (const { run, data } of records) {
      if (run.logIndex <= state.applied) continue
      const key = indexKey(TABLES.staged, slot, run.logIndex)
      ops.push({ key, value: seal(key, data) })
      putRun(ops, slot, run)
      state.staged = Math.max(state.staged, run.logIndex)
    }
    return this.#kv.write(ops)
  }

  staged(slot: number): number {
    const state = this.#state(slot)
    return state.staged > state.applied ? state.staged : 0
  }

  sweep(slot: number, limit: number): boolean {
    const state = this.#state(slot)
    if (state.work.size === 0) return true
    const ops: Ops = []
    sweepSlot(this.#kv, state, limit, ops)
    // A failure shows at the next write: all of them reject from then on.
    this.#kv.write(ops).catch(() => {})
    return state.work.size === 0
  }

  space(): Space {
    return this.#kv.space()
  }

  async close(): Promise<void> {
    await this.#kv.close()
    this.#onClosed()
  }

  #found(slot: number, found: NonNullable<SlotWrite['found']>, ops: Ops): void {
    if (this.#slots.has(slot)) throw new Error(`slot ${slot} is founded already`)
    this.#states.set(slot, foundSlot(slot, found.number, found.snapshot, ops))
    this.#slots.add(slot)
  }

  #state(slot: number): SlotState {
    let state = this.#states.get(slot)
    if (!state) {
      if (!this.#slots.has(slot)) throw new Error(`slot ${slot} is not in this store`)
      state = openSlot(this.#kv, slot)
      this.#states.set(slot, state)
    }
    return state
  }

  /** Runs of rows of a topic's index: those that end at `offset` or behind it and are not merely staged. */
  #runsOf(state: SlotState, rows: readonly (readonly [Key, Uint8Array])[], offset: number): Run[] {
    const found: Run[] = []
    for (const [key, record] of rows) {
      const [logIndex, count] = unsealValue<[number, number]>(key, record)
      if (logIndex > state.applied || firstOf(key) + count <= offset) continue
      const run = readRun(this.#kv, state.slot, logIndex)
      if (!run) throw corrupt(indexKey(TABLES.run, state.slot, logIndex), 'missing')
      found.push(run)
    }
    return found
  }

  #term(state: SlotState, index: number): number | undefined {
    if (index === state.snapshot.index) return state.snapshot.term
    if (index < state.snapshot.index || index > state.last) return undefined
    const { terms } = state
    for (let i = terms.length - 1; i >= 0; i--) if (terms[i]!.index <= index) return terms[i]!.term
    return readEntry(this.#kv, state.slot, index).term
  }

  #entries(state: SlotState, from: number, to: number, maxBytes: number): Entry[] {
    if (from <= state.snapshot.index || to > state.last + 1) {
      throw new RangeError(`slot ${state.slot}: entries ${from} to ${to} are not in the log`)
    }
    const entries: Entry[] = []
    let bytes = 0
    for (let index = from; index < to; index++) {
      const entry = readEntry(this.#kv, state.slot, index)
      bytes += entry.data.length
      if (entries.length > 0 && bytes > maxBytes) break
      entries.push(entry)
    }
    return entries
  }
}
