import type { PeerId } from '../cube/labels.ts'
import type { ErrorCode } from '../errors.ts'
import type { Configuration } from '../raft/types.ts'
import type { ApplyResult, Request, StoredEvent, TopicRow } from '../topics/types.ts'
import type { SlotOperation, SlotResult } from './slot-operations.ts'

/**
 * What one peer asks of another on a client's behalf.
 * `append`, `describe` and `members` go to the slot's primary; `read` and what reads a slot by sequence to any replica, but for a fresh place;
 * `ping` and `listeners` to the peer named.
 */
export type Operation =
  | { readonly kind: 'append'; readonly slot: number; readonly request: Request }
  /** Linearizable: the topic as it is now. */
  | { readonly kind: 'describe'; readonly slot: number; readonly topic: string }
  | {
      readonly kind: 'read'
      readonly slot: number
      readonly topic: string
      readonly incarnation: number
      readonly from: number
      readonly maxEvents: number
      readonly maxBytes: number
    }
  /** Where a stream that starts at a time begins, in this life of the topic, of which so many offsets are known. */
  | {
      readonly kind: 'offsetAt'
      readonly slot: number
      readonly topic: string
      readonly timeMs: number
      /** Both absent from what an older program asks. */
      readonly incarnation?: number
      readonly latest?: number
    }
  /** Topics of these slots by name. */
  | {
      readonly kind: 'list'
      readonly slots: readonly number[]
      readonly after: string
      readonly limit: number
    }
  /** Is that peer reached by anybody? It answers itself. */
  | { readonly kind: 'ping'; readonly peer: PeerId }
  /** How many streams of clients that peer serves to which the topic's events go. */
  | { readonly kind: 'listeners'; readonly peer: PeerId; readonly topic: string }
  /** Linearizable: who takes part in the slot now. */
  | { readonly kind: 'members'; readonly slot: number }
  | SlotOperation

/** A refusal that took no entry of the log: it binds no earlier attempt that is still on its way there. */
export function isUnlogged(result: OperationResult): boolean {
  return result.kind === 'appended' && result.replicas === 0
}

/** Where a topic's events are, as its primary or a replica answers. */
export interface TopicView {
  /** Undefined: there is no such topic (now). */
  readonly topic: TopicRow | undefined
  /** Last incarnation the slot has given out. */
  readonly incarnation: number
  readonly primary: PeerId | null
}

export type OperationResult =
  | {
      readonly kind: 'appended'
      readonly result: ApplyResult
      readonly replicas: number
      readonly primary: PeerId
    }
  | { readonly kind: 'described'; readonly view: TopicView }
  | {
      readonly kind: 'events'
      readonly events: readonly StoredEvent[]
      readonly earliest: number
      readonly latest: number
    }
  | { readonly kind: 'offset'; readonly offset: number }
  /** Where it is reached, as it says itself; absent from one that runs an older version. */
  | { readonly kind: 'pong'; readonly url?: string }
  | { readonly kind: 'listeners'; readonly count: number }
  | {
      readonly kind: 'members'
      readonly configuration: Configuration
      /** Numbers of the members that are heard of and hold all but the last of it, the primary included. */
      readonly level?: readonly number[]
      readonly primary: PeerId
      /** About how many bytes of events are still to be copied until the slot stands where it belongs; absent for none. */
      readonly bytesToMove?: number
    }
  | {
      readonly kind: 'topics'
      readonly topics: readonly TopicRow[]
      readonly primaries: readonly (PeerId | null)[]
    }
  | SlotResult
  | {
      readonly kind: 'failed'
      readonly code: ErrorCode /** False: the outcome is unknown. */
      readonly definite: boolean
      /** What is in the way, for a person. */
      readonly detail?: string
    }

/** An operation on its way over the cube. */
export interface Forwarded {
  readonly operation: Operation
  /** The corner it is routed to. */
  readonly target: PeerId
  /** Peers it has been at, in order: the path. */
  readonly path: readonly PeerId[]
  /** Peers it must not go to again (depth-first search). */
  readonly visited: readonly PeerId[]
  /** What is left of the client's patience when it was sent on. */
  readonly patienceMs: number
}

/** The answer on its way back. */
export type ForwardedAnswer =
  | { readonly kind: 'answered'; readonly result: OperationResult; readonly path: readonly PeerId[] }
  /** Nobody who can answer was reached; `visited` is everyone tried. Nothing was appended by this attempt's last hop or its fate is unknown (`definite`). */
  | {
      readonly kind: 'exhausted'
      readonly visited: readonly PeerId[]
      readonly primary: PeerId | null
      readonly definite: boolean
    }

/** What the HTTP surface and the streams call: finds the peer that can answer, here or elsewhere. */
export interface Dispatcher {
  /**
   * Runs `operation` here or forwards it, retrying along other paths until `deadlineMs` (monotonic).
   * Never rejects: what cannot be done is a `failed` result with a code of the error table.
   */
  dispatch(
    operation: Operation,
    deadlineMs: number,
  ): Promise<{ readonly result: OperationResult; readonly path: readonly PeerId[] }>
  /** Gives a client's command the producer's stamp (uid, boot, sequence) and dispatches it. */
  append(
    request: Request,
    deadlineMs: number,
  ): Promise<{ readonly result: OperationResult; readonly path: readonly PeerId[]; readonly slot: number }>
}
