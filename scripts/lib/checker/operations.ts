/**
 * What clients did and saw, one record each: the input of the checker, whether the cube was simulated or real.
 * A history is a list of these in the order in which they were recorded, on a disk one JSON object per line.
 *
 * Events are known by an id that its publisher made up and that no other event has. Times are milliseconds of one
 * monotonic clock (virtual in the simulator). `client` names one client that does one thing after the other, unless
 * said otherwise.
 */
export type Operation = Send | Create | Delete | Open | Position | Poll | Gap | End | Close | Barrier | Final

interface Timed {
  readonly client: string
  readonly topic: string
  /** When it was sent. */
  readonly fromMs: number
  /** When its answer came or its client gave up. */
  readonly toMs: number
}

/** `refused`: a definite error, it has no effect and never will. `unknown`: it may have happened, or may yet. */
export type OutcomeKind = 'acknowledged' | 'refused' | 'unknown'

/**
 * A publish of one event or of a batch; the retries under one idempotency key are sends of their own, with the same
 * ids. Every publish is recorded, also one whose answer is still out when the history ends (`unknown`). Retries must
 * fall into the time for which the key is remembered, and without a key an event is sent once only.
 */
export interface Send extends Timed {
  readonly kind: 'send'
  readonly ids: readonly string[]
  readonly key?: string
  readonly outcome: OutcomeKind
  /** Of an acknowledged one: where the events are, the first one's and the last one's. */
  readonly incarnation?: number
  readonly first?: number
  readonly last?: number
  /** The error, in words. */
  readonly why?: string
}

/** A creation of a topic; `incarnation` where it was answered. */
export interface Create extends Timed {
  readonly kind: 'create'
  readonly outcome: OutcomeKind
  readonly incarnation?: number
}

/** A deletion; of an acknowledged one: the life that ended, where the answer says it. */
export interface Delete extends Timed {
  readonly kind: 'delete'
  readonly outcome: OutcomeKind
  readonly incarnation?: number
}

/**
 * A subscriber opens a stream, for the first time or again. `after` is the place behind which it asked to go on;
 * without it the stream begins where the server says: a position, or else the next poll, sets the place. A client with a place resumes with
 * the cursor the server gave it; one that wants to begin further on opens without `after`, or takes another name.
 */
export interface Open {
  readonly kind: 'open'
  readonly client: string
  readonly topic: string
  readonly atMs: number
  readonly after?: { readonly incarnation: number; readonly offset: number }
}

/**
 * The opening frame of a stream: the place behind which it begins. Without it nothing is due on a stream that was
 * opened without `after` until it is given something, as when it waits for an offset that is still to come.
 */
export interface Position {
  readonly kind: 'position'
  readonly client: string
  readonly topic: string
  readonly atMs: number
  readonly incarnation: number
  /** Of the last event before the stream's first one; 0 at the beginning of a life. */
  readonly offset: number
}

/** Events a subscriber was given, in the order given; one delivery may hold several. */
export interface Poll {
  readonly kind: 'poll'
  readonly client: string
  readonly topic: string
  readonly atMs: number
  readonly incarnation: number
  readonly events: readonly { readonly offset: number; readonly id: string }[]
}

/** A subscriber was told that events up to `to` are gone (retention), or that the topic begins a new life. */
export interface Gap {
  readonly kind: 'gap'
  readonly client: string
  readonly topic: string
  readonly atMs: number
  readonly incarnation: number
  /** Last offset that is skipped; the next event is `to + 1`. */
  readonly to: number
}

/** A subscriber was told that this life of the topic is over. */
export interface End {
  readonly kind: 'end'
  readonly client: string
  readonly topic: string
  readonly atMs: number
}

/** A subscriber's stream broke or was closed by its client. A stream without this or an `end` is open to the last. */
export interface Close {
  readonly kind: 'close'
  readonly client: string
  readonly topic: string
  readonly atMs: number
}

/** A linearizable read of where a topic ends; null when there is no such topic. */
export interface Barrier extends Timed {
  readonly kind: 'barrier'
  readonly found: { readonly incarnation: number; readonly latest: number } | null
}

/** What one peer holds of a topic when all is healed and nobody publishes; null when there is no such topic. */
export interface Final {
  readonly kind: 'final'
  /** The peer that was read. */
  readonly client: string
  readonly topic: string
  readonly found: {
    readonly incarnation: number
    readonly earliest: number
    readonly latest: number
    readonly events: readonly { readonly offset: number; readonly id: string }[]
  } | null
}
