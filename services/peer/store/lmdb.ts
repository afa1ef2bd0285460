import { closeSync, fsyncSync, openSync, readSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { open, type RootDatabase } from 'lmdb'
import { StoreError } from './errors.ts'
import type { Key, KvOp, OrderedKv, RangeOptions, Space } from './kv.ts'
import { OrderedMap } from './ordered-map.ts'
import { corrupt } from './record.ts'

/** The file lmdb keeps its pages in. */
export const DATA_FILE = 'data.mdb'
/** The file of lmdb's own reader table; worthless after the process. */
export const READERS_FILE = 'lock.mdb'

/** Keys are binary strings: written and read as they are. */
const KEY_ENCODER = {
  writeKey(key: Key, target: Buffer, start: number): number {
    return start + target.write(key, start, 'latin1')
  },
  readKey(source: Buffer, start: number, end: number): Key {
    return source.toString('latin1', start, end)
  },
}

/** lmdb's mark and the version of its format, where they and more lie in the pages that name the trees (little-endian). */
const MARK = 0xbeefc0de
const FORMAT = 2
const META = { mark: 24, format: 28, pageSize: 48, roots: [88, 136], transaction: 152, end: 160 } as const
/** The root of a tree without pages. */
const NO_ROOT = 2n ** 64n - 1n

/**
 * What lmdb says of pages that are not what they must be: MDB_PAGE_NOTFOUND, MDB_CORRUPTED, MDB_PANIC, MDB_INVALID, and
 * MDB_BAD_TXN of every read behind such a one.
 */
const DAMAGE: readonly unknown[] = [-30797, -30796, -30795, -30793, -30782]
/** MDB_VERSION_MISMATCH: the pages are in a format that this lmdb does not know. */
const OTHER_FORMAT = -30794

interface TreeStats {
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
}

/** The part of lmdb's statistics from which its free pages follow. */
interface PageStats {
  readonly pageSize: number
  readonly lastPageNumber: number
  readonly root: TreeStats
  readonly free: TreeStats
}

/** A row that was written and is not yet committed, and the transaction it belongs to. */
interface PendingRow {
  readonly value: Uint8Array | null
  readonly transaction: number
}

/** Writes that become one lmdb transaction. */
interface Transaction {
  readonly id: number
  readonly ops: KvOp[]
  durable: Promise<void>
}

/**
 * Rows in lmdb. Writes become lmdb transactions, committed and fsynced by lmdb's own thread, so that the loop is not
 * held up. Until then their rows lie in an overlay that reads look through, since lmdb shows them only once committed.
 *
 * One transaction is under way at a time; what is written meanwhile becomes the next one. lmdb would take more at once,
 * but goes on with them after one that failed, and a later write that lands without an earlier one leaves a hole.
 *
 * `overlappingSync` is off: with it lmdb resolves before the fsync and says nothing when the fsync fails; without it
 * a transaction's promise is its durability and its rejection (measured: 0.7 ms either way).
 * The map grows by itself as the data does.
 */
export class LmdbKv implements OrderedKv {
  readonly #path: string
  readonly #db: RootDatabase<Buffer, Key>
  readonly #overlay = new OrderedMap<PendingRow>()
  #transactions = 0
  #isCommitting = false
  /** Waits for the one under way. */
  #gathering: Transaction | undefined
  #tail: Promise<void> = Promise.resolve()
  #failed: StoreError | null = null

  /** Opens or makes the database in folder `path`, which exists. Throws what lmdb throws. */
  constructor(path: string) {
    this.#path = path
    this.#db = open<Buffer, Key>({
      path,
      noSubdir: false,
      encoding: 'binary',
      keyEncoder: KEY_ENCODER,
      maxDbs: 1,
      overlappingSync: false,
      eventTurnBatching: false,
    } as Parameters<typeof open<Buffer, Key>>[0])
    syncDirectory(path)
  }

  get(key: Key): Uint8Array | undefined {
    const pending = this.#overlay.get(key)
    if (pending) return pending.value ?? undefined
    return reading(key, () => this.#db.getBinary(key))
  }

  has(key: Key): boolean {
    const pending = this.#overlay.get(key)
    if (pending) return pending.value !== null
    return reading(key, () => this.#db.doesExist(key))
  }

  range(from: Key, to: Key, options: RangeOptions = {}): [Key, Uint8Array][] {
    return reading(from, () => {
      const stored = this.#db.getRange(bounds(from, to, options, true))
      return this.#merge(from, to, options, pairs(stored))
    })
  }

  keys(from: Key, to: Key, options: RangeOptions = {}): Key[] {
    return reading(from, () => {
      const stored = this.#db.getKeys(bounds(from, to, options, false))
      return this.#merge(from, to, options, nameless(stored)).map(([key]) => key)
    })
  }

  write(ops: readonly KvOp[]): Promise<void> {
    if (this.#failed) return Promise.reject(this.#failed)
    if (ops.length === 0) return this.#tail
    const transaction = this.#gathering ?? this.#newTransaction()
    for (const op of ops) {
      transaction.ops.push(op)
      this.#overlay.set(op.key, { value: op.value, transaction: transaction.id })
    }
    if (transaction !== this.#gathering) this.#begin(transaction)
    return transaction.durable
  }

  writeSync(ops: readonly KvOp[]): void {
    if (this.#overlay.size > 0) throw new Error('writeSync while writes are under way')
    try {
      this.#db.transactionSync(() => {
        for (const { key, value } of ops) {
          if (value) this.#db.put(key, value as Buffer)
          else this.#db.remove(key)
        }
      })
    } catch (error) {
      throw this.#writeFailed(error instanceof Error ? error.message : String(error), error)
    }
  }

  space(): Space {
    const disk = statfsSync(this.#path)
    const file = statSync(join(this.#path, DATA_FILE))
    // What was deleted frees pages of the file, which lmdb fills again before it makes the file larger.
    const freeBytes = disk.bavail * disk.bsize + reusableBytes(this.#db.getStats() as PageStats)
    return { freeBytes, usedBytes: file.blocks * 512 }
  }

  async close(): Promise<void> {
    const tail = this.#tail.catch(() => {})
    this.#failed ??= new StoreError('STORE_CLOSED', 'the store is closed')
    await tail
    await this.#db.close()
  }

  #newTransaction(): Transaction {
    return { id: ++this.#transactions, ops: [], durable: this.#tail }
  }

  /** Commits at once, or when the transaction under way is committed; not at all when that fails. */
  #begin(transaction: Transaction): void {
    if (this.#isCommitting) {
      this.#gathering = transaction
      transaction.durable = this.#tail.then(() => {
        this.#gathering = undefined
        return this.#commit(transaction)
      })
    } else transaction.durable = this.#commit(transaction)
    this.#tail = transaction.durable
    this.#tail.catch(() => {})
  }

  async #commit({ id, ops }: Transaction): Promise<void> {
    this.#isCommitting = true
    try {
      await this.#db.batch(() => {
        for (const { key, value } of ops) {
          if (value) this.#db.put(key, value as Buffer)
          else this.#db.remove(key)
        }
      })
    } catch (error) {
      throw await this.#fail(error)
    }
    this.#isCommitting = false
    for (const { key } of ops) if (this.#overlay.get(key)?.transaction === id) this.#overlay.delete(key)
  }

  /** Remembers the first failure: what follows a failed commit cannot be trusted either. */
  async #fail(error: unknown): Promise<StoreError> {
    const cause = await rootCause(error)
    if (this.#failed?.code !== 'WRITE_FAILED') {
      this.#failed = this.#writeFailed(cause, error)
    }
    return this.#failed
  }

  #writeFailed(reason: string, cause: unknown): StoreError {
    return new StoreError('WRITE_FAILED', `a write to ${this.#path} failed: ${reason}`, cause)
  }

  /** What is stored, seen through the overlay. */
  #merge<V extends Uint8Array | undefined>(
    from: Key,
    to: Key,
    options: RangeOptions,
    stored: Iterable<readonly [Key, V]>,
  ): [Key, Uint8Array][] {
    const limit = options.limit ?? Number.POSITIVE_INFINITY
    const pending = this.#overlay.range(from, to, { reverse: options.reverse ?? false })
    const found: [Key, Uint8Array][] = []
    const add = (row: [Key, PendingRow]): void => {
      if (row[1].value && found.length < limit) found.push([row[0], row[1].value])
    }
    let next = 0
    for (const [key, value] of stored) {
      while (next < pending.length && isBefore(pending[next]![0], key, options.reverse)) add(pending[next++]!)
      if (found.length >= limit) break
      if (pending[next]?.[0] === key) add(pending[next++]!)
      else found.push([key, value as Uint8Array])
      if (found.length >= limit) break
    }
    while (next < pending.length && found.length < limit) add(pending[next++]!)
    return found
  }
}

/** Pages that belong to no tree, besides the two at the file's start that name the trees. */
function reusableBytes({ pageSize, lastPageNumber, root, free }: PageStats): number {
  const pagesOf = (tree: TreeStats) => tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages
  return Math.max(0, lastPageNumber - 1 - pagesOf(root) - pagesOf(free)) * pageSize
}

function isBefore(a: Key, b: Key, reverse: boolean | undefined): boolean {
  return reverse ? a > b : a < b
}

/** lmdb walks backwards from `start`, which is then the upper end; here `to` is always exclusive. */
function bounds(from: Key, to: Key, options: RangeOptions, values: boolean): Record<string, unknown> {
  if (!options.reverse) return { start: from, end: to, values }
  return { start: to, exclusiveStart: true, end: from, inclusiveEnd: true, reverse: true, values }
}

function* pairs(rows: Iterable<{ key: Key; value: Buffer }>): Iterable<readonly [Key, Buffer]> {
  for (const { key, value } of rows) yield [key, value]
}

function* nameless(keys: Iterable<Key>): Iterable<readonly [Key, undefined]> {
  for (const key of keys) yield [key, undefined]
}

async function rootCause(error: unknown): Promise<string> {
  if (!(error instanceof Error)) return String(error)
  const detail = (error as { commitError?: Promise<unknown> }).commitError
  if (!detail) return error.message
  return detail.then(
    () => error.message,
    (cause: unknown) => (cause instanceof Error ? cause.message : String(cause)),
  )
}

/** A damaged page takes the records on it with it: throws `CorruptRecord` for it, and what else `read` throws. */
function reading<T>(key: Key, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw isDamage(error) ? corrupt(key, (error as Error).message) : error
  }
}

/** Whether an error says that the database's own pages are damaged. */
export function isDamage(error: unknown): boolean {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown }
  return DAMAGE.includes(code) || (cause !== undefined && isDamage(cause))
}

/** Whether an error says that another version of lmdb wrote the database. */
export function isOtherFormat(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === OTHER_FORMAT
}

/** Makes the names of new files durable; lmdb syncs only their contents. */
export function syncDirectory(path: string): void {
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/**
 * What is wrong with the data file in folder `path`: it does not begin as lmdb's does, or ends before the pages its trees
 * begin at. To be asked before it is opened: lmdb ends the process with a segmentation fault then. An empty file is a
 * database that is about to be made. Undefined when nothing is seen, which does not say that all pages are there.
 * Throws StoreError DATA_VERSION for one in another format of lmdb, and what the file system throws.
 */
export function databaseFault(path: string): string | undefined {
  const file = join(path, DATA_FILE)
  const { size } = statSync(file)
  if (size === 0) return undefined
  const handle = openSync(file, 'r')
  try {
    const first = readMeta(handle, 0)
    if (!first) return 'it is no database'
    // Another format may place the rest elsewhere.
    if (first.format !== FORMAT) throw otherFormat(path, `format ${first.format} of lmdb`)
    const second = readMeta(handle, first.pageSize)
    if (second && second.format !== FORMAT) return 'its pages contradict each other'
    const newest = second && second.transaction > first.transaction ? second : first
    const isWhole = second && newest.roots.every(root => root === NO_ROOT || root < size / first.pageSize)
    return isWhole ? undefined : 'it is cut off'
  } finally {
    closeSync(handle)
  }
}

/** One of the two pages at the file's start that name the trees; undefined when it is none. */
function readMeta(handle: number, position: number) {
  const page = Buffer.alloc(META.end)
  const isThere = readSync(handle, page, 0, page.length, position) === page.length
  if (!isThere || page.readUInt32LE(META.mark) !== MARK) return undefined
  return {
    format: page.readUInt32LE(META.format),
    pageSize: page.readUInt32LE(META.pageSize),
    roots: META.roots.map(offset => page.readBigUInt64LE(offset)),
    transaction: page.readBigUInt64LE(META.transaction),
  }
}

/** The database in folder `path` is sound, for all that is known, but not for this program. */
export function otherFormat(path: string, found: string): StoreError {
  const advice = `this version of the program knows format ${FORMAT} of lmdb; start the one that wrote it`
  return new StoreError('DATA_VERSION', `${join(path, DATA_FILE)} is in ${found}: ${advice}`)
}
