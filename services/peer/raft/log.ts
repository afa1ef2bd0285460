import { invariant } from './invariant.ts'
import { isAsGoodAs } from './log-end.ts'
import type { Entry, HardState, LogEnd, LogReader, SnapshotMeta } from './types.ts'

/** Counted per cached entry beside its data, so that many small entries are bounded too. */
const ENTRY_OVERHEAD_BYTES = 64

/** How far down the window is cut when it is over its bound: not at every append. */
const KEPT_SHARE = 0.75

interface Outstanding {
  readonly id: number
  /** The own log is durable up to here once this Ready is; lowered when entries below are truncated. */
  durableTo: number
}

/** What the log wants written by the next Ready. */
export interface LogWrites {
  readonly truncateFrom?: number
  readonly entries: readonly Entry[]
  readonly snapshot?: SnapshotMeta
}

/**
 * The log as the node sees it: a window over its tail in memory, the rest read through the LogReader.
 *
 *     |- compacted -|---- reader ----|------- window -------|
 *                   firstIndex       base                   lastIndex
 *
 * Entries move through it so: appended (in the window only), taken by a Ready (on their way to the store),
 * durable (that Ready was reported persisted), perhaps evicted from the window. What is not durable is never evicted,
 * so nothing here depends on when exactly the engine hands a Ready to the store.
 */
export class RaftLog {
  readonly #reader: LogReader
  readonly #maxCachedBytes: number
  #window: Entry[] = []
  #windowBytes = 0
  /** The entry before the window. */
  #baseIndex: number
  #baseTerm: number
  /** A restored snapshot: what the reader says at or below it is of the log that was thrown away. */
  #floorIndex = 0
  #floorTerm = 0
  /** Last index that a Ready has taken (or that was there at the start). */
  #taken: number
  #truncateFrom: number | undefined
  #snapshot: SnapshotMeta | undefined
  #outstanding: Outstanding[] = []
  #durable: number
  #commit: number
  #delivered: number
  #floor: LogEnd | undefined

  /**
   * `hardState` and `applied` as restarted from; what is applied is committed, though the commit index on disk may lag.
   * Throws InvariantBroken when the stored log does not reach them.
   */
  constructor(reader: LogReader, maxCachedBytes: number, { commit, floor }: HardState, applied: number) {
    this.#reader = reader
    this.#maxCachedBytes = maxCachedBytes
    const last = reader.lastIndex()
    const first = reader.firstIndex()
    invariant(applied >= first - 1, `applied index ${applied} lies before the log's start ${first}`)
    invariant(
      Math.max(commit, applied) <= last,
      `commit ${commit}, applied ${applied}, but the log ends at ${last}`,
    )
    const term = last === 0 ? 0 : reader.term(last)
    invariant(term !== undefined, `the stored log has no term at its last index ${last}`)
    this.#baseIndex = last
    this.#baseTerm = term
    this.#taken = last
    this.#durable = last
    this.#commit = Math.max(commit, applied)
    this.#delivered = applied
    this.#floor = floor
    this.#forgetFloor()
  }

  get lastIndex(): number {
    return this.#baseIndex + this.#window.length
  }

  get lastTerm(): number {
    return this.#window.at(-1)?.term ?? this.#baseTerm
  }

  /** Oldest index whose entry can still be read. */
  get firstIndex(): number {
    return Math.min(this.#baseIndex + 1, Math.max(this.#reader.firstIndex(), this.#floorIndex + 1))
  }

  /** Highest index of this log that is durable here. */
  get durable(): number {
    return this.#durable
  }

  get commit(): number {
    return this.#commit
  }

  /** Highest index handed out to be applied. */
  get delivered(): number {
    return this.#delivered
  }

  /** Term at `index`, also at `firstIndex - 1`; undefined when compacted or beyond the end. */
  term(index: number): number | undefined {
    if (index < 0 || index > this.lastIndex) return undefined
    if (index > this.#baseIndex) return this.#window[index - this.#baseIndex - 1]!.term
    if (index === this.#baseIndex) return this.#baseTerm
    if (index === this.#floorIndex) return this.#floorTerm
    if (index < this.#floorIndex) return undefined
    return this.#reader.term(index)
  }

  /** True when the entry at `index` has `term`: then the logs agree up to there (log matching, paper 5.3). */
  matches(index: number, term: number): boolean {
    return this.term(index) === term
  }

  /** Where the log ended that this one stands in for, while it is not as good (see {@link HardState}). */
  get floor(): LogEnd | undefined {
    return this.#floor
  }

  /** True when a log ending so is at least as good as this one (paper 5.4.1), and as the one it stands in for. */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    const end = { index: lastIndex, term: lastTerm }
    if (this.#floor !== undefined && !isAsGoodAs(end, this.#floor)) return false
    return isAsGoodAs(end, { index: this.lastIndex, term: this.lastTerm })
  }

  /** Entries from `from` to `to` (exclusive), at least one, then within `maxBytes` of data; perhaps fewer. */
  entries(from: number, to: number, maxBytes: number): Entry[] {
    invariant(
      from >= this.firstIndex && from < to && to <= this.lastIndex + 1,
      `no entries ${from}..${to} to read`,
    )
    if (from <= this.#baseIndex) {
      const read = this.#reader.entries(from, Math.min(to, this.#baseIndex + 1), maxBytes)
      invariant(read[0]?.index === from, `the store does not hold entry ${from}`)
      return read
    }
    const start = from - this.#baseIndex - 1
    const limit = to - this.#baseIndex - 1
    let end = start + 1
    let bytes = this.#window[start]!.data.length
    while (end < limit && bytes + this.#window[end]!.data.length <= maxBytes)
      bytes += this.#window[end++]!.data.length
    return this.#window.slice(start, end)
  }

  /** Appends entries that continue the log, or that replace a suffix that was never committed. */
  append(entries: readonly Entry[]): void {
    const first = entries[0]
    if (first === undefined) return
    invariant(
      first.index <= this.lastIndex + 1,
      `append at ${first.index} leaves a hole behind ${this.lastIndex}`,
    )
    if (first.index <= this.lastIndex) this.#truncate(first.index)
    for (const entry of entries) {
      this.#window.push(entry)
      this.#windowBytes += sizeOf(entry)
    }
  }

  /** Moves the commit index forward; lower values are old news and ignored. */
  commitTo(index: number): void {
    invariant(
      index <= this.lastIndex,
      `commit ${index} lies behind the log's end ${this.lastIndex}: acknowledged entries are missing`,
    )
    if (index > this.#commit) this.#commit = index
  }

  /** Replaces the whole log by a snapshot of committed state. */
  restore(meta: SnapshotMeta): void {
    invariant(meta.index > this.#commit, `snapshot ${meta.index} would take back commit ${this.#commit}`)
    // The committed prefix is the same in the old log and the new: only that much of the old is still true.
    this.#lowerDurable(this.#commit)
    this.#window = []
    this.#windowBytes = 0
    this.#baseIndex = meta.index
    this.#baseTerm = meta.term
    this.#floorIndex = meta.index
    this.#floorTerm = meta.term
    this.#taken = meta.index
    this.#truncateFrom = undefined
    this.#snapshot = meta
    this.#commit = meta.index
    this.#delivered = meta.index
  }

  get hasWrites(): boolean {
    return this.#snapshot !== undefined || this.#truncateFrom !== undefined || this.#taken < this.lastIndex
  }

  /** A snapshot waits, and entries behind it: they need a Ready of their own, so that no store can confuse their order. */
  get splitsWrites(): boolean {
    return this.#snapshot !== undefined && this.#taken < this.lastIndex
  }

  /** Hands what is to be written to the Ready `id`. */
  take(id: number): LogWrites {
    const snapshot = this.#snapshot
    if (snapshot !== undefined) {
      this.#snapshot = undefined
      this.#outstanding.push({ id, durableTo: snapshot.index })
      this.#forgetFloor()
      return { snapshot, entries: [] }
    }
    const entries = this.#window.slice(this.#taken - this.#baseIndex)
    const truncateFrom = this.#truncateFrom
    this.#truncateFrom = undefined
    this.#taken = this.lastIndex
    this.#outstanding.push({ id, durableTo: this.#taken })
    this.#forgetFloor()
    return truncateFrom === undefined ? { entries } : { truncateFrom, entries }
  }

  /** Highest commit index that may be written together with what has been taken. */
  get writableCommit(): number {
    return Math.min(this.#commit, this.#taken)
  }

  /** Everything taken up to the Ready `id` is durable. */
  persisted(id: number): void {
    let done = 0
    while (done < this.#outstanding.length && this.#outstanding[done]!.id <= id) {
      this.#durable = Math.max(this.#durable, this.#outstanding[done]!.durableTo)
      done++
    }
    this.#outstanding.splice(0, done)
    this.#evict()
  }

  get hasCommitted(): boolean {
    return this.#delivered < this.writableCommit
  }

  /**
   * The next committed entries that have been taken, each handed out once, within `maxBytes` of data. They need not be
   * durable here, if they are at a majority (thesis 10.2.1).
   */
  takeCommitted(maxBytes: number): Entry[] {
    if (!this.hasCommitted) return []
    const entries = this.entries(this.#delivered + 1, this.writableCommit + 1, maxBytes)
    this.#delivered = entries.at(-1)!.index
    return entries
  }

  /**
   * The last index at or before `index` whose term is not above `term`: no entry behind it can match a log that has
   * `term` at `index` (etcd's findConflictByTerm, paper 5.3). The term there is 0 when it is compacted.
   */
  lastNotAbove(index: number, term: number): { readonly index: number; readonly term: number } {
    for (let at = Math.min(index, this.lastIndex); at > 0; at--) {
      const own = this.term(at)
      if (own === undefined) return { index: at, term: 0 }
      if (own <= term) return { index: at, term: own }
    }
    return { index: 0, term: 0 }
  }

  #truncate(from: number): void {
    invariant(from > this.#commit, `truncation from ${from} would take back commit ${this.#commit}`)
    const term = this.term(from - 1)
    invariant(term !== undefined, `truncation from ${from} needs the compacted entry before it`)
    this.#lowerDurable(from - 1)
    if (from <= this.#taken) {
      this.#truncateFrom = Math.min(this.#truncateFrom ?? from, from)
      this.#taken = from - 1
    }
    if (from > this.#baseIndex) {
      for (const entry of this.#window.splice(from - this.#baseIndex - 1)) this.#windowBytes -= sizeOf(entry)
      return
    }
    this.#window = []
    this.#windowBytes = 0
    this.#baseIndex = from - 1
    this.#baseTerm = term
  }

  /** What was taken is as good as the log that was lost: from here on this one says what was promised. */
  #forgetFloor(): void {
    if (this.#floor === undefined) return
    const end = { index: this.#taken, term: this.term(this.#taken) ?? 0 }
    if (isAsGoodAs(end, this.#floor)) this.#floor = undefined
  }

  /** What an outstanding Ready still makes durable ends where the log was cut. */
  #lowerDurable(to: number): void {
    this.#durable = Math.min(this.#durable, to)
    for (const outstanding of this.#outstanding) outstanding.durableTo = Math.min(outstanding.durableTo, to)
  }

  #evict(): void {
    if (this.#windowBytes <= this.#maxCachedBytes) return
    const evictable = Math.min(this.#durable - this.#baseIndex, this.#window.length)
    let count = 0
    while (count < evictable && this.#windowBytes > this.#maxCachedBytes * KEPT_SHARE) {
      this.#windowBytes -= sizeOf(this.#window[count++]!)
    }
    if (count <= 0) return
    this.#baseIndex += count
    this.#baseTerm = this.#window[count - 1]!.term
    this.#window.splice(0, count)
  }
}

function sizeOf(entry: Entry): number {
  return entry.data.length + ENTRY_OVERHEAD_BYTES
}
