import type { Mutant } from './mutant.ts'

/** Defects in how slots move, and in who takes part. */
export const ROSTER_MUTANTS: readonly Mutant[] = [
  {
    name: 'skip the joint phase',
    file: 'raft/membership.ts',
    find: 'const outgoing = isSame(current.voters, target.voters) ? undefined : current.voters',
    replace: 'const outgoing = undefined',
    shownBy: ['quorums meet'],
  },
  {
    name: 'leave the joint phase before it is committed',
    file: 'raft/membership.ts',
    find: 'if (index > state.log.commit) return',
    replace: 'if (index > state.log.lastIndex) return',
    shownBy: ['one change at a time'],
  },
  {
    name: 'decide by the new voters alone in the joint phase',
    file: 'raft/configuration.ts',
    find: 'return outgoing === undefined ? [voters] : [voters, outgoing]',
    replace: 'return outgoing === undefined ? [voters] : [voters]',
    shownBy: ['committed is durable', 'who cannot win disturbs nobody', 'who hears no quorum does not lead'],
  },
  {
    name: 'count a learner as a voter',
    file: 'raft/configuration.ts',
    find: 'function setsOf({ voters, outgoing }: Configuration): readonly (readonly Member[])[] {\n',
    replace: `function setsOf({ voters, outgoing, learners = [] }: Configuration): readonly (readonly Member[])[] {
  if (outgoing === undefined) return [[...voters, ...learners]]
`,
    shownBy: ['it heals by itself', 'committed is durable', 'who cannot win disturbs nobody'],
  },
  {
    name: 'take a newcomer for level',
    file: 'raft/roles.ts',
    find: 'state.progress.set(number, new Progress(state.log.lastIndex + 1, state.leaderTicks))',
    replace: `state.progress.set(
      number,
      Object.assign(new Progress(state.log.lastIndex + 1, state.leaderTicks), { match: state.log.lastIndex }),
    )`,
    shownBy: ['peer', 'committed is durable', 'leadership is handed to who is level'],
  },
  {
    name: 'begin a change while another one is under way',
    file: 'raft/membership.ts',
    find: 'return current.outgoing !== undefined || index > state.log.commit',
    replace: 'return index < 0',
    shownBy: ['one change at a time', 'quorums meet'],
  },
  {
    name: 'delete a replica without the quorum read',
    file: 'engine/removals.ts',
    find: 'void this.#ask(slot)',
    replace: 'this.#options.slots.remove(slot)',
    shownBy: ['a replica goes when it is out'],
  },
  {
    name: "forget the tombstone's term and vote",
    file: 'engine/held-slots.ts',
    find: 'const { term = 0, vote = 0 } = store.tombstone(slot) ?? {}',
    replace: 'const { term, vote } = { term: 0, vote: 0 }',
    shownBy: ['never goes back'],
  },
  {
    name: 'resume a wiped voter under its old number',
    file: 'cube/roster-change.ts',
    find: 'const number = lastNumberOf(roster) + 1\n  return { ...revised(',
    replace: 'const { number } = peer\n  return { ...revised(',
    shownBy: ['numbers are given once'],
  },
  {
    name: 'go back to an older roster',
    file: 'engine/rosters.ts',
    find: 'if (roster.clusterId !== clusterId || roster.version <= version) return false',
    replace: 'if (roster.clusterId !== clusterId || version < 0) return false',
    shownBy: ['one roster'],
  },
  {
    name: 'evict without asking whether others reach it',
    file: 'membership/departures.ts',
    find: 'if (await reaches(id, this.#deadline())) return false',
    replace: '',
    shownBy: ['who is evicted is out of reach'],
  },
  {
    name: 'evict while slots are on the move',
    file: 'membership/departures.ts',
    find: 'if (unknown > 0 || moving > 0) {',
    replace: 'if (unknown < 0) {',
    shownBy: ['one change at a time'],
  },
  {
    name: 'remove from the list while a slot still names it',
    file: 'membership/departures.ts',
    find: 'if (mayBeNamed(seen, number)) continue',
    replace: 'if (number < 0) continue',
    shownBy: ['who goes off the list is nowhere'],
  },
  {
    name: 'never ask whether one is off the list',
    file: 'membership/departures.ts',
    find: 'if (next) askForRoster(next.id)',
    replace: '',
    shownBy: ['it heals by itself'],
  },
  {
    name: 'admit while slots are on the move',
    file: 'membership/admission.ts',
    find: 'if (moving === 0 && unknown === 0 && !isLeaving) return',
    replace: 'if (unknown >= 0 || isLeaving) return',
    shownBy: ['one change at a time'],
  },
  {
    name: 'change a roster that nobody has judged',
    file: 'cube/roster-change.ts',
    find: 'if (follows !== roster.version) return',
    replace: 'if (follows > roster.version) return',
    shownBy: ['one change at a time'],
  },
  {
    name: 'keep another address to oneself',
    file: 'membership/address.ts',
    find: 'own === undefined || (own.url === url && !own.given)',
    replace: 'rosters.current.version > 0',
    shownBy: ['it heals by itself'],
  },
]
