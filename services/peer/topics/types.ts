import type { Roster } from '../cube/roster.ts'
import type { RosterChange } from '../cube/roster-change.ts'
import type { RosterRefusalCode } from '../cube/roster-refusal.ts'

/** Retention and shape of one topic. Null means without limit. */
export interface TopicSettings {
  readonly maxAgeMs: number | null
  readonly maxEvents: number | null
  readonly maxBytes: number | null
}

/** One message as a publisher gave it. */
export interface EventInput {
  /** The publisher's id; without it the event's cursor `<offset>-<incarnation>` is its id. */
  readonly id?: string
  /** CloudEvents type; the name of the SSE event when asked for by `named=true`. */
  readonly type?: string
  /** Media type of `data`; absent means text/plain; charset=utf-8. */
  readonly contentType?: string
  /** CloudEvents source and other context attributes by name, in the form of attribute-values.ts. */
  readonly attributes?: Readonly<Record<string, string>>
  readonly data: Uint8Array
}

/** An event in its place. */
export interface StoredEvent extends EventInput {
  readonly offset: number
  readonly incarnation: number
  /** Place among all events of the slot. */
  readonly sequence: number
  /** Milliseconds since 1970, stamped by the primary, never below the event before. */
  readonly timeMs: number
}

/**
 * Which request this is, so that the service's own retries never double it: the peer that took it in is its
 * idempotent producer (Kafka's KIP-98). `low` is the lowest sequence of this producer and slot that is still
 * unanswered; results below it are forgotten, requests below it refused.
 */
export interface ProducerStamp {
  readonly uid: string
  /** The producer's boot number: rises with each start of its process. */
  readonly boot: number
  readonly sequence: number
  readonly low: number
}

/** A client's Idempotency-Key with the hash of what it was sent with. */
export interface ClientKey {
  readonly key: string
  readonly payloadHash: string
}

/** What every command says. */
interface CommandHead {
  /** The primary's stamp. */
  readonly timeMs: number
  readonly producer?: ProducerStamp
}

/** A command about a topic. */
export type TopicCommand = CommandHead & { readonly topic: string } & (
    | { readonly kind: 'create'; readonly settings: TopicSettings }
    | { readonly kind: 'configure'; readonly settings: Partial<TopicSettings> }
    | { readonly kind: 'delete' }
    | { readonly kind: 'publish'; readonly events: readonly EventInput[]; readonly clientKey?: ClientKey }
    /** Proposed by the primary: events below `before`, `bytes` in all, leave. Ignored for another incarnation. */
    | {
        readonly kind: 'trim'
        readonly incarnation: number
        readonly before: number
        readonly bytes: number
        /** Of the last event that leaves; absent in clusters of an older format. */
        readonly sequence?: number
      }
  )

/** A command to the roster, for the one slot that holds it. */
export type RosterCommand = CommandHead & { readonly kind: 'roster'; readonly change: RosterChange }

/**
 * The first command after a recovery, proposed by the replica that goes on without the majority: what was given out
 * behind the end of its log is lost and must not be given out again.
 */
export interface RecoverCommand extends CommandHead {
  readonly kind: 'recover'
  /** Incarnations up to this one count as given; 0 in the roster's own slot. */
  readonly incarnation: number
  /** In the roster's own slot: the newest version that any peer knows that is left. */
  readonly roster?: Roster
  /** Versions of the roster, and member numbers, that count as given. */
  readonly skip?: number
}

/** What an entry of the slot's log asks of the state machine. */
export type Command = TopicCommand | RosterCommand | RecoverCommand

type Unstamped<C> = C extends Command ? Omit<C, 'timeMs'> : never

/** A command as it is asked for, before the primary stamps it. */
export type TopicRequest = Unstamped<TopicCommand>
export type RosterRequest = Unstamped<RosterCommand>
/** What a client or a peer may ask for; a `recover` is nobody's request. */
export type Request = TopicRequest | RosterRequest

/** The publicly visible state of one topic. */
export interface TopicRow {
  readonly name: string
  readonly incarnation: number
  readonly settings: TopicSettings
  /** First offset still kept; `latest + 1` when none is. */
  readonly earliest: number
  /** Last offset; 0 when none was ever published. */
  readonly latest: number
  /** Payload bytes kept. */
  readonly bytes: number
  readonly createdMs: number
  /** Where retention has got to; absent while this life lost nothing to it. */
  readonly floor?: TrimFloor
}

/**
 * What somebody who reads a slot by sequence must know of retention: whether an event was taken that was not passed
 * yet, by a trim that was not taken into account yet.
 */
export interface TrimFloor {
  /** Of the last event that was trimmed, or one behind it where the trim did not say. */
  readonly sequence: number
  /** Log index of the trim that took it. */
  readonly index: number
}

/** The slot's own row. */
export interface SlotRow {
  readonly appliedIndex: number
  readonly appliedTerm: number
  /** Last sequence given to an event of this slot. */
  readonly sequence: number
  /** Last incarnation given to a topic of this slot. */
  readonly incarnation: number
  /** Highest stamp applied. */
  readonly timeMs: number
  /** In the roster's slot only: its whole state. */
  readonly roster?: Roster
}

/** The first answer given under a client's key. Keys are kept by age and outlive their topic. */
export interface KeyRow {
  readonly topic: string
  readonly key: string
  readonly payloadHash: string
  readonly timeMs: number
  readonly result: Published
}

/** Unanswered requests of one producer that were applied. */
export interface ProducerRow {
  readonly uid: string
  readonly boot: number
  readonly low: number
  /** Log index of its last command; when there are too many producers, the one longest unused is forgotten. */
  readonly usedIndex: number
  readonly results: readonly (readonly [sequence: number, result: ApplyResult])[]
}

/**
 * A run of consecutive events of one topic that came in one log entry: where they lie.
 * The events themselves are stored once, in that entry's data.
 */
export interface Run {
  readonly logIndex: number
  readonly incarnation: number
  /** Offset of the first event. */
  readonly first: number
  readonly count: number
  /** Sequence of the first event. */
  readonly sequence: number
  readonly timeMs: number
  readonly bytes: number
}

export interface Published {
  readonly kind: 'published'
  readonly incarnation: number
  readonly first: number
  readonly last: number
  readonly sequence: number
  readonly timeMs: number
}

/** What became of a command. A refusal is definite: the command left no trace but its log entry. */
export type ApplyResult =
  | Published
  | {
      readonly kind: 'created'
      readonly topic: TopicRow /** False when it stood already with the same settings. */
      readonly fresh: boolean
    }
  | { readonly kind: 'configured'; readonly topic: TopicRow }
  | { readonly kind: 'deleted'; readonly incarnation: number; readonly latest: number }
  | { readonly kind: 'trimmed'; readonly earliest: number }
  /** `changed` is false when the roster said so already. */
  | { readonly kind: 'roster'; readonly roster: Roster; readonly changed: boolean }
  | {
      readonly kind: 'refused'
      readonly code: RefusalCode
      /** Of a change of the roster: what is in the way. */
      readonly detail?: string
    }

export type RefusalCode =
  | 'UNKNOWN_TOPIC'
  | 'TOPIC_EXISTS'
  | 'TOO_MANY_TOPICS'
  | 'KEY_REUSED'
  | 'KEY_SPACE_FULL'
  /** The producer has given this request up or has restarted since: nobody waits for its answer. */
  | 'STALE_PRODUCER'
  | RosterRefusalCode

/** Told to whoever follows the slot, in order of application. */
export type SlotNotice =
  | {
      readonly kind: 'published'
      readonly topic: string
      readonly run: Run
      readonly events: readonly EventInput[]
    }
  | { readonly kind: 'created' | 'configured' | 'trimmed'; readonly topic: TopicRow }
  | {
      readonly kind: 'deleted'
      readonly topic: string
      readonly incarnation: number
      readonly latest: number
      /** Log index of the deletion. */
      readonly index: number
    }
  /** A new version of the roster. */
  | { readonly kind: 'roster'; readonly roster: Roster }
  /** The slot's state was replaced by a snapshot: read again from where you were. */
  | { readonly kind: 'restored' }
  /** This peer does not serve the slot any more: the last notice. A peer that stops says it of slots it still holds. */
  | { readonly kind: 'gone' }

/** All rows that changed since the last `drain()`: what the next transaction of the slot must hold. */
export interface SlotChanges {
  readonly slot: SlotRow
  /** Null deletes. */
  readonly topics: ReadonlyMap<string, TopicRow | null>
  /** By `<topic>\u0000<key>`. */
  readonly keys: ReadonlyMap<string, KeyRow | null>
  readonly producers: ReadonlyMap<string, ProducerRow | null>
  readonly runs: readonly Run[]
  /** Runs that end below `before` are to be deleted; Infinity for a deleted topic. */
  readonly trims: readonly { readonly incarnation: number; readonly before: number }[]
}

/** The whole state of a slot except its events: what a snapshot holds and a restart loads. */
export interface SlotImage {
  readonly slot: SlotRow
  readonly topics: readonly TopicRow[]
  readonly keys: readonly KeyRow[]
  readonly producers: readonly ProducerRow[]
}
