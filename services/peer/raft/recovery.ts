import { invariant } from './invariant.ts'
import { appendConfiguration, becomeCandidate, becomeFollower, becomeLeader } from './roles.ts'
import type { RaftState } from './state.ts'

/**
 * Goes on without the other voters, who are gone for good: appends a configuration of this member alone, in `term`, and
 * leads it. Returns the index of that entry.
 *
 * It breaks what elections keep. No quorum is asked, so an entry that only lost members held is gone even if it was
 * committed and acknowledged, and the log's tail, of which nobody knew whether it was, becomes committed. A lost member
 * that is not lost after all may lead the old configuration with others of its kind: two histories.
 *
 * What it does keep: the log only grows, so nothing that was applied here is taken back; and the entry is the first of a
 * term above those of all that are left, so that a log without it is never up to date again and gives way to this one
 * wherever the two meet (paper 5.3, 5.4.1). The joint step of a change would need the voters that are gone, hence none.
 */
export function goOnAlone(state: RaftState, uid: string, term: number, rosterVersion: number): number {
  const { number } = state
  invariant(term > state.term, `going on alone in term ${term} needs one above ${state.term}`)
  becomeFollower(state, term - 1, 0)
  becomeCandidate(state)
  const version = Math.max(rosterVersion, state.configurations.current.rosterVersion)
  // Before it leads: nobody that the configuration before names is sent anything.
  const index = appendConfiguration(state, { rosterVersion: version, voters: [{ number, uid }] })
  becomeLeader(state)
  return index
}
