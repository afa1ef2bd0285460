import type { Roster } from '../cube/roster.ts'
import type { Entry, HardState, LogEnd, LogReader, SnapshotMeta } from '../raft/types.ts'
import type { Run, SlotChanges, SlotImage } from '../topics/types.ts'

/** Who this store belongs to. */
export interface StoreIdentity {
  /** Random, made when the store was created: another uid means another (or a wiped) disk. */
  readonly uid: string
  /** Counts the times this store was opened by a peer; orders a producer's lives. */
  readonly boot: number
}

/** What a slot's Raft member and state machine restart from. */
export interface LoadedSlot {
  readonly slot: number
  /** The own member number in this slot. */
  readonly number: number
  readonly hardState: HardState
  /** The configuration at the log's start (snapshot point); later ones are entries. */
  readonly snapshot: SnapshotMeta
  readonly image: SlotImage
}

/** Everything one slot wants written in this turn's transaction. Applied in the order of the fields. */
export interface SlotWrite {
  readonly slot: number
  /**
   * First write of a replica: its own member number and log start. Where one with this number was dropped before, the
   * hard state must not go back on its tombstone's term and vote (throws otherwise), and gets the end of its log as
   * `floor`. The tombstone is gone then.
   */
  readonly found?: { readonly number: number; readonly snapshot: SnapshotMeta }
  readonly hardState?: HardState
  /** Delete log entries from here on (they were never committed). */
  readonly truncateFrom?: number
  readonly entries?: readonly Entry[]
  /**
   * A snapshot whose runs were staged is complete: the log restarts behind it and the state becomes `image`.
   * Runs that the image no longer covers (trimmed or deleted topics) are removed in slices later.
   */
  readonly install?: { readonly snapshot: SnapshotMeta; readonly image: SlotImage }
  /**
   * Forget the runs of a snapshot that was not completed: after a recovery its state is no longer the slot's, and what
   * follows in the log is something else.
   */
  readonly unstage?: true
  /** What applying entries changed. */
  readonly changes?: SlotChanges
  /** Raft's part of the entries up to this point may go: those that hold no kept event are deleted. */
  readonly compact?: SnapshotMeta
  /**
   * The replica goes: with this write the slot is not in the store any more, and only its tombstone stays. Its rows are
   * left to `sweep`. It may be founded again at once, and then sees none of them.
   */
  readonly drop?: true
}

/** What stays of a dropped replica, for it may have promised it. */
export interface Tombstone {
  /** Its member number. */
  readonly number: number
  readonly term: number
  /** Member number voted for in `term`; 0 for none. */
  readonly vote: number
  /** Where its log ended, or that of one before it with the same number, whichever was better. */
  readonly end: LogEnd
}

/** One run on its way to a replica: where it lies and the log entry data that holds its events. */
export interface RunRecord {
  readonly run: Run
  readonly data: Uint8Array
}

/**
 * One peer's disk. Reads are synchronous and see every write at once; a write is durable when its promise
 * resolves, and writes become durable in the order they were made. A write that cannot be made durable rejects,
 * and the peer must end: nothing can be known about the disk after a failed fsync (fsyncgate).
 * Every record carries a checksum and a format version; a bad one throws `CorruptRecord`, never a wrong value.
 */
export interface LogStore {
  readonly identity: StoreIdentity
  /** Null until founded. */
  roster(): Roster | null
  writeRoster(roster: Roster): Promise<void>
  /** Slots this store holds, ascending. */
  slots(): number[]
  /** Throws `CorruptRecord` when any record it needs is bad. */
  load(slot: number): LoadedSlot
  /** The log of a slot as Raft reads it. */
  log(slot: number): LogReader
  write(writes: readonly SlotWrite[]): Promise<void>
  /** Of a slot whose replica was dropped and not founded again. Throws `CorruptRecord`. */
  tombstone(slot: number): Tombstone | undefined

  /** The run that holds `offset`, or the first one after it; undefined beyond the last. */
  findRun(slot: number, incarnation: number, offset: number): Run | undefined
  /** Runs from the one that holds `offset` (or the first after it) on, at most `limit`. */
  runs(slot: number, incarnation: number, offset: number, limit: number): Run[]
  /** Applied runs of all topics at or behind `logIndex`, in log order and so ascending by sequence, at most `limit`. */
  runsFrom(slot: number, logIndex: number, limit: number): Run[]
  /** Applied runs of all topics before `logIndex`, the last one first, at most `limit`. */
  runsBefore(slot: number, logIndex: number, limit: number): Run[]
  /** Entry data of a run. Throws `CorruptRecord`; undefined when it was trimmed meanwhile. */
  runData(slot: number, logIndex: number): Uint8Array | undefined

  /** Runs behind `logIndex` up to `upTo` (inclusive), in log order, at least one and then within `maxBytes`: a snapshot's chunk. */
  runsAfter(slot: number, logIndex: number, upTo: number, maxBytes: number): RunRecord[]
  /** Keeps runs of a snapshot under way beside the log; they are invisible until `install` covers them. */
  stage(slot: number, records: readonly RunRecord[]): Promise<void>
  /** Log index of the last staged run, to resume behind; 0 for none. */
  staged(slot: number): number

  /** Slots with rows of dropped replicas that are still to be swept, ascending, whether or not founded again. */
  leftovers(): number[]
  /**
   * Deletes a bounded slice of what trims, deletions, installs and dropped replicas left behind; true when nothing is
   * left, also for a slot that is not in this store.
   */
  sweep(slot: number, limit: number): boolean
  /** Bytes free on the disk and bytes used by the store. */
  space(): { readonly freeBytes: number; readonly usedBytes: number }
  close(): Promise<void>
}

/** A record failed its checksum or has a format this version does not know. */
export class CorruptRecord extends Error {
  readonly slot: number | null
  constructor(slot: number | null, what: string) {
    super(`corrupt record: ${what}`)
    this.name = 'CorruptRecord'
    this.slot = slot
  }
}
