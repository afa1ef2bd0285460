import { invariant } from './invariant.ts'
import type { Configuration, DatedConfiguration, Entry, LogReader, Member } from './types.ts'

/** Votes needed among `voters` voters. */
export function majority(voters: number): number {
  return Math.floor(voters / 2) + 1
}

/**
 * The configurations of the log, by the index they stand at. The newest one in the log is in force as soon as it is
 * appended, committed or not (paper section 6), and the one before it again when it is truncated.
 */
export class Configurations {
  #dated: DatedConfiguration[]

  constructor(index: number, configuration: Configuration) {
    this.#dated = [{ index, configuration }]
  }

  /** The configurations of a stored log: `atStart` is in force before its first entry. */
  static read(log: LogReader, atStart: Configuration): Configurations {
    const found = new Configurations(log.firstIndex() - 1, atStart)
    found.#dated.push(...log.configurations())
    return found
  }

  get current(): Configuration {
    return this.#dated.at(-1)!.configuration
  }

  /** The configuration in force at `index`, which is not below what was last forgotten. */
  at(index: number): Configuration {
    const dated = this.#dated.findLast(one => one.index <= index)
    invariant(dated !== undefined, `the configuration at ${index} is forgotten`)
    return dated.configuration
  }

  /** Follows what {@link RaftLog.append} does to the log. */
  append(entries: readonly Entry[]): void {
    const first = entries[0]
    if (first === undefined) return
    while (this.#dated.length > 1 && this.#dated.at(-1)!.index >= first.index) this.#dated.pop()
    for (const entry of entries) {
      if (entry.type !== 'config') continue
      invariant(entry.configuration !== undefined, `configuration entry ${entry.index} carries none`)
      this.#dated.push({ index: entry.index, configuration: entry.configuration })
    }
  }

  /** The log begins anew behind a snapshot. */
  restore(index: number, configuration: Configuration): void {
    this.#dated = [{ index, configuration }]
  }

  /** Forgets what was superseded at or before `index`, which is applied and can no longer be truncated. */
  forget(index: number): void {
    while (this.#dated.length > 1 && this.#dated[1]!.index <= index) this.#dated.shift()
  }

  /** Index of the entry that holds the current configuration. */
  get index(): number {
    return this.#dated.at(-1)!.index
  }

  /** The sets of voters each of which must agree. */
  get #sets(): readonly (readonly Member[])[] {
    return setsOf(this.current)
  }

  /** Numbers of all voters, each once. */
  get voters(): ReadonlySet<number> {
    return new Set(this.#sets.flatMap(set => set.map(({ number }) => number)))
  }

  /** Numbers of all who receive the log: voters and learners. */
  get members(): ReadonlySet<number> {
    const learners = (this.current.learners ?? []).map(({ number }) => number)
    return new Set([...this.voters, ...learners])
  }

  isVoter(number: number): boolean {
    return isIn(this.current, number)
  }

  /** A voter of the configuration in force at `commit` or of one behind it, which may be undone yet. */
  mayBeVoter(number: number, commit: number): boolean {
    const from = this.#dated.findLastIndex(({ index }) => index <= commit)
    return this.#dated.slice(Math.max(0, from)).some(({ configuration }) => isIn(configuration, number))
  }

  /** How many of the voters `holds` is true for. */
  count(holds: (number: number) => boolean): number {
    let count = 0
    for (const number of this.voters) if (holds(number)) count++
    return count
  }

  /** Those for whom `holds` is true make a quorum: a majority of each set of voters. */
  isQuorum(holds: (number: number) => boolean): boolean {
    return this.#sets.every(set => countOf(set, holds) >= majority(set.length))
  }

  /** Without those for whom `refuses` is true there is no quorum. */
  isOutOfReach(refuses: (number: number) => boolean): boolean {
    return this.#sets.some(set => set.length - countOf(set, refuses) < majority(set.length))
  }

  /** The highest value that a quorum of the voters has reached. */
  reachedByQuorum(value: (number: number) => number): number {
    const reached = this.#sets.map(set => {
      const values = set.map(voter => value(voter.number)).sort((a, b) => b - a)
      return values[majority(set.length) - 1] ?? 0
    })
    return Math.min(...reached)
  }
}

/** Two in the joint phase of a change. */
function setsOf({ voters, outgoing }: Configuration): readonly (readonly Member[])[] {
  return outgoing === undefined ? [voters] : [voters, outgoing]
}

function isIn(configuration: Configuration, number: number): boolean {
  return setsOf(configuration).some(set => set.some(voter => voter.number === number))
}

function countOf(set: readonly Member[], holds: (number: number) => boolean): number {
  let count = 0
  for (const { number } of set) if (holds(number)) count++
  return count
}
