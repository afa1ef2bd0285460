import type { Configuration, Member } from '../../../services/peer/raft/types.ts'

/** The sets of voters each of which must agree: two in the joint phase of a change. */
function setsOf({ voters, outgoing }: Configuration): readonly (readonly Member[])[] {
  return outgoing === undefined ? [voters] : [voters, outgoing]
}

/** Those for whom `agrees` is true make a quorum: a majority of each set of voters. */
export function isQuorum(configuration: Configuration, agrees: (uid: string) => boolean): boolean {
  return setsOf(configuration).every(set => 2 * set.filter(({ uid }) => agrees(uid)).length > set.length)
}

/** Everybody with a vote, each once. */
export function votersOf(configuration: Configuration): readonly string[] {
  return [...new Set(setsOf(configuration).flatMap(set => set.map(({ uid }) => uid)))]
}

/** Voters and learners. */
export function isMember(configuration: Configuration, uid: string): boolean {
  const { learners = [] } = configuration
  return votersOf(configuration).includes(uid) || learners.some(learner => learner.uid === uid)
}

/** Whether every quorum of the one has somebody in common with every quorum of the other (paper section 6). */
export function quorumsMeet(one: Configuration, other: Configuration): boolean {
  const all = [...new Set([...votersOf(one), ...votersOf(other)])]
  for (let chosen = 0; chosen < 2 ** all.length; chosen++) {
    const isIn = (uid: string) => ((chosen >> all.indexOf(uid)) & 1) === 1
    if (isQuorum(one, isIn) && isQuorum(other, uid => !isIn(uid))) return false
  }
  return true
}

/** A configuration in few words. */
export function textOf({ rosterVersion, voters, outgoing, learners }: Configuration): string {
  const numbers = (set: readonly Member[]) => set.map(({ number }) => number).join(' ')
  const from = outgoing === undefined ? '' : `, from ${numbers(outgoing)}`
  const learning = learners === undefined ? '' : `, learners ${numbers(learners)}`
  return `${numbers(voters)}${from}${learning}, roster ${rosterVersion}`
}
