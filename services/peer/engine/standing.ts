import type { PeerId } from '../cube/labels.ts'
import type { Roster } from '../cube/roster.ts'
import type { Configuration, Member, RaftMember } from '../raft/types.ts'
import type { Rosters } from './rosters.ts'

/** Who takes part in one slot, by id: its configuration in force, read with the roster. */
export class Standing {
  /** The peer that should be primary; the first of `succession` once it is a voter. */
  home: PeerId
  /** The voters in the order in which they take the slot over; in the joint phase of a change those of both sets. */
  succession: readonly PeerId[] = []
  /** Everybody the log goes to: voters and learners. */
  members: readonly PeerId[] = []
  /** This peer is one of the voters. */
  isVoter = false
  /** The slot stands where the roster places it. */
  isSettled = false
  readonly #slot: number
  readonly #number: number
  readonly #rosters: Rosters
  #configuration: Configuration | undefined
  #roster: Roster | undefined

  constructor(slot: number, number: number, rosters: Rosters) {
    this.#slot = slot
    this.#number = number
    this.#rosters = rosters
    this.home = rosters.order(slot)[0]!
  }

  /** To be called when either may have changed. True when they have; `numbers` is then another order. */
  update(configuration: Configuration): boolean {
    const roster = this.#rosters.current
    if (configuration === this.#configuration && roster === this.#roster) return false
    this.#configuration = configuration
    this.#roster = roster
    const order = this.#rosters.order(this.#slot)
    const { voters, outgoing = [], learners = [] } = configuration
    const taking = this.#ids([...voters, ...outgoing])
    this.home = order[0]!
    this.succession = [
      ...order.filter(id => taking.includes(id)),
      ...taking.filter(id => !order.includes(id)),
    ]
    this.members = [...new Set([...this.succession, ...this.#ids(learners)])]
    this.isVoter = [...voters, ...outgoing].some(({ number }) => number === this.#number)
    this.isSettled = this.#rosters.settles(this.#slot, configuration)
    return true
  }

  /** Member numbers in order of succession. */
  get numbers(): number[] {
    return this.succession.map(id => this.#rosters.numberOf(id))
  }

  /** Members the roster no longer lists are nobody that could be talked to. */
  #ids(members: readonly Member[]): PeerId[] {
    return [...new Set(members.flatMap(({ number }) => this.#rosters.peerOf(number) ?? []))]
  }
}

/**
 * Who takes part in a slot: while its configuration is not committed, those of the one before it too, who still count
 * if it never is.
 */
export function everybody({ configuration, committedConfiguration }: RaftMember): Configuration {
  if (configuration === committedConfiguration) return configuration
  const { voters, outgoing = [], learners = [] } = configuration
  const before = committedConfiguration
  const old = [...outgoing, ...before.voters, ...(before.outgoing ?? []), ...(before.learners ?? [])]
  const unlisted = old.filter(({ number }, at) => old.findIndex(one => one.number === number) === at)
  return { rosterVersion: configuration.rosterVersion, voters, outgoing: unlisted, learners }
}
