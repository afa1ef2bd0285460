import { StoreError } from './errors.ts'
import type { Key, KvOp, OrderedKv, Space } from './kv.ts'
import { MemoryKv, type MemoryKvDisk } from './memory-kv.ts'
import { OrderedMap } from './ordered-map.ts'

/**
 * Decides when a write becomes durable: is called with each write and calls `done` once it is. A later write's `done`
 * makes earlier ones durable too, as an fsync does.
 */
export type FlushSchedule = (done: () => void, bytes: number) => void

/** The way of one write: about to be taken, taken and not yet durable, durable with nobody told. */
export type WriteStep = 'before' | 'taken' | 'durable'

export interface MemoryDiskOptions {
  /** Without it writes are durable after one turn of the microtask queue. */
  readonly schedule?: FlushSchedule
  /** Bytes that fit on the disk; a write beyond fails as on a full disk. */
  readonly capacityBytes?: number
}

const NO_SPACE = 'no space is left on the disk'

interface PendingWrite {
  readonly ops: readonly KvOp[]
  readonly resolve: () => void
  readonly reject: (error: StoreError) => void
}

/**
 * A disk in memory for tests and the simulator. What is durable is kept apart from what was only written: a crash
 * drops the latter, as a power loss does. It outlives the stores that are opened on it.
 *
 * What it models of lmdb: a commit is atomic, since its pages are written and fsynced beside the old ones before the
 * page that names the new root is. A write torn by a power loss is therefore discarded whole, also when a part of its
 * pages reached the disk. After a crash of the process alone, writes that the kernel had taken may show although they
 * were never fsynced; the commit of the next opening (identity.ts) fsyncs the same file and so makes them durable
 * before anything is built on them.
 */
export class MemoryDisk implements MemoryKvDisk {
  schedule: FlushSchedule
  capacityBytes: number
  /** Told of every step of every write; may crash the disk there and then. */
  onStep: (step: WriteStep) => void = () => {}
  /** Counts crashes, flushes and failures, for reports. */
  readonly counts = { flushes: 0, crashes: 0, lostWrites: 0, failures: 0 }
  #durable = new OrderedMap<Uint8Array>()
  #usedBytes = 0
  #kv: MemoryKv | null = null
  #pending: PendingWrite[] = []
  #failure: { readonly error: StoreError; readonly landed: boolean } | null = null
  /** Records with a flipped bit, as they lie there. */
  readonly #flipped = new Map<Key, Uint8Array>()

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
    for (const [key, value] of rows) this.#durable.set(key, change(Buffer.from(value)))
    return rows.length
  }

  /**
   * Flips one bit of a durable record, counted from its first byte on and around; the open store reads it so, unless it
   * has written the row since. False when there is no such row.
   */
  flipBit(key: Key, bit: number): boolean {
    const before = this.#durable.get(key)
    if (!before || before.length === 0) return false
    const after = Buffer.from(before)
    after[(bit >> 3) % after.length]! ^= 1 << (bit & 7)
    this.#durable.set(key, after)
    this.#kv?.changedOnDisk(key, before, after)
    this.#flipped.set(key, after)
    return true
  }

  /** Keys of the records with a flipped bit that neither a write nor a deletion has replaced. */
  flipped(): Key[] {
    return [...this.#flipped]
      .filter(([key, value]) => this.#durable.get(key) === value || this.#kv?.get(key) === value)
      .map(([key]) => key)
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
    this.#flipped.clear()
  }

  space(): Space {
    return { freeBytes: Math.max(0, this.capacityBytes - this.#usedBytes), usedBytes: this.#usedBytes }
  }

  /** Takes a write of the open store; never settles when the disk crashes before it is durable. */
  submit(kv: OrderedKv, ops: readonly KvOp[], onFailure: (error: StoreError) => void): Promise<void> {
    if (kv === this.#kv) this.onStep('before')
    if (kv !== this.#kv) return new Promise(() => {})
    const bytes = sizeOf(ops)
    if (this.#usedBytes + bytes > this.capacityBytes) this.failNextFlush(NO_SPACE)
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
    this.onStep('taken')
    return promise
  }

  /** Makes rows durable at once; does nothing for a store that a crash has ended. */
  submitSync(kv: OrderedKv, ops: readonly KvOp[]): void {
    if (kv === this.#kv) this.onStep('before')
    if (kv !== this.#kv) return
    if (this.#usedBytes + sizeOf(ops) > this.capacityBytes) {
      throw new StoreError('WRITE_FAILED', `a write failed: ${NO_SPACE}`)
    }
    this.#land(ops)
    this.onStep('durable')
  }

  #flush(upTo: PendingWrite): void {
    const end = this.#pending.indexOf(upTo) + 1
    if (end === 0) return
    this.counts.flushes++
    const failure = this.#failure
    if (failure) {
      this.#fail(end, failure)
      return
    }
    const writes = this.#pending.splice(0, end)
    for (const write of writes) this.#land(write.ops)
    const kv = this.#kv
    this.onStep('durable')
    if (kv !== this.#kv) return
    for (const write of writes) write.resolve()
  }

  /** Nothing behind a failed write comes to the disk any more: it may build on what is not there. */
  #fail(end: number, { error, landed }: { readonly error: StoreError; readonly landed: boolean }): void {
    this.#failure = null
    this.counts.failures++
    const writes = this.#pending
    this.#pending = []
    if (landed) for (const write of writes.slice(0, end)) this.#land(write.ops)
    for (const write of writes) write.reject(error)
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

function sizeOf(ops: readonly KvOp[]): number {
  let bytes = 0
  for (const { key, value } of ops) bytes += key.length + (value?.length ?? 0)
  return bytes
}
