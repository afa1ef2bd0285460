/** A voter of one slot. The number is given when it is added and never reused; the uid names its store. */
export interface Member {
  readonly number: number
  readonly uid: string
}

/** Who takes part in a slot, as a configuration entry states it. */
export interface Configuration {
  /** Version of the roster this configuration follows; none is proposed from a lower one. */
  readonly rosterVersion: number
  readonly voters: readonly Member[]
  /**
   * Present in the joint phase of a change (paper section 6): the voters before it. Everything is decided by a majority
   * of both sets.
   */
  readonly outgoing?: readonly Member[]
  /** They receive the log and count nowhere (thesis 4.2.1). */
  readonly learners?: readonly Member[]
}

/** What a slot's members are to become. */
export type MembershipTarget = Omit<Configuration, 'outgoing'>

/** A configuration and the index of the entry that holds it. */
export interface DatedConfiguration {
  readonly index: number
  readonly configuration: Configuration
}

/**
 * One entry of a slot's log. `data` entries carry an opaque command for the state machine;
 * `noop` entries open a leader's term; `config` entries carry a configuration.
 */
export interface Entry {
  readonly index: number
  readonly term: number
  readonly type: 'data' | 'noop' | 'config'
  /** Encoded command; empty for `noop` and `config`. */
  readonly data: Uint8Array
  /** Present exactly when `type` is `config`. */
  readonly configuration?: Configuration
}

/** Where a log ends: its last entry. */
export interface LogEnd {
  readonly index: number
  readonly term: number
}

/** What must survive a restart before anything that depends on it is said (Raft paper, figure 2). */
export interface HardState {
  readonly term: number
  /** Member number voted for in `term`; 0 for none. */
  readonly vote: number
  readonly commit: number
  /**
   * Where the log ended that this member had before it was taken out, lost it and came again: it acknowledged what was
   * in it. Absent as soon as its log is as good again.
   */
  readonly floor?: LogEnd
}

/** The point a snapshot stands for: everything up to `index` is contained in it. */
export interface SnapshotMeta {
  readonly index: number
  readonly term: number
  readonly configuration: Configuration
}

interface Envelope {
  /** Member number of the sender. */
  readonly from: number
  /** Member number of the receiver. */
  readonly to: number
  readonly term: number
}

/**
 * What members of one slot say to each other. Plain data: the engine puts them on the wire.
 *
 * - `preVote`/`vote` carry `transfer` when the leader asked for this election; it passes stickiness.
 * - `heartbeat` carries `context` (> 0) when it is a ReadIndex round and its answer is awaited at once.
 * - `snapshot` announces that the follower's next entry is compacted: its engine pulls the state from the
 *   sender and steps the same message into its own node once everything it stands for is durable.
 */
export type Message = Envelope &
  (
    | {
        readonly type: 'preVote'
        readonly lastIndex: number
        readonly lastTerm: number
        readonly transfer: boolean
      }
    | { readonly type: 'preVoteResponse'; readonly granted: boolean }
    | {
        readonly type: 'vote'
        readonly lastIndex: number
        readonly lastTerm: number
        readonly transfer: boolean
      }
    | { readonly type: 'voteResponse'; readonly granted: boolean }
    | {
        readonly type: 'append'
        readonly prevIndex: number
        readonly prevTerm: number
        readonly commit: number
        readonly entries: readonly Entry[]
      }
    | {
        readonly type: 'appendResponse'
        /** Accepted: last index known to match. Rejected: the `prevIndex` that did not match. */
        readonly index: number
        readonly rejected: boolean
        /** Rejected: where to probe next, and the follower's term there (fast back-up, paper 5.3). */
        readonly hintIndex: number
        readonly hintTerm: number
      }
    | { readonly type: 'heartbeat'; readonly commit: number; readonly context: number }
    | { readonly type: 'heartbeatResponse'; readonly context: number }
    | { readonly type: 'snapshot'; readonly snapshot: SnapshotMeta }
    | { readonly type: 'timeoutNow' }
  )

export type MessageType = Message['type']

/** Message types that answer another message; they may travel on the answer of the request that brought it. */
export const RESPONSE_TYPES: ReadonlySet<MessageType> = new Set<MessageType>([
  'preVoteResponse',
  'voteResponse',
  'appendResponse',
  'heartbeatResponse',
])

/** Reads what was handed to the store, at once visible though perhaps not yet durable. */
export interface LogReader {
  /** Index of the oldest entry still in the log; one past the snapshot point. */
  firstIndex(): number
  /** Index of the newest entry; `firstIndex() - 1` when empty. */
  lastIndex(): number
  /** Term at `index`, also at `firstIndex() - 1`; undefined outside. */
  term(index: number): number | undefined
  /** Entries `from` to `to` (exclusive), at least one, then no more than `maxBytes` of data. */
  entries(from: number, to: number, maxBytes: number): Entry[]
  /** The log's configuration entries, ascending: what a restart must know without reading the whole log. */
  configurations(): readonly DatedConfiguration[]
}

export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader'

/**
 * Everything the node wants done since the last call, in etcd/raft's shape. The engine
 * 1. hands `truncateFrom`, `entries`, `snapshot` and a `hardState` with another term or vote to the store in one
 *    transaction; another commit index or floor alone may follow later,
 * 2. sends `messages` at once,
 * 3. sends `messagesAfterPersist` when that transaction is durable, and then calls `persisted(id)`,
 * 4. applies `committed` in order (they are written with this Ready or before, and durable at a majority) and then calls `applied(index)`.
 */
export interface Ready {
  /** Rises by one with each Ready; `persisted(id)` calls come in the same order. */
  readonly id: number
  /** Present when term, vote or commit changed. */
  readonly hardState?: HardState
  /** False when only the commit index changed: it may ride along with a later transaction. */
  readonly mustSync: boolean
  /** Drop the log from here on before appending `entries`. */
  readonly truncateFrom?: number
  readonly entries: readonly Entry[]
  /** Set after a `snapshot` message was accepted: the log restarts behind it. */
  readonly snapshot?: SnapshotMeta
  readonly messages: readonly Message[]
  readonly messagesAfterPersist: readonly Message[]
  readonly committed: readonly Entry[]
  /** ReadIndex rounds confirmed by a quorum: serve once `index` is applied. */
  readonly reads: readonly { readonly context: number; readonly index: number }[]
  /** ReadIndex rounds that will never be confirmed here: leadership was lost. */
  readonly readsFailed: readonly number[]
}

/** How far one follower is, as its leader sees it. */
export interface ProgressStatus {
  readonly match: number
  readonly state: 'probe' | 'replicate' | 'snapshot'
  readonly recentActive: boolean
}

export interface RaftStatus {
  readonly number: number
  readonly role: Role
  readonly term: number
  /** Member number of the leader this node follows (itself when leader); 0 for none. */
  readonly leader: number
  readonly commit: number
  readonly applied: number
  readonly lastIndex: number
  /** Highest index of the own log that is durable. */
  readonly durable: number
  /** Where the log ended that this one stands in for, while it is not as good (see {@link HardState}). */
  readonly floor?: LogEnd
  readonly configuration: Configuration
  /** A change of the configuration is not finished: it is joint, or not committed yet. */
  readonly changing: boolean
  /** Member number leadership is being handed to; 0 for none. */
  readonly transferee: number
  /** Leader only: all other members, learners too, by number. One is level when its `match` is the `lastIndex`. */
  readonly progress: ReadonlyMap<number, ProgressStatus>
}

export interface RaftOptions {
  readonly number: number
  /**
   * In force before the first entry. Without voters when the member was founded empty, because a leader adds it: it
   * follows whoever leads, and the log or a snapshot tells it who takes part.
   */
  readonly configuration: Configuration
  readonly hardState: HardState
  readonly applied: number
  readonly log: LogReader
  /** Silence of this many ticks makes a follower suspect its leader. */
  readonly electionTicks: number
  readonly heartbeatTicks: number
  /** Each place further down the order of succession waits this many ticks longer, so votes do not split. */
  readonly successionTicks: number
  /** Member numbers in order of succession, home first. Members not listed come last. */
  readonly succession: readonly number[]
  /** Seeded generator in [0, 1). */
  readonly random: () => number
  /** Bytes of entry data in one append, and appends in flight to one follower. */
  readonly maxAppendBytes: number
  readonly maxInflightAppends: number
  /** Bytes of entries kept in memory for followers that are nearly level. */
  readonly maxCachedBytes: number
  /** Bytes proposed and not yet committed; beyond it `propose` refuses. */
  readonly maxUncommittedBytes: number
  /** Read requests held unanswered; beyond it `readIndex` refuses. */
  readonly maxPendingReads: number
}

/** Why `propose` or `readIndex` did not take the request; nothing was appended. */
export type ProposeRefusal = 'notLeader' | 'transferring' | 'overloaded'

/**
 * Why a change of the configuration was not begun. `changing`: another one is not finished. `notReady`: this leader has
 * not committed an entry of its term yet. `outdated`: it follows an older roster than the configuration in force.
 */
export type ChangeRefusal = 'notLeader' | 'transferring' | 'changing' | 'notReady' | 'outdated'

/** The pure Raft member of one slot: data in, data out, no clock, no promise, no I/O. */
export interface RaftMember {
  readonly role: Role
  readonly term: number
  /** Member number of the leader this member follows (itself when leader); 0 for none. */
  readonly leader: number
  /** The newest one in the log, which is in force as soon as it is appended. */
  readonly configuration: Configuration
  /** The newest one that is known to be committed. */
  readonly committedConfiguration: Configuration
  tick(): void
  step(message: Message): void
  /**
   * A plain heartbeat that says nothing new: of the leader this member follows, in its term, with a commit index it
   * has. True when that is so and the wait for silence begins anew; false when it must be stepped as a message.
   */
  heardAgain(leader: number, term: number, commit: number): boolean
  propose(data: Uint8Array): { readonly index: number; readonly term: number } | ProposeRefusal
  /**
   * Begins to make `target` the configuration: through a joint one when its voters are others, in one step when only
   * its learners are. The leader goes on by itself from the joint one when that is committed, also one elected since;
   * a leader that is no voter any more steps down when the last one is committed.
   * Throws InvariantBroken for a target without voters, that names a member twice, or a member's number for another
   * store.
   */
  changeMembers(target: MembershipTarget): { readonly index: number; readonly term: number } | ChangeRefusal
  /**
   * Unsafe, and only for an operator who knows that a majority of the voters is gone for good: this member appends a
   * configuration that names it as the only voter, in `term`, and leads. Nobody agrees to it: what the lost majority
   * committed behind the end of this log is undone, and if it is not gone, there are two histories from here on.
   * Nothing is sent before that entry is durable here, and then to nobody. What is proposed in the same turn is
   * persisted with it, or not at all.
   * @param term above that of every member that is left
   * @param rosterVersion the roster the configuration follows
   * Throws InvariantBroken for a term that is not above the own one.
   */
  goOnAlone(
    uid: string,
    term: number,
    rosterVersion: number,
  ): { readonly index: number; readonly term: number }
  /** Asks for a linearizable read point (thesis 6.4); answered by `Ready.reads` or `Ready.readsFailed`. */
  readIndex(context: number): ProposeRefusal | undefined
  /** Starts handing leadership to a voter; ignored when not leader or not a voter. Aborted after an election timeout. */
  transferLeadership(to: number): void
  /**
   * Evidence that the process of member `number` is gone (a refused dial, a new boot id). When it is this node's
   * leader: the election wait ends (in order of succession) and stickiness towards it is lifted.
   */
  leaderGone(number: number): void
  /** The order of succession from now on; the wait under way follows it. Like {@link RaftOptions.succession}. */
  setSuccession(numbers: readonly number[]): void
  /** A message to this member could not be delivered: probe until it answers; too long without, and it counts for no quorum. */
  unreachable(number: number): void
  hasReady(): boolean
  ready(): Ready
  /** The transaction of this Ready (and of all before it) is durable. */
  persisted(id: number): void
  /** The state machine has applied everything up to `index`. */
  applied(index: number): void
  /** Leader: members, this one included, that are known to hold the log up to `index` durably. */
  holders(index: number): number
  status(): RaftStatus
}
