import { isDeepStrictEqual } from 'node:util'
import type { Operation } from '../../scripts/lib/checker/operations.ts'
import { successorsOf } from '../../services/peer/cube/placement.ts'
import { lastNumberOf, type Roster, type RosterPeer } from '../../services/peer/cube/roster.ts'
import { FORMAT } from '../../services/peer/engine/formats.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import type { LogStore } from '../../services/peer/store/types.ts'
import type { TopicCursor } from '../../services/peer/topics/cursor.ts'
import type { TopicRow } from '../../services/peer/topics/types.ts'
import { Checks } from './checks.ts'
import { Connections } from './connections.ts'
import { Ingress } from './ingress.ts'
import { isQuorum } from './invariants/voters.ts'
import { Ledger } from './ledger.ts'
import type { Life } from './life.ts'
import { MachineClock } from './machine-clock.ts'
import { Member, nameOf, uidOf } from './member.ts'
import type { MemberEvents, MemberIdentity } from './member-events.ts'
import { Network, urlOf } from './network.ts'
import { Questions } from './questions.ts'
import { SlotStory } from './slot-story.ts'
import { type PlannedTopic, planTopics, type TopicKind } from './topics.ts'
import type { Trace } from './trace.ts'
import { Transports } from './transports.ts'
import type { Chance, World } from './world.ts'

/** A whole cube in this thread: the real rooms on virtual time, network and disks. */
export class Cluster {
  readonly world: World
  readonly trace: Trace
  readonly network: Network
  readonly transports: Transports
  /** Those with a machine and a disk, by host; some of them are on their way in or out. */
  readonly members = new Map<string, Member>()
  /** All there ever were, by name. */
  readonly everyone = new Map<string, Member>()
  /** Told of every new member. */
  onMember: (member: Member) => void = () => {}
  /** Told of a member that learns that it is off the list. */
  onRemoved: (member: Member) => void = () => {}
  /** Told of every new version of the roster. */
  onRoster: (roster: Roster) => void = () => {}
  /** Silence after which a peer is evicted; 0 for never. */
  evictAfterMs = 0
  readonly ledger: Ledger
  readonly checks: Checks
  readonly connections: Connections
  readonly questions: Questions
  readonly topics: readonly PlannedTopic[]
  /** What happened to the topics of each slot. */
  readonly stories: readonly SlotStory[]
  readonly violations: string[] = []
  /** What the clients did and saw, in the order in which it happened. */
  readonly history: Operation[] = []
  readonly #wall: MachineClock
  readonly #chance: Chance
  readonly #ingresses = new WeakMap<Life, Ingress>()
  readonly #wrapStore: (store: LogStore) => LogStore
  /** Every version of the roster that anybody went by. */
  readonly #rosters = new Map<number, Roster>()
  /** The version that a life goes by, once it has gone over to another one. */
  readonly #versions = new WeakMap<Life, number>()
  readonly #gone = new Set<string>()
  #roster: Roster

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
    this.#wrapStore = wrapStore
    this.#roster = makeRoster(size.peers, size.slots)
    this.#rosters.set(1, this.#roster)
    this.#wall = new MachineClock(world)
    this.topics = planTopics(size.slots)
    this.stories = this.slots.map(() => new SlotStory())
    this.network = new Network(world, chance.fork(), this.members)
    this.transports = new Transports(this.network, this.members, trace)
    this.connections = new Connections({ world, network: this.network, members: this.members })
    this.questions = new Questions({
      network: this.network,
      members: this.members,
      chance: chance.fork(),
      ingress: member => this.ingress(member),
    })
    this.ledger = new Ledger(what => this.violation(what))
    this.checks = new Checks(this)
    for (const { id } of this.#roster.peers) this.add({ machine: id, host: id, name: id }, this.#roster)
  }

  /**
   * A machine with an empty disk; whoever was on it before is gone. Its first process is still to be started.
   * @param founding the roster of the cube that it founds with the others; undefined for one that joins
   */
  add(identity: MemberIdentity, founding?: Roster): Member {
    const { world, trace } = this
    const transport = (member: Member) => this.checks.transport(member, this.transports.of(member))
    const member = new Member(
      identity,
      founding,
      this.questions,
      world,
      this.#chance.fork(),
      trace,
      this.#events(identity.name),
      transport,
    )
    this.members.set(member.host, member)
    this.everyone.set(member.name, member)
    this.onMember(member)
    return member
  }

  /** A machine is gone, with its disk. */
  retire(member: Member, how: string): void {
    if (this.members.get(member.host) === member) this.members.delete(member.host)
    this.#gone.add(member.uid)
    member.retire(how)
  }

  /** Machines whose processes have ended are reached elsewhere from now on, each where `hosts` says. */
  rehost(hosts: ReadonlyMap<Member, string>): void {
    for (const member of hosts.keys()) this.members.delete(member.host)
    for (const [member, host] of hosts) {
      member.host = host
      this.members.set(host, member)
    }
  }

  /** The disk of this store is no more. */
  isGone(uid: string): boolean {
    return this.#gone.has(uid)
  }

  /** Every slot keeps a majority of its replicas without the disks of those that `isLost` names, wherever it stands. */
  survives(isLost: (uid: string) => boolean): boolean {
    const remains = (uid: string) => !isLost(uid) && !this.isGone(uid)
    return [...this.slots, this.rosterSlot].every(slot => {
      const placed = this.#roster.peers.filter(({ id }) => this.placed(slot).includes(id))
      const configurations = [...this.checks.configurations(slot), { rosterVersion: 0, voters: placed }]
      return configurations.every(configuration => isQuorum(configuration, remains))
    })
  }

  /** The latest version of the roster that anybody goes by. */
  get roster(): Roster {
    return this.#roster
  }

  /** The member that the latest roster lists so; undefined for one whose machine is gone, or not there yet. */
  memberAt(id: string): Member | undefined {
    const peer = this.#roster.peers.find(one => one.id === id)
    return peer && this.memberOf(peer)
  }

  memberOf({ uid }: Pick<RosterPeer, 'uid'>): Member | undefined {
    const member = this.everyone.get(nameOf(uid))
    return member && this.members.get(member.host) === member ? member : undefined
  }

  get slots(): readonly number[] {
    return [...Array(this.#roster.slots).keys()]
  }

  /** The roster's own slot. */
  get rosterSlot(): number {
    return this.#roster.slots
  }

  /** Who the latest roster places the slot on, by label in order of succession, home first. */
  placed(slot: number): readonly string[] {
    return successorsOf(slot, this.#roster, LIMITS)
  }

  /** The same as members; one that is not there is left out. */
  replicas(slot: number): readonly Member[] {
    return this.placed(slot).flatMap(id => this.memberAt(id) ?? [])
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
    const replicas = this.replicas(slot)
    const serving = replicas.filter(member => member.isUp && member.engine.holds(slot))
    const rows = serving.map(member => member.engine.topic(slot, name))
    if (serving.length < this.placed(slot).length) return true
    return rows.some(row => row?.incarnation !== incarnation || row.earliest > offset)
  }

  /** A right wall clock. */
  get wallMs(): number {
    return this.#wall.wallMs()
  }

  record(operation: Operation): void {
    this.history.push(operation)
  }

  #events(name: string): MemberEvents {
    return {
      started: (member, signal) => this.#started(member, signal),
      removed: member => this.onRemoved(member),
      stopping: member => this.ingress(member).stop(),
      members: (member, slot, deadlineMs) => this.ingress(member).members(slot, deadlineMs),
      stopped: member => this.ingress(member).close(),
      heard: (member, from) => {
        this.checks.heard(member, from)
        this.ingress(member).heard(from.id)
      },
      roster: (member, roster) => this.#goesBy(member, roster),
      ended: member => {
        this.network.died(member)
        this.connections.died(member.life)
      },
      told: (slot, notice) => this.stories[slot]?.told(notice),
      notice: (member, slot, notice) => {
        this.stories[slot]?.told(notice)
        this.checks.notice(member, slot, notice)
      },
      follows: (member, slot) => this.checks.follows(member, slot),
      violation: what => this.violation(what),
      store: store => this.checks.store(name, this.#wrapStore(store)),
    }
  }

  /** Rosters are one sequence: a version is the same at all, nobody goes back, numbers are never given again. */
  #goesBy({ name, life }: Member, roster: Roster): void {
    const { version } = roster
    const own = this.#versions.get(life) ?? 0
    if (version <= own) this.violation(`one roster: ${name} goes from version ${own} to ${version}`)
    this.#versions.set(life, version)
    const known = this.#rosters.get(version)
    if (known !== undefined) {
      if (isDeepStrictEqual(known, roster)) return
      this.violation(`one roster: ${name} has another version ${version} than those before it`)
    }
    this.#rosters.set(version, roster)
    const before = this.#roster
    if (version <= before.version) return
    this.checks.changes(before, roster)
    this.#roster = roster
    this.onRoster(roster)
    const { kind, id } = roster.change ?? { kind: 'found', id: '' }
    this.trace.say(name, `roster ${version}: ${kind} ${id}`)
    for (const { id: label, number, uid } of roster.peers) {
      const isNew = before.peers.every(peer => peer.uid !== uid)
      if (isNew && number <= lastNumberOf(before)) {
        this.violation(`numbers are given once: peer ${label} of roster ${version} has ${number} again`)
      }
    }
  }

  #started(member: Member, signal: AbortSignal): void {
    const { connections, questions, evictAfterMs } = this
    const ingress = new Ingress({
      ...{ member, roster: this.#roster, connections, questions, evictAfterMs, chance: this.#chance.fork() },
      of: other => this.#ingresses.get(other.life),
      missed: peer => this.checks.missed(member, peer),
      onError: what => this.violation(what),
    })
    this.#ingresses.set(member.life, ingress)
    this.checks.started(member)
    ingress.start(signal)
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
        `${member.name} has nothing of ${name} of slot ${slot} at ${start}, it ends at ${topic.latest}`,
      )
    }
    for (const [i, event] of events.entries()) {
      if (event.offset !== start + i)
        this.violation(`${member.name} gave offset ${event.offset} where ${start + i} was due`)
      this.ledger.saw(member.name, slot, topic.incarnation, event.offset, idOf(event.data))
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
    ...{ version: 1, clusterId: 'simulated', dimension, slots, format: FORMAT },
    peers: ids.map((id, i) => ({ id, uid: uidOf(id), number: i + 1, url: urlOf(id), format: FORMAT })),
  }
}
