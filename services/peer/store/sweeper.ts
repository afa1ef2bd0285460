import {
  behind,
  encodeNumber,
  firstOf,
  indexKey,
  indexOf,
  orderKey,
  prefix,
  REPLICA_TABLES,
  type Replica,
  TABLES,
} from './keys.ts'
import type { Key, OrderedKv } from './kv.ts'
import { unsealValue } from './record.ts'
import { isLive, type SlotState, unpackRun, type Work } from './slot-state.ts'
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

/**
 * Deletes rows of a dropped replica, whatever is in them, no more than `limit`; appends the deletions to `ops` and
 * returns how many there are. Fewer than `limit` when nothing is left.
 */
export function sweepDropped(kv: OrderedKv, replica: Replica, limit: number, ops: Ops): number {
  let left = limit
  for (const table of REPLICA_TABLES) {
    if (left === 0) break
    const start = prefix(table, replica)
    const keys = kv.keys(start, behind(start), { limit: left })
    for (const key of keys) remove(ops, key)
    left -= keys.length
  }
  return limit - left
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
  const from = orderKey(state, work.incarnation, 0)
  const rows = kv.range(from, orderKey(state, work.incarnation, work.before), { limit })
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
  const end = prefix(TABLES.log, state) + encodeNumber(work.to + 1)
  const keys = kv.keys(indexKey(TABLES.log, state, work.next), end, { limit })
  for (const key of keys) {
    const index = indexOf(key)
    const holdsEvent =
      kv.has(indexKey(TABLES.run, state, index)) && !kv.has(indexKey(TABLES.staged, state, index))
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
  const end = prefix(TABLES.run, state) + encodeNumber(work.to + 1)
  const rows = kv.range(indexKey(TABLES.run, state, work.next), end, { limit })
  for (const [key, record] of rows) {
    const run = unpackRun(key, record)
    if (!isLive(state, run)) removeRun(state, orderKey(state, run.incarnation, run.first), run.logIndex, ops)
  }
  const rest = rows.length === limit ? { ...work, next: indexOf(rows.at(-1)![0]) + 1 } : null
  return { looked: rows.length, rest }
}

/** A run and its events; an entry that Raft still needs stays until compaction. */
function removeRun(state: SlotState, order: Key, logIndex: number, ops: Ops): void {
  remove(ops, order)
  remove(ops, indexKey(TABLES.run, state, logIndex))
  remove(ops, indexKey(TABLES.staged, state, logIndex))
  if (logIndex <= state.snapshot.index) remove(ops, indexKey(TABLES.log, state, logIndex))
}
