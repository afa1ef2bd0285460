import type { Roster } from '../../../services/peer/cube/roster.ts'
import type { LogReader } from '../../../services/peer/raft/types.ts'
import type {
  LoadedSlot,
  LogStore,
  RunRecord,
  SlotWrite,
  StoreIdentity,
  Tombstone,
} from '../../../services/peer/store/types.ts'
import type { Run } from '../../../services/peer/topics/types.ts'

/** Told of what goes into a store and of what a new process first reads from it. */
export interface StoreWatcher {
  /** A process opened the store, which has these slots. */
  opens(slots: readonly number[]): void
  /** Before the store takes it. */
  writes(slot: number, writes: readonly SlotWrite[]): void
  durable(slot: number, writes: readonly SlotWrite[]): void
  loads(loaded: LoadedSlot, log: LogReader): void
}

/** A store that somebody watches; it does what the store behind it does. */
export class WatchedStore implements LogStore {
  readonly #store: LogStore
  readonly #watcher: StoreWatcher
  readonly #loaded = new Set<number>()

  constructor(store: LogStore, watcher: StoreWatcher) {
    this.#store = store
    this.#watcher = watcher
    watcher.opens(store.slots())
  }

  get identity(): StoreIdentity {
    return this.#store.identity
  }

  write(writes: readonly SlotWrite[]): Promise<void> {
    const bySlot = new Map<number, SlotWrite[]>()
    for (const write of writes) {
      const known = bySlot.get(write.slot)
      if (known) known.push(write)
      else bySlot.set(write.slot, [write])
    }
    for (const [slot, own] of bySlot) {
      // What this process founded is not what one before it left.
      if (own.some(({ found }) => found)) this.#loaded.add(slot)
      this.#watcher.writes(slot, own)
    }
    const done = this.#store.write(writes)
    done.then(
      () => {
        for (const [slot, own] of bySlot) this.#watcher.durable(slot, own)
      },
      () => {},
    )
    return done
  }

  load(slot: number): LoadedSlot {
    const loaded = this.#store.load(slot)
    if (!this.#loaded.has(slot)) {
      this.#loaded.add(slot)
      this.#watcher.loads(loaded, this.#store.log(slot))
    }
    return loaded
  }

  roster(): Roster | null {
    return this.#store.roster()
  }

  writeRoster(roster: Roster): Promise<void> {
    return this.#store.writeRoster(roster)
  }

  slots(): number[] {
    return this.#store.slots()
  }

  log(slot: number): LogReader {
    return this.#store.log(slot)
  }

  findRun(slot: number, incarnation: number, offset: number): Run | undefined {
    return this.#store.findRun(slot, incarnation, offset)
  }

  runs(slot: number, incarnation: number, offset: number, limit: number): Run[] {
    return this.#store.runs(slot, incarnation, offset, limit)
  }

  runsFrom(slot: number, logIndex: number, limit: number): Run[] {
    return this.#store.runsFrom(slot, logIndex, limit)
  }

  runsBefore(slot: number, logIndex: number, limit: number): Run[] {
    return this.#store.runsBefore(slot, logIndex, limit)
  }

  runData(slot: number, logIndex: number): Uint8Array | undefined {
    return this.#store.runData(slot, logIndex)
  }

  runsAfter(slot: number, logIndex: number, upTo: number, maxBytes: number): RunRecord[] {
    return this.#store.runsAfter(slot, logIndex, upTo, maxBytes)
  }

  stage(slot: number, records: readonly RunRecord[]): Promise<void> {
    return this.#store.stage(slot, records)
  }

  staged(slot: number): number {
    return this.#store.staged(slot)
  }

  tombstone(slot: number): Tombstone | undefined {
    return this.#store.tombstone(slot)
  }

  leftovers(): number[] {
    return this.#store.leftovers()
  }

  sweep(slot: number, limit: number): boolean {
    return this.#store.sweep(slot, limit)
  }

  space(): { readonly freeBytes: number; readonly usedBytes: number } {
    return this.#store.space()
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}
