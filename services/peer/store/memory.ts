import { StoreError } from './errors.ts'
import type { Key, KvOp, OrderedKv, RangeOptions, Space } from './kv.ts'
import { OrderedMap } from './ordered-map.ts'

/**
 * Decides when a write becomes durable: is called with each write and calls `done` once it is. A later write's `done`
 * makes earlier ones durable too, as an fsync does.
 */
export type FlushSchedule = (done: () => void, bytes: number) => void

export interface MemoryDiskOptions {
  /** Without it writes are durable after one turn of the microtask queue. */
  readonly schedule?: FlushSchedule
  /** Bytes that fit on the disk; a write beyond fails as on a full disk. */
  readonly capacityBytes?: number
}

interface PendingWrite {
  readonly ops: readonly KvOp[]
  readonly resolve: () => void
  readonly reject: (error: StoreError) => void
}

/**
 * A disk in memory for tests and the simulator. What is durable is kept apart from what was only written: a crash
 * drops the latter, as a power loss does. It outlives the stores that are opened on it.
 */
export class MemoryDisk {
  schedule: FlushSchedule
  capacityBytes: number
  /** Counts crashes, flushes and failures, for reports. */
  readonly counts = { flushes: 0, crashes: 0, lostWrites: 0, failures: 0 }
  #durable = new OrderedMap<Uint8Array>()
  #usedBytes = 0
  #kv: MemoryKv | null = null
  #pending: PendingWrite[] = []
  #failure: { readonly error: StoreError; readonly landed: boolean } | null = null

  constructor(options: MemoryDiskOptions = {}) {
    this.schedule = options.schedule ?? (done => queueMicrotask(done))
    this.capacityBytes = options.capacityBytes ?? Number.MAX_SAFE_INTEGER
  }

  /** Opens the disk. Throws StoreError DATA_IN_USE while another store is open on it. */
  attach(): OrderedKv {
    if (this.#kv)
      throw new StoreError('DATA_IN_USE', 'the memory disk is in use; close or crash its store first')
    this.#kv = new MemoryKv(this, this.#durable.clone())
    return this.#kv
  }

  detach(kv: OrderedKv): void {
    if (this.#kv === kv) this.#kv = null
  }

  /** Writes handed over and not yet durable. */
  get pendingWrites(): number {
    return this.#pending.length
  }

  /**
   * Power loss: writes that are not durable are lost, but for the first `keep` of them, which had reached the disk
   * without anybody being told. Their promises never settle; the store that was open is dead.
   */
  crash(keep = 0): void {
    this.counts.crashes++
    for (const write of this.#pending.slice(0, keep)) this.#land(write.ops)
    this.counts.lostWrites += Math.max(0, this.#pending.length - keep)
    this.#pending = []
    this.#failure = null
    this.#kv = null
  }

  /** The next flush fails; `landed` says whether the data reached the disk all the same. */
  failNextFlush(reason = 'the fsync failed', landed = false): void {
    this.#failure = { error: new StoreError('WRITE_FAILED', `a write failed: ${reason}`), landed }
  }

  /** Changes the stored bytes of the rows that `matches` picks, as a bad disk does. Returns how many. */
  corrupt(matches: (key: Key) => boolean, change: (value: Uint8Array) => Uint8Array): number {
    const rows = this.#durable.range('', '\uffff').filter(([key]) => matches(key))
    for (const [key, value] of rows) this.#durable.set(key, change(value.slice()))
    return rows.length
  }

  /** Keys of all durable rows, in order. */
  keys(): Key[] {
    return this.#durable.range('', '\uffff').map(([key]) => key)
  }

  /** Loses everything, as a replaced disk. */
  wipe(): void {
    this.crash()
    this.#durable = new OrderedMap()
    this.#usedBytes = 0
  }

  space(): Space {
    return { freeBytes: Math.max(0, this.capacityBytes - this.#usedBytes), usedBytes: this.#usedBytes }
  }

  /** Takes a write of the open store; never settles when the disk crashes before it is durable. */
  submit(kv: OrderedKv, ops: readonly KvOp[], onFailure: (error: StoreError) => void): Promise<void> {
    if (kv !== this.#kv) return new Promise(() => {})
    const bytes = sizeOf(ops)
    if (this.#usedBytes + bytes > this.capacityBytes) this.failNextFlush('no space is left on the disk')
    const promise = new Promise<void>((resolve, reject) => {
      const write: PendingWrite = {
        ops,
        resolve,
        reject: error => {
          onFailure(error)
          reject(error)
        },
      }
      this.#pending.push(write)
      this.schedule(() => this.#flush(write), bytes)
    })
    return promise
  }

  /** Makes rows durable at once. */
  submitSync(ops: readonly KvOp[]): void {
    this.#land(ops)
  }

  #flush(upTo: PendingWrite): void {
    const end = this.#pending.indexOf(upTo) + 1
    const writes = this.#pending.splice(0, end)
    if (writes.length === 0) return
    this.counts.flushes++
    const failure = this.#failure
    this.#failure = null
    if (failure) this.counts.failures++
    for (const write of writes) {
      if (!failure || failure.landed) this.#land(write.ops)
      if (failure) write.reject(failure.error)
      else write.resolve()
    }
  }

  #land(ops: readonly KvOp[]): void {
    for (const { key, value } of ops) {
      const old = this.#durable.get(key)
      if (old) this.#usedBytes -= key.length + old.length
      if (value) {
        this.#durable.set(key, value)
        this.#usedBytes += key.length + value.length
      } else if (old) this.#durable.delete(key)
    }
  }
}

/** One life of a store on a memory disk. */
class MemoryKv implements OrderedKv {
  readonly #disk: MemoryDisk
  readonly #rows: OrderedMap<Uint8Array>
  #tail: Promise<void> = Promise.resolve()
  #failed: StoreError | null = null

  constructor(disk: MemoryDisk, rows: OrderedMap<Uint8Array>) {
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
    this.#apply(ops)
    this.#disk.submitSync(ops)
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

  #apply(ops: readonly KvOp[]): void {
    for (const { key, value } of ops) {
      if (value) this.#rows.set(key, value)
      else this.#rows.delete(key)
    }
  }
}

function sizeOf(ops: readonly KvOp[]): number {
  let bytes = 0
  for (const { key, value } of ops) bytes += key.length + (value?.length ?? 0)
  return bytes
}
