import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from './roles.ts'
import type { RaftState } from './state.ts'
import { courtesyTicks, silenceTicks } from './timing.ts'
import type { Message } from './types.ts'

type VoteRequest = Extract<Message, { type: 'preVote' | 'vote' }>
type VoteResponse = Extract<Message, { type: 'preVoteResponse' | 'voteResponse' }>

/** Asks everybody whether an election could be won; a member that may not stand stays quiet. */
export function standForElection(state: RaftState): void {
  if (!mayStand(state)) return
  becomePreCandidate(state)
  askForVotes(state, 'preVote', state.term + 1, false)
  countVotes(state)
}

/** Stands for election without asking first, because the leader said so (thesis 3.10). */
export function standForTransfer(state: RaftState): void {
  if (mayStand(state)) runForLeader(state, true)
}

/**
 * Evidence that the process of `number` is gone. When it led this member, stickiness towards it ends, and the next in
 * order of succession stands at once, the others each a little later. Said again, it changes nothing.
 */
export function leaderGone(state: RaftState, number: number): void {
  if (state.role === 'leader' || number === 0 || number !== state.lastLeader || state.leaderIsGone) return
  state.leaderIsGone = true
  if (state.role !== 'follower') return
  state.leader = 0
  // In a term that another one has begun since, that one goes first.
  const pause = state.lastLeaderTerm === state.term ? 0 : state.options.successionTicks
  const waitTicks = courtesyTicks(state) + pause
  if (waitTicks === 0) standForElection(state)
  else state.electionTimeout = Math.min(state.electionTimeout, state.electionElapsed + waitTicks)
}

/**
 * Answers a request for a vote (paper 5.2, 5.4.1) or a pre-vote; stickiness has been judged before.
 *
 * The own configuration is not asked (thesis 4.1, 4.2.1): a learner, and a member founded empty, may be a voter in a
 * configuration that has not reached it, and without its vote there might be no leader to send it. Such a vote is safe
 * as any: it is for the term once, and what this member acknowledged is in its log. The exception is one that lost its
 * log when it was taken out and comes again: an old configuration may still count on it, at a candidate that never heard
 * of anything since. With an empty log it would vote for it. Therefore the end of the lost log stands for it (`floor`)
 * until the own one is as good; term and vote are those of the earlier life.
 */
export function onVoteRequest(state: RaftState, message: VoteRequest): void {
  const ahead = message.type === 'preVote' && message.term > state.term
  const free = state.vote === message.from || (state.vote === 0 && state.leader === 0)
  const granted = (ahead || free) && state.log.isUpToDate(message.lastIndex, message.lastTerm)
  if (granted && message.type === 'vote') {
    if (state.role === 'preCandidate') becomeFollower(state, state.term, 0)
    state.vote = message.from
    state.electionElapsed = 0
    state.electionTimeout = silenceTicks(state)
  }
  state.send({
    type: message.type === 'preVote' ? 'preVoteResponse' : 'voteResponse',
    from: state.number,
    to: message.from,
    // A granted pre-vote speaks of the term asked about, a refusal of the own one.
    term: granted ? message.term : state.term,
    granted,
  })
}

/** Counts an answer that belongs to the round under way. */
export function onVoteResponse(state: RaftState, message: VoteResponse): void {
  const asked = message.type === 'preVoteResponse' ? 'preCandidate' : 'candidate'
  if (state.role !== asked || !state.configurations.isVoter(message.from)) return
  const grantedTerm = asked === 'preCandidate' ? state.term + 1 : state.term
  if (message.granted && message.term !== grantedTerm) return
  if (!state.votes.has(message.from)) state.votes.set(message.from, message.granted)
  countVotes(state)
}

/**
 * Only a voter stands, or one until a configuration without it is committed: nobody else may have a log that can win
 * (thesis 4.2.2); its own vote does not count then. None stands that lacks what it once acknowledged: old entries,
 * replayed, may name it a voter, and its own vote would pass for a log that it lost.
 */
function mayStand({ configurations, number, log }: RaftState): boolean {
  return configurations.mayBeVoter(number, log.commit) && log.floor === undefined
}

function runForLeader(state: RaftState, transfer: boolean): void {
  becomeCandidate(state)
  askForVotes(state, 'vote', state.term, transfer)
  countVotes(state)
}

function askForVotes(state: RaftState, type: 'preVote' | 'vote', term: number, transfer: boolean): void {
  const { lastIndex, lastTerm } = state.log
  for (const to of state.configurations.voters) {
    if (to === state.number) continue
    state.send({ type, from: state.number, to, term, lastIndex, lastTerm, transfer })
  }
}

function countVotes(state: RaftState): void {
  const { configurations, votes } = state
  if (configurations.isQuorum(number => votes.get(number) === true)) {
    if (state.role === 'preCandidate') runForLeader(state, false)
    else becomeLeader(state)
  } else if (configurations.isOutOfReach(number => votes.get(number) === false)) {
    becomeFollower(state, state.term, 0)
  }
}
