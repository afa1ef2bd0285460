import { invariant } from './invariant.ts'
import { appendConfiguration, becomeFollower, forgetOutsiders } from './roles.ts'
import type { RaftState } from './state.ts'
import type { ChangeRefusal, Configuration, Member, MembershipTarget } from './types.ts'

/** A change of the configuration is not finished: it is joint, or not committed yet. */
export function isChanging(state: RaftState): boolean {
  const { current, index } = state.configurations
  return current.outgoing !== undefined || index > state.log.commit
}

/**
 * Begins a change (paper section 6, joint consensus). Only behind an entry of the own term: before that the leader does
 * not know whether the configuration it sees is committed. Returns the index of the first entry, or why not.
 */
export function changeMembers(state: RaftState, target: MembershipTarget): number | ChangeRefusal {
  if (state.role !== 'leader') return 'notLeader'
  if (state.transferee !== 0) return 'transferring'
  if (state.log.commit < state.termStart) return 'notReady'
  if (isChanging(state)) return 'changing'
  const { current } = state.configurations
  if (target.rosterVersion < current.rosterVersion) return 'outdated'
  checkTarget(target, current)
  const outgoing = isSame(current.voters, target.voters) ? undefined : current.voters
  return appendConfiguration(state, configurationOf(target, outgoing))
}

/**
 * Takes the next step of a change when the last one is committed: out of the joint configuration, whoever began it,
 * and out of office for a leader that is no voter any more (thesis 4.2.2).
 */
export function advanceMembership(state: RaftState): void {
  const { current, index } = state.configurations
  if (index > state.log.commit) return
  if (current.outgoing !== undefined) {
    appendConfiguration(state, configurationOf(current, undefined))
    return
  }
  forgetOutsiders(state)
  if (!state.configurations.isVoter(state.number)) stepDown(state)
}

/** Lets a voter that is level stand at once, so that nobody waits for an election timeout. */
function stepDown(state: RaftState): void {
  const { voters } = state.configurations
  const level = [...state.progress].find(
    ([number, { match }]) => voters.has(number) && match === state.log.lastIndex,
  )
  if (level) state.send({ type: 'timeoutNow', from: state.number, to: level[0], term: state.term })
  becomeFollower(state, state.term, 0)
}

function configurationOf(target: MembershipTarget, outgoing: readonly Member[] | undefined): Configuration {
  const { rosterVersion, voters, learners = [] } = target
  return {
    ...{ rosterVersion, voters },
    ...(outgoing !== undefined && { outgoing }),
    ...(learners.length > 0 && { learners }),
  }
}

function checkTarget({ voters, learners = [] }: MembershipTarget, current: Configuration): void {
  const members = [...voters, ...learners]
  const numbers = members.map(({ number }) => number)
  invariant(voters.length > 0, 'a configuration without voters is proposed')
  invariant(new Set(numbers).size === numbers.length, `a configuration names a member twice: ${numbers}`)
  // What is known of a number is known of one store: another store is another member.
  const uids = new Map(
    [...current.voters, ...(current.learners ?? [])].map(({ number, uid }) => [number, uid]),
  )
  for (const { number, uid } of members) {
    const known = uids.get(number) ?? uid
    invariant(
      known === uid,
      `member ${number} of store ${known} is given the store ${uid}: it needs another number`,
    )
  }
}

function isSame(one: readonly Member[], other: readonly Member[]): boolean {
  const numbers = new Set(one.map(({ number }) => number))
  return one.length === other.length && other.every(({ number }) => numbers.has(number))
}
