import type { Roster } from '../cube/roster.ts'
import type { Entry, LogReader } from '../raft/types.ts'
import type { Run } from '../topics/types.ts'
import { firstOf, indexKey, orderKey, storeKey, TABLES } from './keys.ts'
import type { Key, OrderedKv, Space } from './kv.ts'
import { corrupt, seal, sealValue, unseal, unsealEntry, unsealValue } from './record.ts'
import { Replicas } from './replicas.ts'
import { openSlot, readEntry, readImage, readRun, type SlotState, termAt, unpackRun } from './slot-state.ts'
import { type Ops, putRun, writeSlot } from './slot-writer.ts'
import { sweepSlot } from './sweeper.ts'
import type { LoadedSlot, LogStore, RunRecord, SlotWrite, StoreIdentity, Tombstone } from './types.ts'

const ROSTER = storeKey('roster')

/** The one implementation of `LogStore`, over any ordered rows. */
export class KvLogStore implements LogStore {
  readonly identity: StoreIdentity
  readonly #kv: OrderedKv
  readonly #onClosed: () => void
  readonly #replicas: Replicas
  readonly #states = new Map<number, SlotState>()

  /** @param onClosed runs once the rows are closed */
  constructor(kv: OrderedKv, identity: StoreIdentity, onClosed: () => void = () => {}) {
    this.#kv = kv
    this.identity = identity
    this.#onClosed = onClosed
    this.#replicas = new Replicas(kv)
  }

  roster(): Roster | null {
    const record = this.#kv.get(ROSTER)
    return record ? unsealValue<Roster>(ROSTER, record) : null
  }

  writeRoster(roster: Roster): Promise<void> {
    return this.#kv.write([{ key: ROSTER, value: sealValue(ROSTER, roster) }])
  }

  slots(): number[] {
    return this.#replicas.slots
  }

  load(slot: number): LoadedSlot {
    const state = this.#state(slot)
    const { number, hardState, snapshot } = state
    return { slot, number, hardState, snapshot, image: readImage(this.#kv, state) }
  }

  log(slot: number): LogReader {
    const state = this.#state(slot)
    return {
      firstIndex: () => state.snapshot.index + 1,
      lastIndex: () => state.last,
      term: index => termAt(this.#kv, state, index),
      entries: (from, to, maxBytes) => this.#entries(state, from, to, maxBytes),
      configurations: () => state.configurations,
    }
  }

  write(writes: readonly SlotWrite[]): Promise<void> {
    const ops: Ops = []
    for (const write of writes) {
      if (write.found) this.#found(write, write.found, ops)
      else writeSlot(this.#kv, this.#state(write.slot), write, ops)
      if (write.drop) this.#drop(write.slot, ops)
    }
    return this.#kv.write(ops)
  }

  tombstone(slot: number): Tombstone | undefined {
    const found = this.#replicas.tombstone(slot)
    return found && { number: found.number, term: found.term, vote: found.vote, end: found.end }
  }

  findRun(slot: number, incarnation: number, offset: number): Run | undefined {
    return this.runs(slot, incarnation, offset, 1)[0]
  }

  runs(slot: number, incarnation: number, offset: number, limit: number): Run[] {
    const state = this.#state(slot)
    const from = orderKey(state, incarnation, offset)
    const start = orderKey(state, incarnation, 0)
    const found = this.#runsOf(state, this.#kv.range(start, from, { limit: 1, reverse: true }), offset)
    if (found.length >= limit) return found
    const end = orderKey(state, incarnation, Number.POSITIVE_INFINITY)
    const rest = this.#kv.range(from, end, { limit: limit - found.length })
    return [...found, ...this.#runsOf(state, rest, offset)]
  }

  runsFrom(slot: number, logIndex: number, limit: number): Run[] {
    const state = this.#state(slot)
    if (logIndex > state.applied) return []
    const from = indexKey(TABLES.run, state, logIndex)
    // Behind what is applied lie runs of a snapshot under way.
    const end = indexKey(TABLES.run, state, state.applied + 1)
    return this.#kv.range(from, end, { limit }).map(([key, record]) => unpackRun(key, record))
  }

  runsBefore(slot: number, logIndex: number, limit: number): Run[] {
    const state = this.#state(slot)
    if (logIndex <= 0) return []
    const from = indexKey(TABLES.run, state, 0)
    const end = indexKey(TABLES.run, state, Math.min(logIndex, state.applied + 1))
    const rows = this.#kv.range(from, end, { limit, reverse: true })
    return rows.map(([key, record]) => unpackRun(key, record))
  }

  runData(slot: number, logIndex: number): Uint8Array | undefined {
    const replica = this.#replicas.current(slot)
    if (!replica) return undefined
    const stagedKey = indexKey(TABLES.staged, replica, logIndex)
    const staged = this.#kv.get(stagedKey)
    if (staged) return unseal(stagedKey, staged)
    const logKey = indexKey(TABLES.log, replica, logIndex)
    const entry = this.#kv.get(logKey)
    return entry && unsealEntry(logKey, logIndex, entry).data
  }

  runsAfter(slot: number, logIndex: number, upTo: number, maxBytes: number): RunRecord[] {
    const state = this.#state(slot)
    const records: RunRecord[] = []
    const end = indexKey(TABLES.run, state, upTo + 1)
    let bytes = 0
    let next = logIndex + 1
    while (next <= upTo) {
      const [row] = this.#kv.range(indexKey(TABLES.run, state, next), end, { limit: 1 })
      if (!row) break
      const run = unpackRun(row[0], row[1])
      const data = this.runData(slot, run.logIndex)
      if (!data) throw corrupt(indexKey(TABLES.log, state, run.logIndex), 'missing')
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
      const key = indexKey(TABLES.staged, state, run.logIndex)
      ops.push({ key, value: seal(key, data) })
      putRun(ops, state, run)
      state.staged = Math.max(state.staged, run.logIndex)
    }
    return this.#kv.write(ops)
  }

  staged(slot: number): number {
    const state = this.#state(slot)
    return state.staged > state.applied ? state.staged : 0
  }

  sweep(slot: number, limit: number): boolean {
    const ops: Ops = []
    const swept = this.#replicas.sweep(slot, limit, ops)
    const state = this.#replicas.current(slot) && this.#state(slot)
    if (state) sweepSlot(this.#kv, state, limit - swept, ops)
    // A failure shows at the next write: all of them reject from then on.
    if (ops.length > 0) this.#kv.write(ops).catch(() => {})
    return swept < limit && (state === undefined || state.work.size === 0)
  }

  leftovers(): number[] {
    return this.#replicas.leftovers
  }

  space(): Space {
    return this.#kv.space()
  }

  async close(): Promise<void> {
    await this.#kv.close()
    this.#onClosed()
  }

  /** The first rows hold the hard state already, with what an earlier replica adds to it. */
  #found(write: SlotWrite, found: NonNullable<SlotWrite['found']>, ops: Ops): void {
    const { hardState, ...rest } = write
    const state = this.#replicas.found(write.slot, found, hardState, ops)
    this.#states.set(write.slot, state)
    writeSlot(this.#kv, state, rest, ops)
  }

  #drop(slot: number, ops: Ops): void {
    this.#replicas.drop(this.#state(slot), ops)
    this.#states.delete(slot)
  }

  #state(slot: number): SlotState {
    let state = this.#states.get(slot)
    if (!state) {
      const replica = this.#replicas.current(slot)
      if (!replica) throw new Error(`slot ${slot} is not in this store`)
      state = openSlot(this.#kv, replica)
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
      const run = readRun(this.#kv, state, logIndex)
      if (!run) throw corrupt(indexKey(TABLES.run, state, logIndex), 'missing')
      found.push(run)
    }
    return found
  }

  #entries(state: SlotState, from: number, to: number, maxBytes: number): Entry[] {
    if (from <= state.snapshot.index || to > state.last + 1) {
      throw new RangeError(`slot ${state.slot}: entries ${from} to ${to} are not in the log`)
    }
    const entries: Entry[] = []
    let bytes = 0
    for (let index = from; index < to; index++) {
      const entry = readEntry(this.#kv, state, index)
      bytes += entry.data.length
      if (entries.length > 0 && bytes > maxBytes) break
      entries.push(entry)
    }
    return entries
  }
}
