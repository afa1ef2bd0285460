import { encodeNumber, indexKey, indexOf, orderKey, prefix, TABLES } from './keys.ts'
import type { Key, OrderedKv } from './kv.ts'
import { unsealValue } from './record.ts'
import { firstOf, isLive, type SlotState, unpackRun, type Work } from './slot-state.ts'
import { type Ops, putWork, remove } from './slot-writer.ts'

/**
 * Deletes what trims, deletions, compactions and installs left behind, looking at no more than `limit` rows.
 * Appends the rows of the slice to `ops`; the work that remains is among them, so that a crash resumes it.
 * Throws `CorruptRecord`.
 */
export function sweepSlot(kv: OrderedKv, state: SlotState, limit: number, ops: Ops): void {
  let left = limit
  for (const [key, work] of [...state.work]) {
    if (left <= 0) return
    const { looked, rest } = sweepWork(kv, state, work, left, ops)
    left -= looked
    if (rest) putWork(state, key, rest, ops)
    else {
      state.work.delete(key)
      remove(ops, key)
    }
    if (rest) return
  }
}

interface Slice {
  readonly looked: number
  /** What is still to do; null when nothing is. */
  readonly rest: Work | null
}

function sweepWork(kv: OrderedKv, state: SlotState, work: Work, limit: number, ops: Ops): Slice {
  if (work.kind === 'trim') return sweepTrim(kv, state, work, limit, ops)
  if (work.kind === 'log') return sweepLog(kv, state, work, limit, ops)
  return sweepRuns(kv, state, work, limit, ops)
}

function sweepTrim(
  kv: OrderedKv,
  state: SlotState,
  work: Work & { kind: 'trim' },
  limit: number,
  ops: Ops,
): Slice {
  const from = orderKey(state.slot, work.incarnation, 0)
  const rows = kv.range(from, orderKey(state.slot, work.incarnation, work.before), { limit })
  for (const [key, record] of rows) {
    const [logIndex, count] = unsealValue<[number, number]>(key, record)
    if (firstOf(key) + count > work.before) return { looked: rows.length, rest: null }
    removeRun(state, key, logIndex, ops)
  }
  return { looked: rows.length, rest: rows.length === limit ? work : null }
}

function sweepLog(
  kv: OrderedKv,
  state: SlotState,
  work: Work & { kind: 'log' },
  limit: number,
  ops: Ops,
): Slice {
  const { slot } = state
  const end = prefix(TABLES.log, slot) + encodeNumber(work.to + 1)
  const keys = kv.keys(indexKey(TABLES.log, slot, work.next), end, { limit })
  for (const key of keys) {
    const index = indexOf(key)
    const holdsEvent =
      kv.has(indexKey(TABLES.run, slot, index)) && !kv.has(indexKey(TABLES.staged, slot, index))
    if (work.drop || !holdsEvent) remove(ops, key)
  }
  const rest = keys.length === limit ? { ...work, next: indexOf(keys.at(-1)!) + 1 } : null
  return { looked: keys.length, rest }
}

function sweepRuns(
  kv: OrderedKv,
  state: SlotState,
  work: Work & { kind: 'runs' },
  limit: number,
  ops: Ops,
): Slice {
  const { slot } = state
  const end = prefix(TABLES.run, slot) + encodeNumber(work.to + 1)
  const rows = kv.range(indexKey(TABLES.run, slot, work.next), end, { limit })
  for (const [key, record] of rows) {
    const run = unpackRun(key, record)
    if (!isLive(state, run)) removeRun(state, orderKey(slot, run.incarnation, run.first), run.logIndex, ops)
  }
  const rest = rows.length === limit ? { ...work, next: indexOf(rows.at(-1)![0]) + 1 } : null
  return { looked: rows.length, rest }
}

/** A run and its events; an entry that Raft still needs stays until compaction. */
function removeRun(state: SlotState, order: Key, logIndex: number, ops: Ops): void {
  remove(ops, order)
  remove(ops, indexKey(TABLES.run, state.slot, logIndex))
  remove(ops, indexKey(TABLES.staged, state.slot, logIndex))
  if (logIndex <= state.snapshot.index) remove(ops, indexKey(TABLES.log, state.slot, logIndex))
}
