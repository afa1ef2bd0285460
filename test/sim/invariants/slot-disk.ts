import type { Configuration, DatedConfiguration, SnapshotMeta } from '../../../services/peer/raft/types.ts'
import type { SlotWrite } from '../../../services/peer/store/types.ts'

/** Where a log ends. */
export interface LogEnd {
  readonly index: number
  readonly term: number
}

/** What Raft restarts from, as a store would give it. */
export interface Restart {
  readonly term: number
  readonly vote: number
  readonly commit: number
  readonly applied: number
  readonly start: number
  readonly last: number
  /** Term of the last entry; undefined where that cannot be read. */
  readonly lastTerm: number | undefined
}

/** What one peer's store holds of one slot's log, followed write by write. */
export class SlotDisk {
  term = 0
  vote = 0
  commit = 0
  applied = 0
  /** The entry before the log's first one. */
  start = 0
  last = 0
  /** Virtual time at which the log was last cut or replaced. */
  cutMs = Number.NEGATIVE_INFINITY
  /** The replica was dropped; term and vote stay known. */
  isDropped = false
  readonly #terms: number[] = [0]
  /** Configurations by the index from which they are in force, ascending. */
  #configurations: DatedConfiguration[] = []

  /** Who takes part by the entries up to `index`; undefined when that is not known here. */
  configurationAt(index: number): Configuration | undefined {
    return this.#configurations.findLast(dated => dated.index <= index)?.configuration
  }

  /** The one in force at `index` and all that follow it in the log. */
  configurationsFrom(index: number): readonly Configuration[] {
    const first = this.#configurations.findLastIndex(dated => dated.index <= index)
    return this.#configurations.slice(Math.max(0, first)).map(({ configuration }) => configuration)
  }

  /** Index of the entry that holds the one before that at `index`; 0 where that is not known. */
  configuredBefore(index: number): number {
    return this.#configurations.findLast(dated => dated.index < index)?.index ?? 0
  }

  /** The newest one in the log. */
  get configuration(): Configuration | undefined {
    return this.#configurations.at(-1)?.configuration
  }

  /** Term of the entry at `index`; undefined when the log does not hold it. */
  termAt(index: number): number | undefined {
    return index < this.start || index > this.last ? undefined : this.#terms[index]
  }

  get end(): LogEnd {
    return { index: this.last, term: this.#terms[this.last]! }
  }

  /** Whether the log holds this entry, or is known to have held it before it was compacted. */
  holds(index: number, term: number): boolean {
    return index <= this.start || this.termAt(index) === term
  }

  take(write: SlotWrite, nowMs: number): void {
    const { found, hardState, truncateFrom, entries, install, changes, compact, drop } = write
    if (found) {
      this.isDropped = false
      this.#restart(found.snapshot, nowMs)
    }
    if (hardState) {
      this.term = hardState.term
      this.vote = hardState.vote
      this.commit = hardState.commit
    }
    if (truncateFrom !== undefined) {
      this.last = Math.min(this.last, truncateFrom - 1)
      this.cutMs = nowMs
      this.#configurations = this.#configurations.filter(({ index }) => index < truncateFrom)
    }
    for (const { index, term, configuration } of entries ?? []) {
      this.#terms[index] = term
      this.last = index
      if (configuration) this.#configurations.push({ index, configuration })
    }
    if (install) {
      this.#restart(install.snapshot, nowMs)
      this.applied = install.image.slot.appliedIndex
    }
    if (changes) this.applied = changes.slot.appliedIndex
    if (compact && compact.index > this.start) this.start = compact.index
    if (drop) this.#drop(nowMs)
  }

  copy(): SlotDisk {
    const copy = new SlotDisk()
    const { lastTerm: _, ...fields } = this.state()
    Object.assign(copy, fields, { cutMs: this.cutMs })
    copy.isDropped = this.isDropped
    copy.#terms.push(...this.#terms.slice(1))
    copy.#configurations = [...this.#configurations]
    return copy
  }

  state(): Restart {
    const { term, vote, commit, applied, start, last } = this
    return { term, vote, commit, applied, start, last, lastTerm: this.#terms[last] }
  }

  #restart({ index, term, configuration }: SnapshotMeta, nowMs: number): void {
    this.start = index
    this.last = index
    this.#terms[index] = term
    this.cutMs = nowMs
    this.#configurations = [{ index, configuration }]
  }

  /** Only term and vote outlive the log: its tombstone has them. */
  #drop(nowMs: number): void {
    this.isDropped = true
    this.start = 0
    this.last = 0
    this.commit = 0
    this.applied = 0
    this.cutMs = nowMs
    this.#terms.length = 1
    this.#configurations = []
  }
}

/** One peer's store of one slot twice: as its process sees it, and as it is durable. */
export class Replica {
  readonly peer: string
  readonly slot: number
  written = new SlotDisk()
  durable = new SlotDisk()
  /** Votes that became durable, by term. */
  readonly votes = new Map<number, number>()
  /** Transactions handed over and not known to be durable, in order. */
  #pending: (readonly SlotWrite[])[] = []

  constructor(peer: string, slot: number) {
    this.peer = peer
    this.slot = slot
  }

  /** A transaction is handed over. */
  write(writes: readonly SlotWrite[], nowMs: number): void {
    this.#pending.push(writes)
    for (const write of writes) this.written.take(write, nowMs)
  }

  /** The store says that this transaction, and so all before it, is durable. */
  landed(writes: readonly SlotWrite[], nowMs: number): void {
    const upTo = this.#pending.indexOf(writes)
    for (const one of this.#pending.splice(0, upTo + 1)) this.#land(one, nowMs)
  }

  /**
   * A new process has opened the store and does not find the slot in it. True when that may be: it was dropped, perhaps
   * by a transaction that was under way, or never came to be.
   */
  isGone(nowMs: number): boolean {
    const pending = this.#pending
    this.#pending = []
    for (let i = 0; i < pending.length && !this.#isNothing(); i++) this.#land(pending[i]!, nowMs)
    this.written = this.durable.copy()
    return this.#isNothing()
  }

  #isNothing(): boolean {
    return this.durable.isDropped || this.durable.configuration === undefined
  }

  /**
   * A new process loaded this: it must be what was durable, or that with the first few transactions that were under way.
   * Returns what was durable when it is neither.
   */
  restarted(loaded: Restart, nowMs: number): Restart | undefined {
    const before = this.durable.state()
    const pending = this.#pending
    this.#pending = []
    // A replica that begins anew on a tombstone looks like the tombstone.
    const isLoaded = () => !this.#isNothing() && isSame(this.durable.state(), loaded)
    let isKnown = isLoaded()
    for (let i = 0; i < pending.length && !isKnown; i++) {
      this.#land(pending[i]!, nowMs)
      isKnown = isLoaded()
    }
    this.written = this.durable.copy()
    return isKnown ? undefined : before
  }

  #land(writes: readonly SlotWrite[], nowMs: number): void {
    for (const write of writes) this.durable.take(write, nowMs)
    if (this.durable.vote !== 0) this.votes.set(this.durable.term, this.durable.vote)
  }
}

function isSame(one: Restart, other: Restart): boolean {
  return (
    one.term === other.term &&
    one.vote === other.vote &&
    one.commit === other.commit &&
    one.applied === other.applied &&
    one.start === other.start &&
    one.last === other.last &&
    (other.lastTerm === undefined || one.lastTerm === other.lastTerm)
  )
}
