import { hash } from 'node:crypto'
import type { Key } from './kv.ts'

/**
 * The layout of the store's keys: one byte for the table, two for the slot, two for the replica's era, and what tells
 * rows of one table apart, numbers as six bytes, big-endian, so that rows lie in the order in which they are read.
 * Rows of the whole store and tombstones have no era.
 */
export const TABLES = {
  /** Rows of the whole store: identity, roster. Slot 0. */
  store: 'a',
  /** Configuration entries once more, by index. */
  configuration: 'c',
  /** Staged entry data of a snapshot under way or installed, by log index. */
  staged: 'd',
  hardState: 'h',
  /** The state machine's own row. */
  slotRow: 'i',
  /** Idempotency keys, by hash of topic and key. */
  clientKey: 'k',
  /** Log entries, by index. */
  log: 'l',
  /** Where a topic's runs lie, by incarnation and first offset. */
  order: 'o',
  /** Producers, by uid. */
  producer: 'p',
  /** Runs, by log index. */
  run: 'r',
  /** Member number and start of the log. */
  member: 's',
  /** Topics, by name. */
  topic: 't',
  /** What is still to be deleted. */
  work: 'w',
  /** Replicas that were dropped and still have rows. */
  dropped: 'x',
  /** What stays of a slot's dropped replica. */
  tombstone: 'y',
} as const

export type Table = (typeof TABLES)[keyof typeof TABLES]

/** The tables a replica's rows lie in. */
export const REPLICA_TABLES: readonly Table[] = Object.values(TABLES).filter(
  table => table !== TABLES.store && table !== TABLES.dropped && table !== TABLES.tombstone,
)

/**
 * One replica of a slot, of those that came and went on this disk. Its rows have its era in their keys, so that those
 * of another one, which may still be there, are never taken for its own.
 */
export interface Replica {
  readonly slot: number
  /** 0 for the first one; 65,536 of them, then from the beginning. */
  readonly era: number
}

/** Eras there are. */
export const ERAS = 2 ** 16

/** Bytes before what tells rows of one table and replica apart. */
const PREFIX_BYTES = 5

/** Largest number a key holds. */
export const MAX_KEY_NUMBER = 2 ** 48 - 1

/** The common beginning of all rows of a table and slot, whatever their era. */
export function slotPrefix(table: Table, slot: number): Key {
  return table + String.fromCharCode(slot >> 8, slot & 0xff)
}

/** The common beginning of all rows of a table and replica. */
export function prefix(table: Table, { slot, era }: Replica): Key {
  return slotPrefix(table, slot) + String.fromCharCode(era >> 8, era & 0xff)
}

/** The key behind all keys that begin with `beginning`. */
export function behind(beginning: Key): Key {
  let end = beginning.length
  while (end > 0 && beginning.charCodeAt(end - 1) === 0xff) end--
  return beginning.slice(0, end - 1) + String.fromCharCode(beginning.charCodeAt(end - 1) + 1)
}

/** Six bytes, big-endian; larger numbers (Infinity) become the largest. */
export function encodeNumber(value: number): Key {
  const bounded = Math.min(value, MAX_KEY_NUMBER)
  const high = Math.floor(bounded / 0x1_0000_0000)
  const low = bounded >>> 0
  return String.fromCharCode(
    high >> 8,
    high & 0xff,
    low >>> 24,
    (low >>> 16) & 0xff,
    (low >>> 8) & 0xff,
    low & 0xff,
  )
}

/** The number in the six bytes at `at`. */
function decodeNumber(key: Key, at: number): number {
  let value = 0
  for (let i = at; i < at + 6; i++) value = value * 256 + key.charCodeAt(i)
  return value
}

/** The slot of a key. */
export function slotOf(key: Key): number {
  return (key.charCodeAt(1) << 8) | key.charCodeAt(2)
}

/** The replica of a key that has an era. */
export function replicaOf(key: Key): Replica {
  return { slot: slotOf(key), era: (key.charCodeAt(3) << 8) | key.charCodeAt(4) }
}

/** Rows by one number: log, run, staged. */
export function indexKey(table: Table, replica: Replica, index: number): Key {
  return prefix(table, replica) + encodeNumber(index)
}

/** The index of such a key. */
export function indexOf(key: Key): number {
  return decodeNumber(key, PREFIX_BYTES)
}

export function orderKey(replica: Replica, incarnation: number, first: number): Key {
  return prefix(TABLES.order, replica) + encodeNumber(incarnation) + encodeNumber(first)
}

/** The first offset in such a key. */
export function firstOf(key: Key): number {
  return decodeNumber(key, PREFIX_BYTES + 6)
}

export function textKey(table: Table, replica: Replica, text: string): Key {
  return prefix(table, replica) + Buffer.from(text, 'utf8').toString('latin1')
}

/** Row of an idempotency key; hashed, since topic and key together may be longer than a key of lmdb. */
export function clientKeyKey(replica: Replica, topicAndKey: string): Key {
  return prefix(TABLES.clientKey, replica) + hash('sha256', topicAndKey, 'buffer').toString('latin1', 0, 16)
}

export function storeKey(name: string): Key {
  return slotPrefix(TABLES.store, 0) + name
}
