/**
 * A key as a binary string: one character per byte, so that strings compare as the bytes do and can be keys of a
 * Map. Made by keys.ts only.
 */
export type Key = string

/** One row of a write; null deletes. The bytes must not be changed afterwards. */
export interface KvOp {
  readonly key: Key
  readonly value: Uint8Array | null
}

export interface RangeOptions {
  /** Rows at most; without it all. */
  readonly limit?: number
  /** Descending from the last row of the range. */
  readonly reverse?: boolean
}

/** Bytes free on the disk and bytes used by the store. */
export interface Space {
  readonly freeBytes: number
  readonly usedBytes: number
}

/**
 * What the log store needs of a disk: ordered rows, atomic writes, durability in order. Two adapters: lmdb.ts and
 * memory.ts.
 *
 * Reads see every write at once, also before it is durable. After a failed write all further writes reject with the
 * same error, for nothing is known about the disk any more (fsyncgate); reads go on.
 */
export interface OrderedKv {
  /** The value, not to be changed; undefined when there is none. */
  get(key: Key): Uint8Array | undefined
  has(key: Key): boolean
  /** Rows from `from` (inclusive) to `to` (exclusive) in order. */
  range(from: Key, to: Key, options?: RangeOptions): (readonly [key: Key, value: Uint8Array])[]
  /** The keys of such a range, without reading the values. */
  keys(from: Key, to: Key, options?: RangeOptions): Key[]
  /**
   * All rows or none, resolved when durable; earlier writes are durable then too. An empty write resolves when all
   * earlier ones are durable. Rejects with StoreError WRITE_FAILED.
   */
  write(ops: readonly KvOp[]): Promise<void>
  /** The same at once, for opening; throws when a write is under way. */
  writeSync(ops: readonly KvOp[]): void
  space(): Space
  /** Waits for the writes under way. */
  close(): Promise<void>
}
