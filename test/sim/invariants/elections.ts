import type { Message } from '../../../services/peer/raft/types.ts'
import type { LogEnd, Replica } from './slot-disk.ts'
import { isQuorum } from './voters.ts'

/** A voter's log may grow between its answer and the moment it is seen here. */
const ANSWER_MS = 1_000

type Kind<T extends Message['type']> = Extract<Message, { readonly type: T }>

interface Dated extends LogEnd {
  readonly atMs: number
}

export interface ElectionsOptions {
  readonly nowMs: () => number
  /** By member number, and by uid. */
  readonly replica: (slot: number, member: number | string) => Replica
  /** Somebody leads a slot for the first time in a term. */
  readonly leads: (leader: Replica, term: number) => void
  readonly violation: (what: string) => void
}

/**
 * One leader per term, one vote per term and voter, votes durable before they are given, and elections only by who could
 * win one: pre-vote is there so that a peer whose log is behind never deposes a leader (thesis 9.6).
 */
export class Elections {
  readonly #options: ElectionsOptions
  /** Leader by slot and term. */
  readonly #leaders = new Map<string, string>()
  /** Candidate by slot, term and voter. */
  readonly #votes = new Map<string, number>()
  /** Who was ready to vote for a candidate that its log allowed, by slot, candidate and term. */
  readonly #backers = new Map<string, Set<string>>()
  /** The candidate's log in its last pre-vote, by slot and candidate. */
  readonly #asked = new Map<string, LogEnd>()
  /** Where a replica's log ended in the last moments. */
  readonly #ends = new WeakMap<Replica, Dated[]>()

  constructor(options: ElectionsOptions) {
    this.#options = options
  }

  /** A message that speaks for the leader of its term. */
  ledBy(replica: Replica, term: number): void {
    const key = `${replica.slot}/${term}`
    const known = this.#leaders.get(key)
    if (known === replica.peer) return
    if (known === undefined) {
      this.#leaders.set(key, replica.peer)
      this.#options.leads(replica, term)
      return
    }
    this.#violation(
      `one leader per term: ${known} and ${replica.peer} lead term ${term} of slot ${replica.slot}`,
    )
  }

  leaderOf(slot: number, term: number): string | undefined {
    return this.#leaders.get(`${slot}/${term}`)
  }

  /** The replica's log ends elsewhere now. */
  moved(replica: Replica): void {
    const atMs = this.#options.nowMs()
    const ends = this.#ends.get(replica) ?? []
    this.#ends.set(replica, ends)
    ends.push({ ...replica.written.end, atMs })
    while (ends.length > 1 && ends[1]!.atMs < atMs - ANSWER_MS) ends.shift()
  }

  asksAround({ slot, peer }: Replica, { lastIndex, lastTerm }: Kind<'preVote'>): void {
    this.#asked.set(`${slot}/${peer}`, { index: lastIndex, term: lastTerm })
  }

  wouldVote(voter: Replica, message: Kind<'preVoteResponse'>): void {
    if (!message.granted) return
    const { slot } = voter
    const candidate = this.#options.replica(slot, message.to)
    const asked = this.#asked.get(`${slot}/${candidate.peer}`)
    if (asked === undefined || !this.#isGoodEnough(voter, asked)) return
    const key = `${slot}/${candidate.peer}/${message.term}`
    const backers = this.#backers.get(key) ?? new Set()
    this.#backers.set(key, backers.add(voter.peer))
  }

  stands(candidate: Replica, { from, term, transfer }: Kind<'vote'>): void {
    const { slot, peer } = candidate
    if (!isBound(candidate, term, from)) {
      this.#violation(`votes are durable: ${peer} stands in term ${term} of slot ${slot} and may forget it`)
    }
    this.#voted(candidate, term, from)
    if (transfer) return
    const key = `${slot}/${peer}/${term}`
    const backers = this.#backers.get(key)
    const { configuration } = candidate.written
    const agrees = (uid: string) => {
      const voter = this.#options.replica(slot, uid)
      return voter === candidate || backers?.has(voter.peer) === true
    }
    if (configuration === undefined || isQuorum(configuration, agrees)) return
    this.#violation(
      `who cannot win disturbs nobody: ${peer} begins term ${term} of slot ${slot}, its log is good enough for ${backers?.size ?? 0} others`,
    )
  }

  votes(voter: Replica, message: Kind<'voteResponse'>): void {
    const { term, to, granted } = message
    if (!granted) return
    if (!isBound(voter, term, to)) {
      this.#violation(
        `votes are durable: ${voter.peer} votes in term ${term} of slot ${voter.slot} unwritten`,
      )
    }
    this.#voted(voter, term, to)
  }

  #voted({ slot, peer }: Replica, term: number, candidate: number): void {
    const key = `${slot}/${term}/${peer}`
    const known = this.#votes.get(key)
    if (known === undefined) this.#votes.set(key, candidate)
    else if (known !== candidate) {
      this.#violation(
        `one vote per term: ${peer} votes for ${known} and ${candidate}, term ${term}, slot ${slot}`,
      )
    }
  }

  /** Whether the voter's log was, a moment ago, no better than the candidate's (paper 5.4.1). */
  #isGoodEnough(voter: Replica, { index, term }: LogEnd): boolean {
    const sinceMs = this.#options.nowMs() - ANSWER_MS
    if (voter.written.cutMs >= sinceMs) return true
    const ends = this.#ends.get(voter) ?? [{ ...voter.written.end, atMs: 0 }]
    // Where it ended until `sinceMs` and later: an end holds until the next one.
    const recent = ends.filter((_end, i) => (ends[i + 1]?.atMs ?? Number.POSITIVE_INFINITY) >= sinceMs)
    return recent.some(end => term > end.term || (term === end.term && index >= end.index))
  }

  #violation(what: string): void {
    this.#options.violation(what)
  }
}

/** A restart cannot take the vote back: it is durable, or a later term is, in which nobody votes in this one. */
function isBound({ votes, durable }: Replica, term: number, candidate: number): boolean {
  return votes.get(term) === candidate || durable.term > term
}
