import type { PeerId } from '../cube/labels.ts'
import type { Roster } from '../cube/roster.ts'
import type { Placed, Slice, SlotStart } from '../links/slot-operations.ts'
import type { Configuration, Message, RaftStatus, SnapshotMeta } from '../raft/types.ts'
import type { RunRecord } from '../store/types.ts'
import type { SlotPosition } from '../topics/positions.ts'
import type { ApplyResult, Request, SlotImage, SlotNotice, StoredEvent, TopicRow } from '../topics/types.ts'

/** Time and turns, injected so that the simulator can drive them. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. May jump. */
  nowMs(): number
  /** Monotonic milliseconds. */
  monotonicMs(): number
  /** Runs once after `delayMs`; the returned function cancels. */
  after(delayMs: number, run: () => void): () => void
  /** Runs once at the end of this event-loop turn, after all input that is already there. */
  endOfTurn(run: () => void): void
}

/** A Raft message with the slot it belongs to. */
export interface SlotMessage {
  readonly slot: number
  readonly message: Message
}

/** One side of the single heartbeat exchange between two peers. */
export interface Beat {
  /** The sender's store, and the one it takes the receiver's to be: by its roster, which may be old. */
  readonly uid: string
  readonly to: string
  readonly boot: number
  readonly rosterVersion: number
  /** The sender's wall clock. */
  readonly nowMs: number
  /** The sender's disk is below its reserve. */
  readonly lowDisk: boolean
  /** The sender is about to stop: it must not be given slots back. */
  readonly stopping: boolean
  /** For each slot the sender leads and the receiver votes in. */
  readonly leads: readonly (readonly [slot: number, term: number, commit: number])[]
  /** Answers to the other side's `leads` of the exchange before. */
  readonly follows: readonly (readonly [slot: number, term: number])[]
}

/** A snapshot's chunk, pulled by the replica that needs it. */
export interface SnapshotChunk {
  readonly records: readonly RunRecord[]
  /** Present in the last chunk: the state that the runs so far belong to. */
  readonly last?: { readonly snapshot: SnapshotMeta; readonly image: SlotImage }
}

/** What `dial` found: `refused` is evidence that the process is gone, `silent` is evidence of nothing. */
export type DialResult = 'open' | 'refused' | 'silent'

/** The peer does not know this one, or knows another store by its id: one of the two goes by an old roster. */
export class NotListedError extends Error {
  constructor(peer: PeerId) {
    super(`peer ${peer} does not know this peer`)
    this.name = 'NotListedError'
  }
}

/** The engine's way to other peers. Implemented by links/ over HTTP and by the simulator. */
export interface Transport {
  /** One batch, may be lost; batches to one peer should arrive in order. */
  send(to: PeerId, messages: readonly SlotMessage[]): void
  /** Rejects when the peer cannot be reached or does not answer in time, with NotListedError when it refuses this one. On a connection of its own. */
  heartbeat(to: PeerId, beat: Beat): Promise<Beat>
  /** Opens a fresh connection and closes it again. */
  dial(to: PeerId): Promise<DialResult>
  /** The roster the peer goes by. */
  roster(to: PeerId): Promise<Roster>
  /** Pulls the next chunk of `slot`'s state behind `afterIndex`. */
  snapshot(to: PeerId, slot: number, afterIndex: number): Promise<SnapshotChunk>
}

/** What happens to the cube, as this peer sees it: logged, counted and streamed at `/v1/cube/events`. */
export type CubeEvent = { readonly timeMs: number } & (
  | { readonly kind: 'suspected' | 'failed' | 'rejoined'; readonly peer: PeerId; readonly why: string }
  | { readonly kind: 'primary'; readonly slot: number; readonly peer: PeerId; readonly term: number }
  | {
      readonly kind: 'takeover'
      readonly slot: number
      readonly peer: PeerId
      readonly from: PeerId
      readonly term: number
    }
  | { readonly kind: 'reclaimed'; readonly slot: number; readonly peer: PeerId; readonly term: number }
  /** An operator has let the slot go on at this peer without its majority. */
  | { readonly kind: 'recovered'; readonly slot: number; readonly peer: PeerId; readonly term: number }
  | { readonly kind: 'ready' }
  /** A replica of the slot is served by this peer from now on, or no longer. */
  | { readonly kind: 'arrived' | 'departed'; readonly slot: number; readonly peer: PeerId }
  /**
   * So many of the slots that this peer leads do not stand where the roster places them, and about so many bytes of
   * events are still to be copied for them.
   */
  | { readonly kind: 'moving'; readonly peer: PeerId; readonly slots: number; readonly bytes: number }
  | {
      readonly kind: 'joined' | 'leaving' | 'left' | 'replaced' | 'moved'
      readonly peer: PeerId
      /** Version of the roster that says so. */
      readonly version: number
      readonly why: string
    }
)

/** One slot as this peer, a replica of it, sees it. */
export interface SlotStatus {
  readonly slot: number
  readonly home: PeerId
  /** Labels in order of succession. */
  readonly replicas: readonly PeerId[]
  readonly primary: PeerId | null
  readonly raft: RaftStatus
}

/**
 * An accepted command: what it did and how many replicas hold it durably: at least a majority, or 0 for a refusal that
 * took no entry of the log.
 */
export interface Appended {
  readonly result: ApplyResult
  readonly replicas: number
}

/**
 * An answer other than success.
 * - `notPrimary`: this peer is not the slot's primary; nothing was appended. `primary` when it is known.
 * - `unavailable`: definite; nothing was appended (no majority, shutting down).
 * - `unknown`: it was appended and its fate was not seen in time.
 * - `refused`: definite, with the code of the error table.
 */
export type SlotFailure =
  | { readonly kind: 'notPrimary'; readonly primary: PeerId | null }
  | {
      readonly kind: 'unavailable'
      readonly code: 'NO_PRIMARY' | 'OVERLOADED' | 'STOPPING' | 'NOT_A_REPLICA'
    }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'refused'; readonly code: 'DISK_FULL' | 'KEY_IN_FLIGHT' | 'CLOCK_SKEW' }
  /** Not all peers run a program that knows this; `detail` says which. */
  | { readonly kind: 'heldBack'; readonly detail: string }

export class SlotError extends Error {
  readonly failure: SlotFailure
  constructor(failure: SlotFailure) {
    super(failure.kind)
    this.name = 'SlotError'
    this.failure = failure
  }
}

/**
 * The seam (DESIGN 11): a slot as an ordered, durable log. What lies above the engine sees slots only like this,
 * so that another replicated log can stand below it.
 */
export interface SlotLogs {
  /** Slots this peer is a replica (a voter) of, ascending; the roster's own among them. */
  readonly held: readonly number[]
  holds(slot: number): boolean
  /** Throws SlotError NOT_A_REPLICA for a slot not held. */
  status(slot: number): SlotStatus
  /**
   * Appends a command at the primary and resolves once it is committed and applied.
   * Waits for a primary until `deadlineMs` (monotonic) while an election is under way.
   * Rejects with SlotError.
   */
  append(slot: number, request: Request, deadlineMs: number): Promise<Appended>
  /**
   * Everybody who takes part in a slot or still may: while a change is not committed, those before it count as outgoing.
   * Behind a `barrier` nobody knows better.
   */
  members(slot: number): Configuration
  /**
   * About how many bytes of events are still to be copied until the slot stands where it belongs; 0 when it does, and
   * where it is not led. Throws SlotError.
   */
  bytesToMove(slot: number): number
  /** Resolves when everything committed before the call is applied here (ReadIndex). Primary only; rejects with SlotError. */
  barrier(slot: number, deadlineMs: number): Promise<void>
  /** The slot's state as applied here; committed, perhaps behind. */
  topic(slot: number, name: string): TopicRow | undefined
  /** Topics whose name sorts (by code unit) after `after`, ascending, at most `limit`. */
  topics(slot: number, after: string, limit: number): TopicRow[]
  /** Last incarnation the slot has given out, as applied here. */
  incarnation(slot: number): number
  /** Events at or after `from`, ascending, at least one if there is one, then within the bounds. Skips what retention removed. */
  read(slot: number, incarnation: number, from: number, maxEvents: number, maxBytes: number): StoredEvent[]
  /** First offset whose event is stamped at or after `timeMs`; `latest + 1` when none is. */
  offsetAt(slot: number, topic: string, timeMs: number): number
  /** How far the slot's state is applied here. */
  position(slot: number): SlotPosition
  /**
   * Events of the slot that match, behind `position`, ascending by sequence, within the bounds (at least one if one was
   * found) and after a bounded search: `position` of the slice may be short of `latest` without any event. Meaningful
   * only where `position(slot)` is level with `position`.
   */
  readSlot(
    slot: number,
    wants: readonly string[],
    position: SlotPosition,
    maxEvents: number,
    maxBytes: number,
  ): Slice
  /**
   * Where a stream of these wants begins in the slot, as applied here; of `last`, as many events as a bounded search finds,
   * which takes several turns. Rejects with SlotError.
   */
  placeSlot(slot: number, wants: readonly string[], start: SlotStart): Promise<Placed>
  /** Calls `listener` for everything applied to the slot from now on. Returns the way to stop. */
  follow(slot: number, listener: (notice: SlotNotice) => void): () => void
  /** Calls `listener` for what happens to the cube. Returns the way to stop. */
  onCubeEvent(listener: (event: CubeEvent) => void): () => void
}

/** Figures the engine gives away as they arise; durations in milliseconds. */
export interface EngineObserver {
  /** A proposal of this peer was committed and applied, so long after it was appended. */
  committed(durationMs: number): void
  /** A transaction became durable, so long after it was handed over, with so many log entries in it. */
  flushed(durationMs: number, entries: number): void
  /** A member of this peer stood for election. */
  election(): void
  /** A heartbeat exchange with a peer ended. */
  beat(peer: PeerId, ok: boolean): void
}
