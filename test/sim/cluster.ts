import type { Operation } from '../../scripts/lib/checker/operations.ts'
import { successors } from '../../services/peer/cube/placement.ts'
import type { Roster } from '../../services/peer/cube/roster.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import type { LogStore } from '../../services/peer/store/types.ts'
import type { TopicCursor } from '../../services/peer/topics/cursor.ts'
import type { SlotNotice, TopicRow } from '../../services/peer/topics/types.ts'
import { Checks } from './checks.ts'
import { Connections } from './connections.ts'
import { Ingress } from './ingress.ts'
import { Ledger } from './ledger.ts'
import type { Life } from './life.ts'
import { MachineClock } from './machine-clock.ts'
import { Member } from './member.ts'
import { Network } from './network.ts'
import { type PlannedTopic, planTopics, type TopicKind } from './topics.ts'
import type { Trace } from './trace.ts'
import type { Chance, World } from './world.ts'

/** A whole cube in this thread: the real rooms on virtual time, network and disks. */
export class Cluster {
  readonly world: World
  readonly trace: Trace
  readonly roster: Roster
  readonly network: Network
  readonly members = new Map<string, Member>()
  readonly ledger: Ledger
  readonly checks: Checks
  readonly connections: Connections
  readonly topics: readonly PlannedTopic[]
  readonly violations: string[] = []
  /** What the clients did and saw, in the order in which it happened. */
  readonly history: Operation[] = []
  readonly #wall: MachineClock
  readonly #chance: Chance
  readonly #ingresses = new WeakMap<Life, Ingress>()

  /** @param wrapStore what the engines see of their stores, if not the stores themselves */
  constructor(
    world: World,
    chance: Chance,
    trace: Trace,
    size: { readonly peers: number; readonly slots: number },
    wrapStore: (store: LogStore) => LogStore = store => store,
  ) {
    this.world = world
    this.trace = trace
    this.#chance = chance
    this.roster = makeRoster(size.peers, size.slots)
    this.#wall = new MachineClock(world)
    this.topics = planTopics(size.slots)
    this.network = new Network(world, chance.fork(), trace, this.members)
    this.connections = new Connections({ world, network: this.network, members: this.members })
    this.ledger = new Ledger(what => this.violation(what))
    this.checks = new Checks(this)
    for (const { id } of this.roster.peers) {
      const events = {
        started: (member: Member) => this.#started(member),
        stopping: (member: Member) => this.ingress(member).stop(),
        stopped: (member: Member) => this.ingress(member).close(),
        heard: (member: Member, peer: string) => {
          this.checks.heard(member, peer)
          this.ingress(member).heard(peer)
        },
        ended: (member: Member) => {
          this.network.died(member)
          this.connections.died(member.life)
        },
        notice: (member: Member, slot: number, notice: SlotNotice) =>
          this.checks.notice(member, slot, notice),
        violation: (what: string) => this.violation(what),
        store: (store: LogStore) => this.checks.store(id, wrapStore(store)),
      }
      const transport = (member: Member) => this.checks.transport(member, this.network.transport(member))
      this.members.set(id, new Member(id, this.roster, world, chance.fork(), trace, events, transport))
    }
  }

  get slots(): readonly number[] {
    return [...Array(this.roster.slots).keys()]
  }

  /** Labels in order of succession, home first. */
  replicas(slot: number): readonly string[] {
    return successors(slot, this.roster, LIMITS.REPLICAS)
  }

  /** What stands above the engine of a member that runs. */
  ingress(member: Member): Ingress {
    return this.#ingresses.get(member.life)!
  }

  topicOf(slot: number, kind: TopicKind): PlannedTopic {
    return this.topics.find(topic => topic.slot === slot && topic.kind === kind)!
  }

  topicsOf(slot: number): readonly PlannedTopic[] {
    return this.topics.filter(topic => topic.slot === slot)
  }

  /** The topic as the replica knows it that has come furthest; of a healed cluster that is how it is. */
  truth({ slot, name }: PlannedTopic): TopicRow | undefined {
    const serving = [...this.members.values()].filter(member => member.isUp && member.engine.holds(slot))
    const applied = (member: Member) => member.engine.status(slot).raft.applied
    const best = serving.sort((one, other) => applied(other) - applied(one))[0]
    return best?.engine.topic(slot, name)
  }

  /** Whether events up to the cursor were removed, or may have been where nobody can be asked. */
  isTrimmed({ slot, name }: PlannedTopic, { incarnation, offset }: TopicCursor): boolean {
    const replicas = this.replicas(slot).map(id => this.members.get(id)!)
    const serving = replicas.filter(member => member.isUp && member.engine.holds(slot))
    const rows = serving.map(member => member.engine.topic(slot, name))
    if (serving.length < replicas.length) return true
    return rows.some(row => row?.incarnation !== incarnation || row.earliest > offset)
  }

  /** A right wall clock. */
  get wallMs(): number {
    return this.#wall.wallMs()
  }

  record(operation: Operation): void {
    this.history.push(operation)
  }

  #started(member: Member): void {
    const ingress = new Ingress({
      member,
      roster: this.roster,
      connections: this.connections,
      chance: this.#chance.fork(),
      of: other => this.#ingresses.get(other.life),
      onError: what => this.violation(what),
    })
    this.#ingresses.set(member.life, ingress)
    this.checks.started(member)
  }

  violation(what: string): void {
    this.trace.say('CHECK', what)
    this.violations.push(`at ${(this.world.nowMs / 1_000).toFixed(4)} s: ${what}`)
  }

  /** Reads events of a topic from one replica into the ledger; they must follow each other. Returns how many. */
  readTopic(member: Member, slot: number, name: string, from: number, limit: number): number {
    const topic = member.engine.topic(slot, name)
    if (!topic) return 0
    const start = Math.max(from, topic.earliest)
    const events = member.engine.read(slot, topic.incarnation, start, limit, 100_000)
    const due = Math.min(limit, Math.max(0, topic.latest - start + 1))
    if (due > 0 && events.length === 0) {
      this.violation(
        `${member.id} has nothing of ${name} of slot ${slot} at ${start}, it ends at ${topic.latest}`,
      )
    }
    for (const [i, event] of events.entries()) {
      if (event.offset !== start + i)
        this.violation(`${member.id} gave offset ${event.offset} where ${start + i} was due`)
      this.ledger.saw(member.id, slot, topic.incarnation, event.offset, idOf(event.data))
    }
    return events.length
  }
}

/** The id that an event of the simulator is known by: its first word. */
export function idOf(data: Uint8Array): string {
  return Buffer.from(data).toString().split(/\s/, 1)[0]!
}

function makeRoster(peers: number, slots: number): Roster {
  const dimension = Math.max(1, Math.ceil(Math.log2(peers)))
  const ids = [...Array(peers).keys()].map(i => i.toString(2).padStart(dimension, '0'))
  return {
    ...{ version: 1, clusterId: 'simulated', dimension, slots },
    peers: ids.map((id, i) => ({ id, uid: `uid-${id}`, number: i + 1, url: `http://${id}.invalid` })),
  }
}
