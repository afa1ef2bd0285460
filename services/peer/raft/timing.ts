import type { RaftState } from './state.ts'

/** Rounds of pre-votes tried at the short pace while the leader is known to be gone, before the pauses grow. */
const URGENT_ATTEMPTS = 8

/** Doublings after which a pause between rounds is at its longest anyway. */
const MAX_DOUBLINGS = 16

/**
 * This member's place in the order of succession among those that may follow the last leader, 0 for the first.
 * Voters that are not listed come last, by number.
 */
export function successionRank(state: RaftState): number {
  const { succession } = state
  const suspect = state.lastLeader === state.number ? 0 : state.lastLeader
  const place = (number: number): number => {
    const at = succession.indexOf(number)
    return at < 0 ? succession.length : at
  }
  const own = place(state.number)
  return state.configurations.count(number => {
    if (number === suspect || number === state.number) return false
    const other = place(number)
    return other < own || (other === own && number < state.number)
  })
}

/** Ticks of silence after which a member that had a leader, or gave its vote, stands for election. */
export function silenceTicks(state: RaftState): number {
  return state.options.electionTicks + successionRank(state) * state.options.successionTicks
}

/** Ticks that this member lets those before it in the order of succession go first. */
export function courtesyTicks(state: RaftState): number {
  return successionRank(state) * state.options.successionTicks
}

/** Changes the order of succession; the wait under way becomes what it would have been with it. */
export function setSuccession(state: RaftState, succession: readonly number[]): void {
  const before = courtesyTicks(state)
  state.succession = [...succession]
  if (state.leader !== 0) state.electionTimeout = silenceTicks(state)
  else state.electionTimeout = Math.max(1, state.electionTimeout + courtesyTicks(state) - before)
}

/**
 * Ticks until a member without a leader begins another round of votes. Short at first, in order of succession, with
 * chance against ties; then doubling up to the election timeout, so that a slow disk's answers still find their round.
 */
export function retryTicks(state: RaftState): number {
  const { electionTicks, successionTicks, random } = state.options
  const urgent = state.role !== 'candidate' && (state.leaderIsGone || state.lastLeader === 0)
  const doublings = Math.min(Math.max(0, state.attempts - (urgent ? URGENT_ATTEMPTS : 1)), MAX_DOUBLINGS)
  const pause = Math.min(electionTicks, successionTicks * 2 ** doublings)
  return Math.max(1, pause + courtesyTicks(state) + Math.floor(random() * (successionTicks + 1)))
}

/**
 * Stickiness (thesis 4.2.3): a member that leads, or heard from a live leader within the election timeout,
 * has no use for an election. Evidence that the leader's process is gone has cleared `leader`.
 */
export function isSticky(state: RaftState): boolean {
  if (state.role === 'leader') return true
  return state.leader !== 0 && state.electionElapsed < state.options.electionTicks
}
