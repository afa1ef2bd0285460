import { StoreError } from './errors.ts'
import type { Key, KvOp, OrderedKv, RangeOptions, Space } from './kv.ts'
import type { OrderedMap } from './ordered-map.ts'

/** What one life of a store on a memory disk needs of the disk. */
export interface MemoryKvDisk {
  /** Takes a write; `onFailure` is called before its promise rejects. */
  submit(kv: OrderedKv, ops: readonly KvOp[], onFailure: (error: StoreError) => void): Promise<void>
  /** Makes rows durable at once. Throws StoreError WRITE_FAILED. */
  submitSync(kv: OrderedKv, ops: readonly KvOp[]): void
  space(): Space
  detach(kv: OrderedKv): void
}

/** One life of a store on a memory disk: the rows as its process sees them, durable or not. */
export class MemoryKv implements OrderedKv {
  readonly #disk: MemoryKvDisk
  readonly #rows: OrderedMap<Uint8Array>
  #tail: Promise<void> = Promise.resolve()
  #failed: StoreError | null = null

  /** @param rows what is durable; this life's own copy */
  constructor(disk: MemoryKvDisk, rows: OrderedMap<Uint8Array>) {
    this.#disk = disk
    this.#rows = rows
  }

  get(key: Key): Uint8Array | undefined {
    return this.#rows.get(key)
  }

  has(key: Key): boolean {
    return this.#rows.has(key)
  }

  range(from: Key, to: Key, options?: RangeOptions): [Key, Uint8Array][] {
    return this.#rows.range(from, to, options)
  }

  keys(from: Key, to: Key, options?: RangeOptions): Key[] {
    return this.#rows.range(from, to, options).map(([key]) => key)
  }

  write(ops: readonly KvOp[]): Promise<void> {
    if (this.#failed) return Promise.reject(this.#failed)
    if (ops.length === 0) return this.#tail
    this.#apply(ops)
    this.#tail = this.#disk.submit(this, ops, error => {
      this.#failed = error
    })
    this.#tail.catch(() => {})
    return this.#tail
  }

  writeSync(ops: readonly KvOp[]): void {
    this.#disk.submitSync(this, ops)
    this.#apply(ops)
  }

  space(): Space {
    return this.#disk.space()
  }

  async close(): Promise<void> {
    const closed = new StoreError('STORE_CLOSED', 'the store is closed')
    const tail = this.#tail.catch(() => {})
    this.#failed ??= closed
    await tail
    this.#disk.detach(this)
  }

  /** The disk changed a durable record under the process: it is read so, unless a later write covers it. */
  changedOnDisk(key: Key, before: Uint8Array, after: Uint8Array): void {
    if (this.#rows.get(key) === before) this.#rows.set(key, after)
  }

  #apply(ops: readonly KvOp[]): void {
    for (const { key, value } of ops) {
      if (value) this.#rows.set(key, value)
      else this.#rows.delete(key)
    }
  }
}
