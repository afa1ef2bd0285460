import type { Message } from '../../services/peer/raft/types.ts'
import { Checker } from './checker.ts'
import { bytes, Cluster, configurationOf, type Host, type Start, seeded } from './cluster.ts'

const MAX_NETWORK = 300

/** What one run did, to see that it was worth running. */
export interface ChaosReport {
  readonly committed: number
  readonly elections: number
  readonly reads: number
  readonly crashes: number
  readonly snapshots: number
  readonly truncations: number
  /** Changes of the configuration that were begun. */
  readonly changes: number
  /** Members that were out, were dropped and came again, empty. */
  readonly drops: number
}

/** Members that vote at the start of a run whose membership changes; the other hosts have empty stores. */
const FOUNDERS = 3

/**
 * Drives members with seeded chance: every interleaving of ticks, deliveries (lost, doubled, reordered), Readies,
 * syncs, proposals, reads, transfers, changes of the membership and of the succession, dropped replicas, suspicion, compaction, cuts, crashes that lose what is not synced, and restarts.
 * Throws Violation, or what a member throws, at the first wrong step.
 */
export class Chaos {
  readonly #random: () => number
  readonly #cluster: Cluster
  readonly #checker: Checker
  readonly #hosts: Host[]
  #cut = new Set<number>()
  #calm: boolean
  #counter = 0
  #crashes = 0
  #snapshots = 0
  #truncations = 0
  #changes = 0
  #drops = 0
  #rosterVersion = 1
  readonly #isChanging: boolean

  /** @param isChanging members come and go, of `size` hosts in all */
  constructor(seed: number, size: number, isChanging = false) {
    this.#isChanging = isChanging
    this.#random = seeded(seed)
    this.#calm = this.#random() < 0.5
    const numbers = Array.from({ length: size }, (_, at) => at + 1)
    const tuning = {
      electionTicks: 4 + this.#below(8),
      successionTicks: 1 + this.#below(3),
      random: this.#random,
      maxAppendBytes: 1 + this.#below(100),
      maxInflightAppends: 1 + this.#below(5),
      maxCachedBytes: this.#below(2_000),
      maxUncommittedBytes: 50 + this.#below(500),
    }
    this.#cluster = new Cluster(numbers, tuning, isChanging ? startsOf(numbers) : undefined)
    this.#hosts = [...this.#cluster.hosts.values()]
    this.#checker = new Checker(this.#cluster.hosts)
    this.#cluster.onReady = (host, ready) => {
      this.#checker.onReady(host, ready)
      if (ready.snapshot !== undefined) this.#snapshots++
      if (ready.truncateFrom !== undefined) this.#truncations++
    }
    this.#cluster.onSend = message => this.#checker.onSend(this.#cluster.host(message.from), message)
    this.#cluster.lose = message => this.#isCut(message)
    for (const host of this.#hosts) host.holdSync = true
  }

  /** Takes `steps` steps, then ends all faults and waits until the members are level. */
  run(steps: number): ChaosReport {
    for (let step = 0; step < steps; step++) {
      const host = this.#pick(this.#hosts)
      this.#act(host, this.#random() * 100)
      for (const one of this.#hosts) this.#checker.checkMember(one)
      if (step % 25 === 0) this.#checker.checkLogs()
      if (step % 500 === 499) this.#calm = this.#random() < 0.5
    }
    this.#recover()
    return {
      committed: this.#checker.committed.length,
      elections: this.#checker.elections,
      reads: this.#checker.reads,
      crashes: this.#crashes,
      snapshots: this.#snapshots,
      truncations: this.#truncations,
      changes: this.#changes,
      drops: this.#drops,
    }
  }

  #act(host: Host, dice: number): void {
    if (dice < 44) this.#deliverOne()
    else if (host.down) {
      if (dice > 70) this.#restart(host)
    } else if (dice < 49) host.node.tick()
    else if (dice < 68) {
      if (host.node.hasReady()) host.handle(host.node.ready())
    } else if (dice < 84) this.#sync(host)
    else if (dice < 92) this.#propose(this.#leaderOr(host))
    else if (dice < 94 && this.#isChanging) this.#changeMembers(this.#leaderOr(host))
    else if (dice < 94.6 && this.#isChanging) this.#drop()
    else if (dice < 95) this.#read(this.#leaderOr(host))
    else if (dice < 95.5) host.node.transferLeadership(this.#pick(this.#hosts).number)
    else if (dice < 96) host.node.leaderGone(this.#pick(this.#hosts).number)
    else if (dice < 96.3) host.node.setSuccession(this.#shuffled())
    else if (dice < 97) host.node.unreachable(this.#pick(this.#hosts).number)
    else if (dice < 98.6) this.#compact(host)
    else if (dice < 99.1) this.#changeCut()
    else if (dice < 99.5) this.#cutOff(this.#leaderOr(host))
    else if (dice < 99.7 || !this.#calm) this.#crash(host)
  }

  #deliverOne(): void {
    const { network } = this.#cluster
    while (network.length > MAX_NETWORK) network.splice(this.#below(network.length), 1)
    if (network.length === 0) return
    const inOrder = this.#random() < (this.#calm ? 0.9 : 0.5)
    const [message] = network.splice(inOrder ? 0 : this.#below(network.length), 1)
    const fate = this.#random()
    if (fate < (this.#calm ? 0.02 : 0.1)) return
    if (fate > 0.93) network.push(message!)
    this.#step(message!)
  }

  #step(message: Message): void {
    const host = this.#cluster.host(message.to)
    if (host.down || this.#isCut(message)) return
    if (message.type === 'snapshot') {
      const from = this.#cluster.host(message.from)
      if (from.state.length < message.snapshot.index) return
      host.pulled.set(message.snapshot.index, from.state.slice(0, message.snapshot.index))
    }
    host.node.step(message)
  }

  #sync(host: Host): void {
    if (host.disk.unsynced === 0) return
    host.syncOnly(1 + this.#below(host.disk.unsynced))
  }

  #propose(host: Host): void {
    const count = 1 + this.#below(4)
    for (let done = 0; done < count; done++)
      host.node.propose(bytes(`${++this.#counter}`.padStart(this.#below(40), '.')))
  }

  #read(host: Host): void {
    const context = ++this.#counter
    if (host.node.readIndex(context) === undefined) this.#checker.onAsked(host, context)
  }

  #compact(host: Host): void {
    // By what the state machine holds: a snapshot that was stepped and not yet installed is not in it.
    const index = Math.max(0, host.state.length - this.#below(5))
    const before = host.state.slice(0, index).findLast(entry => entry.configuration !== undefined)
    const configuration = before?.configuration ?? host.founded
    if (this.#random() < 0.5) host.disk.compact(index, configuration)
  }

  #changeMembers(host: Host): void {
    const members = this.#shuffled().map(number => ({ number, uid: `uid-${number}` }))
    const voters = members.splice(0, 1 + this.#below(members.length))
    const learners = members.slice(0, this.#below(members.length + 1))
    const target = { rosterVersion: ++this.#rosterVersion, voters, learners }
    if (typeof host.node.changeMembers(target) !== 'string') this.#changes++
  }

  #shuffled(): number[] {
    const places = this.#hosts.map(({ number }) => ({ number, place: this.#random() }))
    return places.sort((a, b) => a.place - b.place).map(({ number }) => number)
  }

  /**
   * Drops the replica of a member that is out: by the committed configuration, as a quorum read tells it, while its own
   * log holds no later one.
   */
  #drop(): void {
    const last = this.#checker.committed.findLast(entry => entry.configuration !== undefined)
    if (last === undefined) return
    const { voters, outgoing = [], learners = [] } = last.configuration!
    const members = new Set([...voters, ...outgoing, ...learners].map(({ number }) => number))
    const out = this.#hosts.filter(({ number, down, disk }) => {
      const isLater = disk.configurations().some(({ index }) => index > last.index)
      return !members.has(number) && !down && !isLater && disk.lastIndex() > 0
    })
    if (out.length === 0) return
    const host = this.#pick(out)
    host.comeAgain()
    this.#drops++
    this.#checker.onRestart(host)
  }

  #changeCut(): void {
    this.#cut = new Set()
    if (this.#random() < 0.5) return
    for (const host of this.#hosts) if (this.#random() < 0.4) this.#cut.add(host.number)
  }

  /** The others take `host` for dead, wrongly: it may go on leading its term while they elect another. */
  #cutOff(host: Host): void {
    this.#cut = new Set([host.number])
    for (const other of this.#hosts) if (!other.down) other.node.leaderGone(host.number)
  }

  #crash(host: Host): void {
    this.#crashes++
    host.crash()
    if (this.#random() < 0.3) {
      for (const one of this.#hosts) one.crash()
    }
  }

  #restart(host: Host): void {
    const start = host.disk.snapshot.index
    const committed = Math.max(start, host.disk.durableHardState.commit)
    host.restart(Math.min(host.state.length, start + this.#below(committed - start + 1)))
    this.#checker.onRestart(host)
  }

  /** Faults end: one leader, equal logs, and the cluster takes proposals again. */
  #recover(): void {
    this.#cut = new Set()
    for (const host of this.#hosts) {
      if (host.down) this.#restart(host)
      host.holdSync = false
      host.sync()
    }
    // Longer than an election timeout: a leader that nobody can hear is none.
    this.#cluster.run(20)
    for (let round = 0; round < 200 && !this.#isSettled(); round++) this.#cluster.run(1)
    if (!this.#isSettled()) throw new Error('the cluster does not heal')
    const { leader } = this.#cluster
    this.#cluster.run(30)
    if (this.#cluster.leader?.number !== leader?.number)
      throw new Error('a healthy cluster changes its leader')
    const before = this.#checker.committed.length
    if (typeof leader!.node.propose(bytes('last')) === 'string')
      throw new Error('the leader takes no proposal')
    this.#cluster.run(2)
    if (this.#checker.committed.length !== before + 1) throw new Error('the last proposal is not committed')
    if (!this.#members(leader!).every(host => host.state.length === before + 1))
      throw new Error('a member lags behind')
    this.#checker.checkLogs()
    this.#checker.checkAnswered()
  }

  #isSettled(): boolean {
    const { leader, network } = this.#cluster
    // A transfer, or a word to stand for election that is still under way, would change the leader yet.
    if (leader === undefined || leader.status.transferee !== 0 || network.length > 0) return false
    if (leader.status.changing) return false
    const members = this.#members(leader)
    const ends = members.flatMap(({ state, status }) => [state.length, status.lastIndex])
    if (new Set(ends).size > 1) return false
    const { term } = leader.status
    return members.every(({ status }) => status.leader === leader.number && status.term === term)
  }

  /** Voters and learners, as the leader has them. */
  #members(leader: Host): Host[] {
    const { voters, outgoing = [], learners = [] } = leader.status.configuration
    const numbers = new Set([...voters, ...outgoing, ...learners].map(({ number }) => number))
    return this.#hosts.filter(({ number }) => numbers.has(number))
  }

  #isCut(message: Message): boolean {
    return this.#cut.has(message.from) !== this.#cut.has(message.to)
  }

  /** Somebody who believes to lead, rightly or not. */
  #leaderOr(host: Host): Host {
    const leaders = this.#hosts.filter(one => !one.down && one.status.role === 'leader')
    return leaders.length > 0 ? this.#pick(leaders) : host
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#below(items.length)]!
  }
}

/** The first hosts are members of one another; the others know of nobody yet. */
function startsOf(numbers: readonly number[]): Map<number, Start> {
  const founded = configurationOf(...numbers.slice(0, FOUNDERS))
  const nobody = { rosterVersion: 0, voters: [] }
  return new Map(
    numbers.map((number, at) => {
      const configuration = at < FOUNDERS ? founded : nobody
      return [number, { snapshot: { index: 0, term: 0, configuration } }]
    }),
  )
}
