import type { Configuration, Entry, HardState, SnapshotMeta } from '../raft/types.ts'
import type { Run, SlotChanges, SlotImage } from '../topics/types.ts'
import {
  behind,
  clientKeyKey,
  indexKey,
  indexOf,
  orderKey,
  prefix,
  type Replica,
  TABLES,
  type Table,
  textKey,
} from './keys.ts'
import type { Key, KvOp, OrderedKv } from './kv.ts'
import { sealEntry, sealValue } from './record.ts'
import { noteTopic, packRun, readRun, type SlotState, type Work } from './slot-state.ts'
import type { SlotWrite } from './types.ts'

/** The rows of one transaction as they gather. */
export type Ops = KvOp[]

/**
 * Turns what a slot wants written into rows, in the order of the fields, and brings its state in memory level.
 * `found` is not handled here: it makes the state.
 */
export function writeSlot(kv: OrderedKv, state: SlotState, write: SlotWrite, ops: Ops): void {
  if (write.hardState) putHardState(state, write.hardState, ops)
  if (write.truncateFrom !== undefined) truncate(state, write.truncateFrom, ops)
  if (write.entries) append(state, write.entries, ops)
  if (write.unstage) unstage(kv, state, ops)
  if (write.install) install(kv, state, write.install.snapshot, write.install.image, ops)
  if (write.changes) applyChanges(state, write.changes, ops)
  if (write.compact) compact(state, write.compact, ops)
}

/** The first rows of a replica. */
export function foundSlot(
  { slot, era }: Replica,
  { number, snapshot }: NonNullable<SlotWrite['found']>,
  hardState: HardState,
  ops: Ops,
): SlotState {
  const replica = { slot, era }
  put(ops, prefix(TABLES.member, replica), { number, snapshot })
  put(ops, prefix(TABLES.hardState, replica), hardState)
  put(ops, prefix(TABLES.slotRow, replica), {
    appliedIndex: snapshot.index,
    appliedTerm: snapshot.term,
    sequence: 0,
    incarnation: 0,
    timeMs: 0,
  })
  return {
    ...replica,
    number,
    hardState,
    snapshot,
    last: snapshot.index,
    applied: snapshot.index,
    staged: 0,
    terms: [],
    configurations: [],
    topics: new Map(),
    earliest: new Map(),
    work: new Map(),
  }
}

/** Where a run lies, and where its topic finds it. */
export function putRun(ops: Ops, replica: Replica, run: Run): void {
  put(ops, indexKey(TABLES.run, replica, run.logIndex), packRun(run))
  put(ops, orderKey(replica, run.incarnation, run.first), [run.logIndex, run.count])
}

/** Remembers something to delete; replaces what was known under the same key. */
export function putWork(state: SlotState, key: Key, work: Work, ops: Ops): void {
  state.work.set(key, work)
  put(ops, key, work)
}

export function put(ops: Ops, key: Key, value: unknown): void {
  ops.push({ key, value: sealValue(key, value) })
}

export function remove(ops: Ops, key: Key): void {
  ops.push({ key, value: null })
}

function putHardState(state: SlotState, hardState: HardState, ops: Ops): void {
  state.hardState = hardState
  put(ops, prefix(TABLES.hardState, state), hardState)
}

function truncate(state: SlotState, from: number, ops: Ops): void {
  if (from <= state.snapshot.index)
    throw new Error(`slot ${state.slot}: cannot truncate at ${from}, which is compacted`)
  for (let index = from; index <= state.last; index++) remove(ops, indexKey(TABLES.log, state, index))
  state.last = Math.min(state.last, from - 1)
  while (state.terms.length > 0 && state.terms.at(-1)!.index >= from) state.terms.pop()
  dropConfigurations(state, index => index >= from, ops)
}

function append(state: SlotState, entries: readonly Entry[], ops: Ops): void {
  for (const entry of entries) {
    if (entry.index !== state.last + 1) {
      throw new Error(`slot ${state.slot}: entry ${entry.index} does not follow ${state.last}`)
    }
    const key = indexKey(TABLES.log, state, entry.index)
    ops.push({ key, value: sealEntry(key, entry) })
    if (entry.configuration) addConfiguration(state, entry.index, entry.configuration, ops)
    if (state.terms.at(-1)?.term !== entry.term) state.terms.push({ index: entry.index, term: entry.term })
    state.last = entry.index
  }
}

function unstage(kv: OrderedKv, state: SlotState, ops: Ops): void {
  const from = indexKey(TABLES.staged, state, state.applied + 1)
  for (const key of kv.keys(from, behind(prefix(TABLES.staged, state)))) {
    const index = indexOf(key)
    const run = readRun(kv, state, index)
    if (run) remove(ops, orderKey(state, run.incarnation, run.first))
    remove(ops, indexKey(TABLES.run, state, index))
    remove(ops, key)
  }
  state.staged = 0
}

function install(kv: OrderedKv, state: SlotState, snapshot: SnapshotMeta, image: SlotImage, ops: Ops): void {
  if (snapshot.index <= state.applied)
    throw new Error(`slot ${state.slot}: snapshot ${snapshot.index} is old`)
  for (let index = snapshot.index + 1; index <= state.last; index++)
    remove(ops, indexKey(TABLES.log, state, index))
  replaceTable(
    kv,
    TABLES.topic,
    state,
    new Map(image.topics.map(row => [textKey(TABLES.topic, state, row.name), row])),
    ops,
  )
  const keys = image.keys.map(row => [clientKeyKey(state, `${row.topic}\u0000${row.key}`), row] as const)
  replaceTable(kv, TABLES.clientKey, state, new Map(keys), ops)
  const producers = image.producers.map(row => [textKey(TABLES.producer, state, row.uid), row] as const)
  replaceTable(kv, TABLES.producer, state, new Map(producers), ops)
  put(ops, prefix(TABLES.slotRow, state), image.slot)
  put(ops, prefix(TABLES.member, state), { number: state.number, snapshot })
  // Entries behind the applied one may be others than the cluster's; the staged rows hold the events.
  const logStart = state.snapshot.index + 1
  if (logStart <= state.applied) putLogWork(state, logStart, state.applied, false, ops)
  if (state.applied < state.last)
    putLogWork(state, state.applied + 1, Math.min(state.last, snapshot.index), true, ops)
  putWork(state, workKey(state, 'runs'), { kind: 'runs', next: 1, to: snapshot.index }, ops)
  state.snapshot = snapshot
  state.last = snapshot.index
  state.applied = image.slot.appliedIndex
  state.terms = []
  dropConfigurations(state, () => true, ops)
  state.topics.clear()
  state.earliest.clear()
  for (const topic of image.topics) noteTopic(state, topic.name, topic)
}

function replaceTable(
  kv: OrderedKv,
  table: Table,
  replica: Replica,
  rows: ReadonlyMap<Key, unknown>,
  ops: Ops,
): void {
  const start = prefix(table, replica)
  const inThisWrite = ops.filter(({ key }) => key.startsWith(start)).map(({ key }) => key)
  for (const key of [...kv.keys(start, behind(start)), ...inThisWrite]) if (!rows.has(key)) remove(ops, key)
  for (const [key, row] of rows) put(ops, key, row)
}

function applyChanges(state: SlotState, changes: SlotChanges, ops: Ops): void {
  put(ops, prefix(TABLES.slotRow, state), changes.slot)
  state.applied = changes.slot.appliedIndex
  for (const [name, topic] of changes.topics) {
    putOrRemove(ops, textKey(TABLES.topic, state, name), topic)
    noteTopic(state, name, topic)
  }
  for (const [topicAndKey, row] of changes.keys) putOrRemove(ops, clientKeyKey(state, topicAndKey), row)
  for (const [uid, row] of changes.producers) putOrRemove(ops, textKey(TABLES.producer, state, uid), row)
  for (const run of changes.runs) putRun(ops, state, run)
  for (const { incarnation, before } of changes.trims) {
    const key = workKey(state, `trim ${incarnation}`)
    const known = state.work.get(key)
    const upTo = known?.kind === 'trim' ? Math.max(known.before, before) : before
    putWork(state, key, { kind: 'trim', incarnation, before: upTo }, ops)
  }
}

function compact(state: SlotState, to: SnapshotMeta, ops: Ops): void {
  if (to.index <= state.snapshot.index) return
  if (to.index > state.applied)
    throw new Error(`slot ${state.slot}: cannot compact ${to.index}, which is not applied`)
  putLogWork(state, state.snapshot.index + 1, to.index, false, ops)
  put(ops, prefix(TABLES.member, state), { number: state.number, snapshot: to })
  state.snapshot = to
  dropConfigurations(state, index => index <= to.index, ops)
  while (state.terms.length > 1 && state.terms[1]!.index <= to.index + 1) state.terms.shift()
}

function addConfiguration(state: SlotState, index: number, configuration: Configuration, ops: Ops): void {
  state.configurations.push({ index, configuration })
  put(ops, indexKey(TABLES.configuration, state, index), configuration)
}

function dropConfigurations(state: SlotState, which: (index: number) => boolean, ops: Ops): void {
  for (const { index } of state.configurations) {
    if (which(index)) remove(ops, indexKey(TABLES.configuration, state, index))
  }
  state.configurations = state.configurations.filter(({ index }) => !which(index))
}

function putLogWork(state: SlotState, next: number, to: number, drop: boolean, ops: Ops): void {
  const key = workKey(state, `log ${drop ? 'drop' : 'keep'} ${to}`)
  putWork(state, key, { kind: 'log', next, to, drop }, ops)
}

function workKey(replica: Replica, name: string): Key {
  return textKey(TABLES.work, replica, name)
}

function putOrRemove(ops: Ops, key: Key, row: unknown): void {
  if (row === null) remove(ops, key)
  else put(ops, key, row)
}
