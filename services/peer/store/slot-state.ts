import type { Configuration, DatedConfiguration, Entry, HardState, SnapshotMeta } from '../raft/types.ts'
import type { KeyRow, ProducerRow, Run, SlotImage, SlotRow, TopicRow } from '../topics/types.ts'
import { behind, indexKey, indexOf, prefix, type Replica, TABLES, type Table } from './keys.ts'
import type { Key, OrderedKv } from './kv.ts'
import { corrupt, unsealEntry, unsealValue } from './record.ts'

/** The slot's member row. */
export interface MemberRow {
  readonly number: number
  /** Where the log begins: the compacted or installed point. */
  readonly snapshot: SnapshotMeta
}

/**
 * Something that is still to be deleted, kept as a row so that a crash does not leak it.
 * - `trim`: runs of an incarnation that end below `before`.
 * - `log`: entries from `next` to `to` without a kept event, or all of them with `drop`.
 * - `runs`: runs from `next` to `to` that no topic covers.
 */
export type Work =
  | { readonly kind: 'trim'; readonly incarnation: number; readonly before: number }
  | { readonly kind: 'log'; readonly next: number; readonly to: number; readonly drop: boolean }
  | { readonly kind: 'runs'; readonly next: number; readonly to: number }

/** A run as its topic's index knows it. */
export interface OrderRow {
  readonly logIndex: number
  readonly count: number
}

/** What the store keeps in memory of a slot; everything else is read when asked for. */
export interface SlotState extends Replica {
  number: number
  hardState: HardState
  snapshot: SnapshotMeta
  /** Newest log entry; the snapshot's index when the log is empty. */
  last: number
  /** Index the state rows stand for; runs behind it are staged only. */
  applied: number
  /** Last staged run; meaningless at or below `applied`. */
  staged: number
  /** Where terms begin, ascending, for entries from the first of them on. */
  terms: { readonly index: number; readonly term: number }[]
  /** The log's configuration entries, ascending. */
  configurations: DatedConfiguration[]
  /** Topics as the state rows have them: what tells a live run from a leftover. */
  readonly topics: Map<string, { readonly incarnation: number; readonly earliest: number }>
  /** First offset kept, by incarnation. */
  readonly earliest: Map<number, number>
  /** By the key of its row, in order of arrival. */
  readonly work: Map<Key, Work>
}

/** Reads what is kept in memory of a slot. Throws `CorruptRecord`. */
export function openSlot(kv: OrderedKv, replica: Replica): SlotState {
  const member = readRow<MemberRow>(kv, prefix(TABLES.member, replica))
  const row = readRow<SlotRow>(kv, prefix(TABLES.slotRow, replica))
  const state: SlotState = {
    slot: replica.slot,
    era: replica.era,
    number: member.number,
    hardState: readRow<HardState>(kv, prefix(TABLES.hardState, replica)),
    snapshot: member.snapshot,
    last: Math.max(member.snapshot.index, lastIndex(kv, TABLES.log, replica)),
    applied: row.appliedIndex,
    staged: lastIndex(kv, TABLES.staged, replica),
    terms: [],
    configurations: readConfigurations(kv, replica),
    topics: new Map(),
    earliest: new Map(),
    work: new Map(),
  }
  for (const topic of readTable<TopicRow>(kv, TABLES.topic, replica)) noteTopic(state, topic.name, topic)
  const start = prefix(TABLES.work, replica)
  for (const [key, record] of kv.range(start, behind(start))) {
    state.work.set(key, unsealValue<Work>(key, record))
  }
  return state
}

/** Keeps the index of topics level with a changed row. */
export function noteTopic(state: SlotState, name: string, topic: TopicRow | null): void {
  const old = state.topics.get(name)
  if (old) state.earliest.delete(old.incarnation)
  if (!topic) {
    state.topics.delete(name)
    return
  }
  state.topics.set(name, { incarnation: topic.incarnation, earliest: topic.earliest })
  state.earliest.set(topic.incarnation, topic.earliest)
}

/** Whether a topic still covers some event of the run. */
export function isLive(state: SlotState, run: Run): boolean {
  const earliest = state.earliest.get(run.incarnation)
  return earliest !== undefined && run.first + run.count > earliest
}

/** The state rows of a slot. Throws `CorruptRecord`. */
export function readImage(kv: OrderedKv, replica: Replica): SlotImage {
  return {
    slot: readRow<SlotRow>(kv, prefix(TABLES.slotRow, replica)),
    topics: readTable<TopicRow>(kv, TABLES.topic, replica),
    keys: readTable<KeyRow>(kv, TABLES.clientKey, replica),
    producers: readTable<ProducerRow>(kv, TABLES.producer, replica),
  }
}

function readConfigurations(kv: OrderedKv, replica: Replica): DatedConfiguration[] {
  const start = prefix(TABLES.configuration, replica)
  return kv.range(start, behind(start)).map(([key, record]) => ({
    index: indexOf(key),
    configuration: unsealValue<Configuration>(key, record),
  }))
}

/** A log entry that must be there. Throws `CorruptRecord`. */
export function readEntry(kv: OrderedKv, replica: Replica, index: number): Entry {
  const key = indexKey(TABLES.log, replica, index)
  const record = kv.get(key)
  if (!record) throw corrupt(key, 'missing')
  return unsealEntry(key, index, record)
}

/** The term at `index` of the log, also at its start; undefined outside. Throws `CorruptRecord`. */
export function termAt(kv: OrderedKv, state: SlotState, index: number): number | undefined {
  if (index === state.snapshot.index) return state.snapshot.term
  if (index < state.snapshot.index || index > state.last) return undefined
  const { terms } = state
  for (let i = terms.length - 1; i >= 0; i--) if (terms[i]!.index <= index) return terms[i]!.term
  return readEntry(kv, state, index).term
}

/** A run row, or undefined. Throws `CorruptRecord`. */
export function readRun(kv: OrderedKv, replica: Replica, logIndex: number): Run | undefined {
  const key = indexKey(TABLES.run, replica, logIndex)
  const record = kv.get(key)
  return record && unpackRun(key, record)
}

export function unpackRun(key: Key, record: Uint8Array): Run {
  const [incarnation, first, count, sequence, timeMs, bytes] = unsealValue<number[]>(key, record)
  return {
    logIndex: indexOf(key),
    incarnation: incarnation!,
    first: first!,
    count: count!,
    sequence: sequence!,
    timeMs: timeMs!,
    bytes: bytes!,
  }
}

/** The numbers of a run's row; its log index is in the key. */
export function packRun(run: Run): number[] {
  return [run.incarnation, run.first, run.count, run.sequence, run.timeMs, run.bytes]
}

function readRow<T>(kv: OrderedKv, key: Key): T {
  const record = kv.get(key)
  if (!record) throw corrupt(key, 'missing')
  return unsealValue<T>(key, record)
}

function readTable<T>(kv: OrderedKv, table: Table, replica: Replica): T[] {
  const start = prefix(table, replica)
  return kv.range(start, behind(start)).map(([key, record]) => unsealValue<T>(key, record))
}

function lastIndex(kv: OrderedKv, table: Table, replica: Replica): number {
  const start = prefix(table, replica)
  const [key] = kv.keys(start, behind(start), { limit: 1, reverse: true })
  return key === undefined ? 0 : indexOf(key)
}
