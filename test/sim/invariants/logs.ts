import type { Configuration, Entry } from '../../../services/peer/raft/types.ts'
import type { Replica } from './slot-disk.ts'
import { isQuorum, quorumsMeet, textOf, votersOf } from './voters.ts'

interface Known {
  readonly term: number
  /** Term of the entry before it. */
  readonly before: number
  readonly data: Uint8Array
  /** What a configuration entry says, as JSON. */
  readonly configuration: string | undefined
}

/** One slot's entries as all replicas wrote them, and how far they are committed. */
interface SlotLog {
  /** By index; more than one where entries were replaced. */
  readonly entries: Known[][]
  /** Term of each committed entry, by index. */
  readonly committed: number[]
  /** By index, a term in which at the latest it was committed; never falls. */
  readonly byTerm: number[]
}

export interface LogsOptions {
  readonly replica: (slot: number, uid: string) => Replica
  /** What a leader counts by, which it may not have written yet; undefined when it does not run. */
  readonly inForce: (leader: Replica) => Configuration | undefined
  readonly violation: (what: string) => void
}

/**
 * Quorums: those of a configuration and of the one before it in a log have somebody in common. Log matching: two entries with the same index and term are the same, and so is what is before them. Leader
 * completeness and state-machine safety: an index is committed once, durably at a quorum of the configuration in force
 * at its leader, and only by counting entries of the leader's own term.
 */
export class Logs {
  readonly #options: LogsOptions
  readonly #slots = new Map<number, SlotLog>()

  constructor(options: LogsOptions) {
    this.#options = options
  }

  /** A replica wrote entries behind one of the term `before`. */
  wrote({ peer, slot, written }: Replica, entries: readonly Entry[], before: number | undefined): void {
    const { entries: known } = this.#slot(slot)
    let previous = before
    let inForce = entries[0] && written.configurationAt(entries[0].index - 1)
    for (const { index, term, data, configuration: given } of entries) {
      if (given) {
        this.#changes(peer, slot, inForce, given)
        inForce = given
      }
      const configuration = given && JSON.stringify(given)
      known[index] ??= []
      const same = known[index].find(one => one.term === term)
      if (same === undefined) {
        if (previous !== undefined) known[index].push({ term, before: previous, data, configuration })
      } else if (previous !== undefined && same.before !== previous) {
        this.#violation(
          `log matching: ${peer} has entry ${index} of term ${term}, slot ${slot}, behind another one`,
        )
      } else if (
        same.configuration !== configuration ||
        (same.data !== data && Buffer.compare(same.data, data) !== 0)
      ) {
        this.#violation(`log matching: ${peer} has another entry ${index} of term ${term}, slot ${slot}`)
      }
      previous = term
    }
  }

  /** The leader of a term says, or shows, that everything up to `index` is committed. */
  claimed(leader: Replica, term: number, index: number): void {
    const { slot, peer, written } = leader
    const { committed } = this.#slot(slot)
    const known = committed.length - 1
    this.#agrees(leader, Math.min(index, known), 'leader completeness')
    if (index <= known) return
    const last = written.termAt(index)
    if (last === undefined) {
      this.#violation(`committed is durable: ${peer} commits entry ${index} of slot ${slot}, which it lacks`)
      return
    }
    if (last !== term) {
      this.#violation(
        `only the own term is counted: ${peer}, leader of term ${term}, commits entry ${index} of term ${last}, slot ${slot}`,
      )
    }
    this.#commits(leader, index, last, term)
  }

  /** What a member knew to be committed when it began to lead, which it may have counted itself in an earlier term. */
  learned(leader: Replica, index: number, term: number): void {
    const { slot, written } = leader
    const last = written.termAt(index)
    if (last !== undefined && index >= this.#slot(slot).committed.length)
      this.#commits(leader, index, last, term - 1)
  }

  #commits(leader: Replica, index: number, last: number, term: number): void {
    const { slot, written } = leader
    const { committed, byTerm } = this.#slot(slot)
    for (let at = committed.length; at <= index; at++) {
      committed[at] = written.termAt(at) ?? last
      byTerm[at] = Math.max(term, byTerm[at - 1] ?? 0)
    }
    // A leader counts by the newest one in its log, which it may have appended behind this entry.
    const inForce = this.#options.inForce(leader)
    const configurations = [...written.configurationsFrom(index), ...(inForce ? [inForce] : [])]
    const holds = (uid: string) => this.#options.replica(slot, uid).durable.holds(index, last)
    if (configurations.length === 0 || configurations.some(one => isQuorum(one, holds))) return
    const voters = votersOf(configurations[0]!)
    this.#violation(
      `committed is durable: entry ${index} of slot ${slot} is committed, durable at ${voters.filter(holds).length} of ${voters.length}`,
    )
  }

  /** The newest configuration that is committed; undefined of a log that does not hold all that is. */
  committedConfiguration({ slot, written }: Replica): Configuration | undefined {
    const index = this.committed(slot)
    const term = this.#slot(slot).committed[index]
    const isWhole = term !== undefined && written.last >= index && written.holds(index, term)
    return isWhole ? written.configurationAt(index) : undefined
  }

  #changes(peer: string, slot: number, before: Configuration | undefined, after: Configuration): void {
    if (before === undefined || before.voters.length === 0 || quorumsMeet(before, after)) return
    this.#violation(`quorums meet: ${peer} has slot ${slot} go from ${textOf(before)} to ${textOf(after)}`)
  }

  /** Highest index known to be committed. */
  committed(slot: number): number {
    return this.#slot(slot).committed.length - 1
  }

  /** A replica has applied everything up to `index`, the last entry being of `term`. */
  applied({ peer, slot }: Replica, index: number, term: number): void {
    const { committed } = this.#slot(slot)
    if (index >= committed.length) {
      this.#violation(`state-machine safety: ${peer} applied entry ${index} of slot ${slot} uncommitted`)
    } else if (index > 0 && committed[index] !== undefined && committed[index] !== term) {
      this.#violation(`state-machine safety: ${peer} applied another entry ${index} of slot ${slot}`)
    }
  }

  /** A member is seen to lead a term, perhaps late: it must hold all that was committed in earlier ones. */
  leads(leader: Replica, term: number): void {
    const { byTerm } = this.#slot(leader.slot)
    let index = byTerm.length - 1
    while (index > 0 && byTerm[index]! >= term) index--
    this.#agrees(leader, index, 'leader completeness')
  }

  /** Founded replicas begin with the same committed entries. */
  founded(slot: number, commit: number, term: number): void {
    const { committed, byTerm } = this.#slot(slot)
    for (let at = committed.length; at <= commit; at++) {
      committed[at] = term
      byTerm[at] = term
    }
  }

  #agrees({ peer, slot, written }: Replica, index: number, what: string): void {
    const term = this.#slot(slot).committed[index]
    if (index < 1 || term === undefined || written.holds(index, term)) return
    this.#violation(`${what}: ${peer} lacks committed entry ${index} of slot ${slot}`)
  }

  #slot(slot: number): SlotLog {
    let log = this.#slots.get(slot)
    if (log === undefined) {
      log = { entries: [], committed: [0], byTerm: [0] }
      this.#slots.set(slot, log)
    }
    return log
  }

  #violation(what: string): void {
    this.#options.violation(what)
  }
}
