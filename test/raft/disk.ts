import type {
  Configuration,
  DatedConfiguration,
  Entry,
  HardState,
  LogReader,
  Ready,
  SnapshotMeta,
} from '../../services/peer/raft/types.ts'

interface Image {
  hardState: HardState
  snapshot: SnapshotMeta
  entries: Entry[]
}

/**
 * A disk of one member: what was written is visible at once and durable only after `sync`.
 * `crash` throws away what was not.
 */
export class Disk implements LogReader {
  #now: Image
  #pending: { id: number; after: Image }[] = []
  #durable: Image

  constructor(configuration: Configuration, start: SnapshotMeta = { index: 0, term: 0, configuration }) {
    this.#now = {
      hardState: { term: start.term, vote: 0, commit: start.index },
      snapshot: start,
      entries: [],
    }
    this.#durable = this.#now
  }

  /** The replica is dropped and comes again empty: only what its tombstone says stays. */
  comeAgain(): void {
    const { term, vote, floor } = this.#durable.hardState
    const last = {
      index: this.durableLastIndex,
      term: this.#durable.entries.at(-1)?.term ?? this.#durable.snapshot.term,
    }
    const end =
      floor && (floor.term > last.term || (floor.term === last.term && floor.index > last.index))
        ? floor
        : last
    this.#pending = []
    this.#now = {
      hardState: { term, vote, commit: 0, ...(end.index > 0 && { floor: end }) },
      snapshot: { index: 0, term: 0, configuration: { rosterVersion: 0, voters: [] } },
      entries: [],
    }
    this.#durable = this.#now
  }

  /** Puts entries and a hard state there as if they had been written and synced in an earlier life. */
  preset(hardState: HardState, entries: Entry[]): void {
    this.#now = { ...this.#now, hardState, entries }
    this.#durable = this.#now
  }

  get hardState(): HardState {
    return this.#now.hardState
  }

  get durableHardState(): HardState {
    return this.#durable.hardState
  }

  get snapshot(): SnapshotMeta {
    return this.#now.snapshot
  }

  /** Readies written and not synced yet. */
  get unsynced(): number {
    return this.#pending.length
  }

  write(ready: Ready): void {
    let { hardState, snapshot, entries } = this.#now
    hardState = ready.hardState ?? hardState
    if (ready.snapshot !== undefined) {
      snapshot = ready.snapshot
      entries = []
    }
    const start = snapshot.index
    if (ready.truncateFrom !== undefined) entries = entries.slice(0, ready.truncateFrom - start - 1)
    if (ready.entries.length > 0) {
      if (ready.entries[0]!.index !== start + entries.length + 1)
        throw new Error('hole or overlap in the written log')
      entries = [...entries, ...ready.entries]
    }
    if (hardState.commit > start + entries.length)
      throw new Error('written commit lies behind the written log')
    this.#now = { hardState, snapshot, entries }
    this.#pending.push({ id: ready.id, after: this.#now })
  }

  /** Makes the oldest `count` writes durable; returns the id of the last one. */
  sync(count = this.#pending.length): number {
    const last = this.#pending.splice(0, count).at(-1)!
    this.#durable = last.after
    return last.id
  }

  /** Compacts up to `index`, which is applied; the configuration there comes along. */
  compact(index: number, configuration: Configuration): void {
    if (index <= this.#now.snapshot.index) return
    const term = this.term(index)!
    const cut = (image: Image): Image => {
      const last = image.snapshot.index + image.entries.length
      if (index > last || index <= image.snapshot.index) return image
      const entries = image.entries.slice(index - image.snapshot.index)
      return { ...image, snapshot: { index, term, configuration }, entries }
    }
    this.#now = cut(this.#now)
    this.#durable = cut(this.#durable)
    this.#pending = this.#pending.map(write => ({ id: write.id, after: cut(write.after) }))
  }

  crash(): void {
    this.#pending = []
    this.#now = this.#durable
  }

  get durableLastIndex(): number {
    return this.#durable.snapshot.index + this.#durable.entries.length
  }

  /** The entry was written, though it is perhaps not durable. */
  holds(entry: Entry): boolean {
    return holds(this.#now, entry)
  }

  /** The entry would be there after a crash, itself or within a snapshot. */
  holdsDurably(entry: Entry): boolean {
    return holds(this.#durable, entry)
  }

  firstIndex(): number {
    return this.#now.snapshot.index + 1
  }

  configurations(): DatedConfiguration[] {
    return this.#now.entries.flatMap(({ index, configuration }) =>
      configuration ? [{ index, configuration }] : [],
    )
  }

  lastIndex(): number {
    return this.#now.snapshot.index + this.#now.entries.length
  }

  term(index: number): number | undefined {
    if (index === this.#now.snapshot.index) return this.#now.snapshot.term
    return this.#now.entries[index - this.firstIndex()]?.term
  }

  entries(from: number, to: number, maxBytes: number): Entry[] {
    const found: Entry[] = []
    let bytes = 0
    for (let index = from; index < to; index++) {
      const entry = this.#now.entries[index - this.firstIndex()]
      if (entry === undefined) break
      bytes += entry.data.length
      if (found.length > 0 && bytes > maxBytes) break
      found.push(entry)
    }
    return found
  }
}

function holds({ snapshot, entries }: Image, { index, term }: Entry): boolean {
  return index <= snapshot.index || entries[index - snapshot.index - 1]?.term === term
}
