import { Configurations } from '../../services/peer/raft/configuration.ts'
import type { Configuration, Entry, Message, Ready, Role } from '../../services/peer/raft/types.ts'
import { type Host, text } from './cluster.ts'

/** What must never happen did. */
export class Violation extends Error {}

function must(holds: boolean, what: () => string): void {
  if (!holds) throw new Violation(what())
}

/**
 * Watches all members from outside and knows what the paper promises (figure 3): election safety, leader append-only,
 * log matching, leader completeness and state machine safety; besides, that nothing is said before it is durable.
 */
export class Checker {
  readonly #hosts: ReadonlyMap<number, Host>
  readonly #leaders = new Map<number, number>()
  /** Entries that some member has applied, by index minus one: from then on they are everybody's. */
  readonly committed: Entry[] = []
  readonly #votes = new Map<string, number>()
  readonly #seen = new Map<number, { role: Role; term: number; commit: number }>()
  /** Open reads: who was asked, and how much was committed then. */
  readonly #asked = new Map<number, { by: number; index: number }>()
  reads = 0
  elections = 0

  constructor(hosts: ReadonlyMap<number, Host>) {
    this.#hosts = hosts
  }

  /** Before a Ready is handled: what it hands out is committed, everywhere the same, each once and in order. */
  onReady(host: Host, ready: Ready): void {
    let next = (ready.snapshot?.index ?? host.state.length) + 1
    for (const entry of ready.committed) {
      must(entry.index === next, () => `member ${host.number} is handed ${entry.index}, not ${next}`)
      next++
      must(
        ready.entries.some(({ index, term }) => index === entry.index && term === entry.term) ||
          host.disk.holds(entry),
        () => `member ${host.number} is handed ${show(entry)} before it is written there`,
      )
      this.#onCommitted(host, entry)
    }
    for (const { context, index } of ready.reads) {
      const asked = this.#asked.get(context)?.index
      must(asked !== undefined && index >= asked, () => `read ${context} at ${index}, asked for at ${asked}`)
      this.#asked.delete(context)
      this.reads++
    }
    for (const context of ready.readsFailed) {
      must(this.#asked.delete(context), () => `read ${context} failed and was not open`)
    }
  }

  /** A message leaves `host`: what it promises must be durable there already. */
  onSend(host: Host, message: Message): void {
    const { term, vote } = host.disk.durableHardState
    const what = `member ${host.number} sends ${JSON.stringify(message)}`
    const future = message.type === 'preVote' || (message.type === 'preVoteResponse' && message.granted)
    must(future || message.term <= term, () => `${what} while term ${term} is durable`)
    if (message.type === 'vote')
      must(term > message.term || vote === host.number, () => `${what}, own vote not durable`)
    if (message.type === 'voteResponse' && message.granted) this.#onVote(host, message.term, message.to, what)
    if (message.type === 'appendResponse' && !message.rejected && term === message.term) {
      must(
        host.disk.durableLastIndex >= message.index,
        () => `${what} and holds ${host.disk.durableLastIndex}`,
      )
    }
  }

  onAsked(host: Host, context: number): void {
    this.#asked.set(context, { by: host.number, index: this.committed.length })
  }

  onRestart(host: Host): void {
    this.#seen.delete(host.number)
    for (const [context, { by }] of this.#asked) if (by === host.number) this.#asked.delete(context)
  }

  /** When all is quiet: no read was left without an answer. */
  checkAnswered(): void {
    must(this.#asked.size === 0, () => `reads ${[...this.#asked.keys()]} were never answered`)
  }

  /** After every step. */
  checkMember(host: Host): void {
    if (host.down) return
    const { role, term, commit, leader } = host.status
    const seen = this.#seen.get(host.number)
    must(
      seen === undefined || (term >= seen.term && commit >= seen.commit),
      () => `member ${host.number} went back`,
    )
    // Figure 8: whoever leads the same term as before moves the commit index to an entry of that term only.
    if (seen?.role === 'leader' && role === 'leader' && term === seen.term && commit > seen.commit) {
      must(
        host.disk.term(commit) === term,
        () => `leader ${host.number} of ${term} commits ${commit} by counting`,
      )
    }
    this.#seen.set(host.number, { role, term, commit })
    if (role === 'leader') {
      const open = host.disk.configurations().filter(({ index }) => index > commit)
      must(open.length <= 1, () => `leader ${host.number} has ${open.length} unfinished changes in its log`)
    }
    if (leader !== 0 && role !== 'leader') {
      must(
        (this.#leaders.get(term) ?? leader) === leader,
        () => `member ${host.number} follows ${leader} in ${term}`,
      )
    }
    // The only voter elects itself at once; before its vote is durable nobody hears of it, and a crash takes it back.
    if (role === 'leader' && host.disk.durableHardState.term === term) this.#onLeader(host, term)
  }

  /** Log matching: two logs that agree at an index agree everywhere before it. */
  checkLogs(): void {
    const hosts = [...this.#hosts.values()]
    for (const [at, one] of hosts.entries()) {
      for (const other of hosts.slice(at + 1)) this.#compare(one, other)
    }
  }

  #onCommitted(host: Host, entry: Entry): void {
    const known = this.committed[entry.index - 1]
    if (known !== undefined) {
      must(
        same(known, entry),
        () => `member ${host.number} applies ${show(entry)}, another applied ${show(known)}`,
      )
      return
    }
    must(
      entry.index === this.committed.length + 1,
      () => `entry ${entry.index} is committed before those in front of it`,
    )
    const holders = [...this.#hosts.values()]
      .filter(one => one.disk.holdsDurably(entry))
      .map(one => one.number)
    must(
      this.#configurations(entry.index).some(each =>
        new Configurations(0, each).isQuorum(number => holders.includes(number)),
      ),
      () => `${show(entry)} is committed, durable at members ${holders}`,
    )
    this.committed.push(entry)
  }

  /** Configurations that may have been in force when the entry at `index` was committed: the last before it, or later. */
  #configurations(index: number): Configuration[] {
    const hosts = [...this.#hosts.values()]
    const before = this.committed.slice(0, index - 1).findLast(entry => entry.configuration !== undefined)
    const later = hosts
      .flatMap(host => host.disk.configurations())
      .filter(dated => dated.index > (before?.index ?? 0))
      .map(({ configuration }) => configuration)
    const last = before?.configuration ?? hosts[0]!.founded
    // In force at a leader as soon as it is appended, before its disk has it.
    const fresh = hosts
      .filter(host => !host.down && host.status.role === 'leader')
      .map(host => host.status.configuration)
      .filter(({ rosterVersion }) => rosterVersion >= last.rosterVersion)
    return [last, ...later, ...fresh]
  }

  #onVote(host: Host, term: number, candidate: number, what: string): void {
    const durable = host.disk.durableHardState
    must(durable.term > term || durable.vote === candidate, () => `${what}, the vote is not durable`)
    const key = `${host.number}/${term}`
    must(
      (this.#votes.get(key) ?? candidate) === candidate,
      () => `${what}, after a vote for ${this.#votes.get(key)}`,
    )
    this.#votes.set(key, candidate)
  }

  #onLeader(host: Host, term: number): void {
    const known = this.#leaders.get(term)
    must(
      known === undefined || known === host.number,
      () => `${known} and ${host.number} both lead term ${term}`,
    )
    if (known !== undefined) return
    this.#leaders.set(term, host.number)
    this.elections++
    // Leader completeness (5.4.3): all that is committed is in the log of whoever is elected.
    for (let index = host.disk.firstIndex(); index <= this.committed.length; index++) {
      const entry = this.committed[index - 1]!
      must(
        host.disk.term(index) === entry.term,
        () => `leader ${host.number} of term ${term} lacks ${show(entry)}`,
      )
    }
  }

  #compare(one: Host, other: Host): void {
    const first = Math.max(one.disk.firstIndex(), other.disk.firstIndex())
    let agree = false
    for (let index = Math.min(one.disk.lastIndex(), other.disk.lastIndex()); index >= first; index--) {
      if (!agree && one.disk.term(index) !== other.disk.term(index)) continue
      agree = true
      const [a] = one.disk.entries(index, index + 1, 0)
      const [b] = other.disk.entries(index, index + 1, 0)
      must(same(a!, b!), () => `logs of ${one.number} and ${other.number} differ at ${index}`)
    }
  }
}

function same(a: Entry, b: Entry): boolean {
  return a.index === b.index && a.term === b.term && a.type === b.type && text(a.data) === text(b.data)
}

function show(entry: Entry): string {
  return `${entry.type} ${entry.index} of term ${entry.term} "${text(entry.data)}"`
}
