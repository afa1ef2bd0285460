import { invariant } from './invariant.ts'
import { Progress } from './progress.ts'
import type { RaftState } from './state.ts'
import { retryTicks, silenceTicks } from './timing.ts'
import type { Configuration, Entry } from './types.ts'

const NO_DATA = new Uint8Array(0)

/** Follows `leader` (0: nobody known) in `term`, which is not below the own. */
export function becomeFollower(state: RaftState, term: number, leader: number): void {
  if (state.role === 'leader') leaveLeadership(state)
  state.role = 'follower'
  state.votes.clear()
  enterTerm(state, term)
  state.leader = leader
  if (leader !== 0) noteLeader(state, leader)
  state.electionElapsed = 0
  state.electionTimeout = leader === 0 ? retryTicks(state) : silenceTicks(state)
}

/** A message of `term`, the own one, shows that `leader` leads it. Throws InvariantBroken when another one does. */
export function hearLeader(state: RaftState, leader: number): void {
  invariant(
    state.role !== 'leader' && (state.lastLeaderTerm !== state.term || state.lastLeader === leader),
    `members ${state.lastLeader} and ${leader} both lead term ${state.term}`,
  )
  if (state.role !== 'follower' || state.leader !== leader) becomeFollower(state, state.term, leader)
  else state.electionElapsed = 0
}

/** Asks whether an election could be won, without changing the term (thesis 9.6). */
export function becomePreCandidate(state: RaftState): void {
  invariant(state.role !== 'leader', 'a leader does not stand for election')
  state.role = 'preCandidate'
  beginRound(state)
}

/** Stands for election in the next term, with its own vote. */
export function becomeCandidate(state: RaftState): void {
  invariant(state.role !== 'leader', 'a leader does not stand for election')
  state.role = 'candidate'
  enterTerm(state, state.term + 1)
  state.vote = state.number
  beginRound(state)
}

/** Leads the term it won. Its no-op goes first: only with it may older entries commit (paper 5.4.2, 8). */
export function becomeLeader(state: RaftState): void {
  invariant(state.role === 'candidate', `a ${state.role} does not become leader`)
  state.role = 'leader'
  state.leader = state.number
  noteLeader(state, state.number)
  state.votes.clear()
  state.electionElapsed = 0
  state.leaderTicks = 0
  state.heartbeatElapsed = 0
  state.progress.clear()
  followConfiguration(state)
  state.termStart = appendOwn(state, 'noop', NO_DATA)
}

/** Appends an entry of the own term at the leader; returns its index. */
export function appendOwn(state: RaftState, type: 'data' | 'noop', data: Uint8Array): number {
  const entry: Entry = { index: state.log.lastIndex + 1, term: state.term, type, data }
  state.log.append([entry])
  return entry.index
}

/** Appends a configuration at the leader: it is in force from now on. Returns its index. */
export function appendConfiguration(state: RaftState, configuration: Configuration): number {
  const index = state.log.lastIndex + 1
  const entry: Entry = { index, term: state.term, type: 'config', data: NO_DATA, configuration }
  state.log.append([entry])
  state.configurations.append([entry])
  followConfiguration(state)
  return index
}

/**
 * Takes the members of the configuration in force among the leader's followers. Those it leaves out stay until it is
 * committed, and count nowhere: so they learn that they are out.
 */
function followConfiguration(state: RaftState): void {
  for (const number of state.configurations.members) {
    if (number === state.number || state.progress.has(number)) continue
    state.progress.set(number, new Progress(state.log.lastIndex + 1, state.leaderTicks))
  }
}

/** The configuration in force is committed: whoever it leaves out has been told, or will have to ask. */
export function forgetOutsiders(state: RaftState): void {
  const { members } = state.configurations
  for (const number of state.progress.keys()) if (!members.has(number)) state.progress.delete(number)
}

function enterTerm(state: RaftState, term: number): void {
  invariant(term >= state.term, `term ${term} would take back term ${state.term}`)
  if (term === state.term) return
  state.term = term
  state.vote = 0
  // The new term's leader may cut off what these acknowledge before it is written, and the old one's needs no answer.
  state.messagesAfterPersist = state.messagesAfterPersist.filter(({ type }) => type !== 'appendResponse')
}

function beginRound(state: RaftState): void {
  state.leader = 0
  state.votes.clear()
  state.votes.set(state.number, true)
  state.attempts++
  state.electionElapsed = 0
  state.electionTimeout = retryTicks(state)
}

function noteLeader(state: RaftState, leader: number): void {
  state.lastLeader = leader
  state.lastLeaderTerm = state.term
  state.leaderIsGone = false
  state.attempts = 0
}

function leaveLeadership(state: RaftState): void {
  state.progress.clear()
  state.uncommitted.clear()
  state.reads.fail()
  state.transferee = 0
  state.transferElapsed = 0
  state.transfereeTold = false
}
