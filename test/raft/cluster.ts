import { RaftNode } from '../../services/peer/raft/node.ts'
import type {
  Configuration,
  Entry,
  HardState,
  Message,
  RaftOptions,
  RaftStatus,
  Ready,
  SnapshotMeta,
} from '../../services/peer/raft/types.ts'
import { Disk } from './disk.ts'

/** A small seeded generator in [0, 1) (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A configuration of these members. */
export function configurationOf(...numbers: number[]): Configuration {
  return { rosterVersion: 1, voters: numbers.map(number => ({ number, uid: `uid-${number}` })) }
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function text(data: Uint8Array): string {
  return new TextDecoder().decode(data)
}

/** Data entries with these terms, at 1, 2, 3, …: `log(1, 1, 2)`. */
export function logOf(...terms: number[]): Entry[] {
  return terms.map((term, at) => ({ index: at + 1, term, type: 'data', data: bytes(`t${term}i${at + 1}`) }))
}

export type Tuning = Partial<Omit<RaftOptions, 'number' | 'log' | 'hardState' | 'applied'>>

/** One member with its disk and what it has applied. */
export class Host {
  readonly number: number
  readonly disk: Disk
  readonly tuning: Tuning
  node: RaftNode
  /** The configuration before the first entry. */
  founded: Configuration
  down = false
  /** Writes stay volatile until `sync` is called. */
  holdSync = false
  /** Entries applied so far; the place is the index minus one. Holes are behind snapshots of empty harness state. */
  state: Entry[] = []
  reads: { context: number; index: number }[] = []
  readsFailed: number[] = []
  pulled = new Map<number, Entry[]>()
  readonly #afterPersist: { id: number; messages: readonly Message[] }[] = []
  readonly #send: (message: Message) => void
  readonly #onReady: (host: Host, ready: Ready) => void

  constructor(
    number: number,
    disk: Disk,
    tuning: Tuning,
    send: (message: Message) => void,
    onReady: (host: Host, ready: Ready) => void,
  ) {
    this.number = number
    this.disk = disk
    this.founded = disk.snapshot.configuration
    this.tuning = tuning
    this.#send = send
    this.#onReady = onReady
    this.node = this.#start(disk.snapshot.index)
  }

  get status(): RaftStatus {
    return this.node.status()
  }

  /** Does what the engine does with Readies until there is none. */
  pump(): void {
    while (!this.down && this.node.hasReady()) this.handle(this.node.ready())
  }

  handle(ready: Ready): void {
    this.#onReady(this, ready)
    if (ready.snapshot !== undefined) this.state = this.pulled.get(ready.snapshot.index) ?? this.state
    this.disk.write(ready)
    this.#afterPersist.push({ id: ready.id, messages: ready.messagesAfterPersist })
    for (const message of ready.messages) this.#send(message)
    if (!this.holdSync) this.#synced(this.disk.sync())
    for (const entry of ready.committed) {
      this.state[entry.index - 1] = entry
      this.node.applied(entry.index)
    }
    this.reads.push(...ready.reads)
    this.readsFailed.push(...ready.readsFailed)
  }

  /** Makes the oldest `count` held writes durable and does what waited for them. */
  sync(count?: number): void {
    this.syncOnly(count)
    this.pump()
  }

  syncOnly(count?: number): void {
    if (this.disk.unsynced > 0) this.#synced(this.disk.sync(count))
  }

  crash(): void {
    this.down = true
    this.disk.crash()
    this.#afterPersist.length = 0
    this.pulled.clear()
  }

  /** Its replica is dropped; it comes again, empty, with what the tombstone says. */
  comeAgain(): void {
    this.crash()
    this.disk.comeAgain()
    this.founded = this.disk.snapshot.configuration
    this.restart()
  }

  /** Starts again from what is durable; `applied` is what the state machine had made durable. */
  restart(applied = this.disk.snapshot.index): void {
    this.down = false
    this.state = this.state.slice(0, applied)
    this.reads = []
    this.readsFailed = []
    this.node = this.#start(applied)
  }

  #synced(id: number): void {
    while (this.#afterPersist.length > 0 && this.#afterPersist[0]!.id <= id) {
      for (const message of this.#afterPersist.shift()!.messages) this.#send(message)
    }
    this.node.persisted(id)
  }

  #start(applied: number): RaftNode {
    return new RaftNode({
      configuration: this.disk.snapshot.configuration,
      electionTicks: 10,
      heartbeatTicks: 1,
      successionTicks: 2,
      succession: this.disk.snapshot.configuration.voters.map(voter => voter.number),
      random: seeded(this.number),
      maxAppendBytes: 1_048_576,
      maxInflightAppends: 64,
      maxCachedBytes: 1_048_576,
      maxUncommittedBytes: 33_554_432,
      maxPendingReads: 16_384,
      ...this.tuning,
      number: this.number,
      hardState: this.disk.hardState,
      applied,
      log: this.disk,
    })
  }
}

/** What a member starts from. */
export interface Start {
  readonly hardState?: HardState
  readonly entries?: Entry[]
  readonly snapshot?: SnapshotMeta
}

/** Several members and the messages between them, which go where and when the test says. */
export class Cluster {
  readonly hosts = new Map<number, Host>()
  /** Sent and not delivered. */
  network: Message[] = []
  /** Messages for which this is true are lost when they are sent. */
  lose: (message: Message) => boolean = () => false
  /** Sees every Ready and every message sent. */
  onReady: (host: Host, ready: Ready) => void = () => {}
  onSend: (message: Message, lost: boolean) => void = () => {}

  constructor(
    numbers: readonly number[],
    tuning: Tuning = {},
    starts: ReadonlyMap<number, Start> = new Map(),
  ) {
    for (const number of numbers) {
      const start = starts.get(number) ?? {}
      const disk = new Disk(configurationOf(...numbers), start.snapshot)
      if (start.hardState !== undefined || start.entries !== undefined) {
        disk.preset(
          start.hardState ?? { term: start.entries?.at(-1)?.term ?? 0, vote: 0, commit: 0 },
          start.entries ?? [],
        )
      }
      const send = (message: Message): void => this.#send(message)
      this.hosts.set(number, new Host(number, disk, tuning, send, (host, ready) => this.onReady(host, ready)))
    }
  }

  host(number: number): Host {
    return this.hosts.get(number)!
  }

  node(number: number): RaftNode {
    return this.host(number).node
  }

  status(number: number): RaftStatus {
    return this.host(number).status
  }

  /** The leader of the highest term; undefined when nobody leads. */
  get leader(): Host | undefined {
    const leaders = [...this.hosts.values()].filter(host => !host.down && host.status.role === 'leader')
    return leaders.sort((a, b) => b.status.term - a.status.term)[0]
  }

  /** Cuts `number` off, both ways, until `heal`. */
  isolate(number: number): void {
    const before = this.lose
    this.lose = message => message.from === number || message.to === number || before(message)
    this.network = this.network.filter(message => message.from !== number && message.to !== number)
  }

  heal(): void {
    this.lose = () => false
  }

  pump(): void {
    for (const host of this.hosts.values()) host.pump()
  }

  /** Ticks one member. */
  tick(number: number, times = 1): void {
    for (let count = 0; count < times; count++) {
      this.node(number).tick()
      this.host(number).pump()
    }
  }

  /** Steps one message into its receiver, as its engine would. */
  deliver(message: Message): void {
    const host = this.hosts.get(message.to)
    if (host === undefined || host.down) return
    if (message.type === 'snapshot') {
      const { index } = message.snapshot
      host.pulled.set(index, this.host(message.from).state.slice(0, index))
    }
    host.node.step(message)
    host.pump()
  }

  /** Delivers everything that is under way, and what that causes, in order. */
  settle(maxMessages = 10_000): void {
    this.pump()
    for (let count = 0; this.network.length > 0; count++) {
      if (count > maxMessages) throw new Error('the cluster does not settle')
      this.deliver(this.network.shift()!)
    }
  }

  /** Ticks everybody that is up, settling after each tick. */
  run(ticks: number): void {
    for (let count = 0; count < ticks; count++) {
      for (const host of this.hosts.values()) if (!host.down) this.tick(host.number)
      this.settle()
    }
  }

  /** Makes `number` leader by the usual way: it is ticked until it stands, everything is delivered. */
  elect(number: number): void {
    for (let count = 0; count < 100 && this.status(number).role !== 'leader'; count++) {
      this.tick(number)
      this.settle()
    }
    if (this.status(number).role !== 'leader') throw new Error(`member ${number} is not elected`)
  }

  propose(number: number, data: string): ReturnType<RaftNode['propose']> {
    return this.node(number).propose(bytes(data))
  }

  /** Data applied at a member, in order. */
  applied(number: number): string[] {
    return this.host(number)
      .state.filter(entry => entry.type === 'data')
      .map(entry => text(entry.data))
  }

  #send(message: Message): void {
    const lost = this.lose(message)
    this.onSend(message, lost)
    if (!lost) this.network.push(message)
  }
}
