import { Configurations } from './configuration.ts'
import { RaftLog } from './log.ts'
import type { Progress } from './progress.ts'
import { ReadRounds } from './readindex.ts'
import type { Message, RaftOptions, Role } from './types.ts'
import { Uncommitted } from './uncommitted.ts'

/**
 * All that one member knows. The functions of this room work on it:
 * timing and roles below, then follower, replication, transfer and election, and the node on top.
 */
export class RaftState {
  readonly options: RaftOptions
  readonly number: number
  readonly log: RaftLog
  readonly configurations: Configurations

  /** Member numbers in order of succession. */
  succession: readonly number[]
  term: number
  /** Member voted for in `term`; 0 for none. */
  vote: number
  role: Role = 'follower'
  /** The leader of `term` while it is believed alive; 0 for none. */
  leader = 0
  applied: number

  /** Ticks since the leader was heard from, a vote was given or a round of votes was begun. */
  electionElapsed = 0
  /** Ticks of `electionElapsed` at which this member stands for election. */
  electionTimeout = 1
  /** Rounds of votes begun since a leader was last known. */
  attempts = 0
  /** The last leader known and its term, also after it fell silent. */
  lastLeader = 0
  lastLeaderTerm = 0
  /** `lastLeader`'s process is known to be gone. */
  leaderIsGone = false
  /** Follower: up to where its log is known, since this life began, to be that of the leader of a term. */
  matchedIndex = 0
  matchedTerm = 0
  /** Answers to the round of votes under way. */
  readonly votes = new Map<number, boolean>()

  /** Leader: ticks of this leadership, and since its last heartbeat. */
  leaderTicks = 0
  heartbeatElapsed = 0
  /** Leader: index of the no-op that opened its term. */
  termStart = 0
  /** Leader: the other members, voters and learners. */
  readonly progress = new Map<number, Progress>()
  /** Leader: who leadership is being handed to (0 for nobody), for how long, and whether it was told to stand. */
  transferee = 0
  transferElapsed = 0
  transfereeTold = false
  readonly uncommitted: Uncommitted
  readonly reads: ReadRounds

  /** Messages of the next Ready. */
  messages: Message[] = []
  messagesAfterPersist: Message[] = []
  /** The term that is known to be durable. */
  durableTerm: number

  constructor(options: RaftOptions) {
    this.options = options
    this.number = options.number
    this.log = new RaftLog(options.log, options.maxCachedBytes, options.hardState, options.applied)
    this.configurations = Configurations.read(options.log, options.configuration)
    this.configurations.forget(options.applied)
    this.succession = options.succession
    this.term = options.hardState.term
    this.vote = options.hardState.vote
    this.applied = options.applied
    this.durableTerm = this.term
    this.uncommitted = new Uncommitted(options.maxUncommittedBytes)
    this.reads = new ReadRounds(options.maxPendingReads)
  }

  /**
   * Queues a message. What promises something about this member's disk (a vote, an acknowledged append) or asks for
   * votes in a term waits until it is durable; so does everything said in a term that is not durable yet.
   */
  send(message: Message): void {
    if (this.durableTerm !== this.term || this.#promises(message)) this.messagesAfterPersist.push(message)
    else this.messages.push(message)
  }

  #promises(message: Message): boolean {
    if (message.type === 'appendResponse') return !message.rejected && message.index > this.log.durable
    return message.type === 'vote' || message.type === 'voteResponse'
  }
}
