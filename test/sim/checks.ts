import { isDeepStrictEqual } from 'node:util'
import type { PeerId } from '../../services/peer/cube/labels.ts'
import type { Roster } from '../../services/peer/cube/roster.ts'
import type { Transport } from '../../services/peer/engine/types.ts'
import type { Configuration, LogReader } from '../../services/peer/raft/types.ts'
import type { LogStore } from '../../services/peer/store/types.ts'
import type { SlotNotice } from '../../services/peer/topics/types.ts'
import { type Cluster, idOf } from './cluster.ts'
import { textOf } from './invariants/voters.ts'
import { Watch } from './invariants/watch.ts'
import type { Member } from './member.ts'
import { urlOf } from './network.ts'
import { isTrimmed, kindOf } from './topics.ts'

/** What must hold of the slots: at every step, and of the whole when it has healed. */
export class Checks {
  /** Snapshots that replicas installed. */
  snapshots = 0
  readonly #cluster: Cluster
  readonly #watch: Watch
  /** Last offset each life told its followers of, by slot and incarnation. */
  readonly #told = new WeakMap<Member['life'], Map<string, number>>()
  /** Last stamp of each slot's events, by life. */
  readonly #stamps = new WeakMap<Member['life'], Map<number, number>>()
  /** Term of each slot when it was first seen healed. */
  readonly #healedTerms = new Map<number, number>()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#watch = new Watch(cluster)
  }

  /** The store as a member's engine gets it. */
  store(name: string, store: LogStore): LogStore {
    return this.#watch.store(name, store)
  }

  /** The transport as a member's engine gets it. */
  transport(member: Member, transport: Transport): Transport {
    return this.#watch.transport(member, transport)
  }

  /** A message of another peer came in. */
  heard(member: Member, from: Member): void {
    this.#watch.heard(member, from)
  }

  /** A member had the others look for a peer, and was told that nobody reaches it. */
  missed(member: Member, peer: PeerId): void {
    this.#watch.missed(member, peer)
  }

  /** The roster is to change. */
  changes(before: Roster, now: Roster): void {
    this.#watch.changes(before, now)
  }

  /** All that say who takes part in a slot: those in force, and those that may come to be. */
  configurations(slot: number): readonly Configuration[] {
    return this.#watch.configurations(slot)
  }

  started(member: Member): void {
    this.#told.set(member.life, new Map())
    this.#stamps.set(member.life, new Map())
  }

  /** From now on it is told of what is applied to its replica of the slot, which is another one than before. */
  follows({ life }: Member, slot: number): void {
    const told = this.#told.get(life)
    for (const key of told?.keys() ?? []) if (key.startsWith(`${slot}/`)) told?.delete(key)
    this.#stamps.get(life)?.delete(slot)
  }

  /** What followers are told: every offset once, ascending, stamps never falling. */
  notice(member: Member, slot: number, notice: SlotNotice): void {
    if (notice.kind === 'restored') {
      this.snapshots++
      this.#told.set(member.life, new Map())
      return
    }
    if (notice.kind !== 'published') return
    const { run, events } = notice
    const told = this.#told.get(member.life)
    const key = `${slot}/${run.incarnation}`
    const last = told?.get(key)
    if (last !== undefined && run.first !== last + 1) {
      this.#violation(
        `one order: ${member.name} is told of offset ${run.first} of slot ${slot} after ${last}`,
      )
    }
    told?.set(key, run.first + run.count - 1)
    const stamps = this.#stamps.get(member.life)
    if (run.timeMs < (stamps?.get(slot) ?? 0)) {
      this.#violation(`stamps never fall: ${member.name} is told of an older one of slot ${slot}`)
    }
    stamps?.set(slot, run.timeMs)
    for (const [i, event] of events.entries()) {
      this.#cluster.ledger.saw(member.name, slot, run.incarnation, run.first + i, idOf(event.data))
    }
  }

  /** What is still missing to a healed cluster; undefined when nothing is. */
  unhealed(): string | undefined {
    const { members, roster } = this.#cluster
    for (const member of members.values()) {
      const { name, uid, isUp, isLost } = member
      if (isLost) continue
      if (!isUp) return `${name} does not run`
      const { version } = member.engine.roster
      if (version !== roster.version) return `${name} goes by roster ${version}, not ${roster.version}`
      if (roster.peers.every(peer => peer.uid !== uid)) return `${name} runs and is off the list`
    }
    for (const peer of roster.peers) {
      const member = this.#cluster.memberOf(peer)
      if (!member || peer.url !== urlOf(member.host)) return `${peer.uid} is not found at ${peer.url}`
    }
    const slots = [...this.#cluster.slots, this.#cluster.rosterSlot]
    for (const slot of slots) {
      const missing = this.#unhealedSlot(slot) ?? this.#misplaced(slot)
      if (missing !== undefined) return missing
    }
    for (const slot of slots) {
      const { term } = this.#serving(slot)[0]!.engine.status(slot).raft
      if (!this.#healedTerms.has(slot)) this.#healedTerms.set(slot, term)
    }
    return undefined
  }

  #unhealedSlot(slot: number): string | undefined {
    const placed = this.#cluster.placed(slot)
    const [due] = placed
    const serving = this.#serving(slot)
    for (const id of placed) {
      const isDue = this.#cluster.memberAt(id)?.isHarmed(slot) !== true
      if (isDue && !serving.some(member => member.id === id)) return `${id} does not serve slot ${slot}`
    }
    // A home that has lost the slot to a bad disk cannot lead it: another one does.
    const home = serving.some(({ id }) => id === due) ? due : serving[0]!.engine.status(slot).primary
    const indexes = new Set<number>()
    for (const member of serving) {
      const { id, engine, store } = member
      const { primary, raft } = engine.status(slot)
      if (primary === null || primary !== home)
        return `slot ${slot} has primary ${primary} for ${id}, not ${home}`
      indexes.add(raft.lastIndex)
      if (raft.applied !== raft.lastIndex)
        return `${id} has applied ${raft.applied} of ${raft.lastIndex} of slot ${slot}`
      if (!member.isHarmed(slot) && store.load(slot).image.slot.appliedIndex !== raft.applied)
        return `${id} has rows of slot ${slot} unwritten`
    }
    return indexes.size === 1 ? undefined : `the replicas of slot ${slot} end at ${[...indexes].join()}`
  }

  /** Every slot is on exactly the peers that the roster places it on, by its configuration and by their disks. */
  #misplaced(slot: number): string | undefined {
    const { members, roster } = this.#cluster
    const placed = this.#cluster.placed(slot)
    const numbers = roster.peers.filter(({ id }) => placed.includes(id)).map(({ number }) => number)
    for (const { name, engine } of this.#serving(slot)) {
      const { configuration } = engine.status(slot).raft
      const { voters, outgoing, learners } = configuration
      const isSettled = outgoing === undefined && learners === undefined && voters.length === numbers.length
      if (isSettled && voters.every(({ number }) => numbers.includes(number))) continue
      return `slot ${slot} is on ${textOf(configuration)} for ${name}, not on ${numbers.join(' ')}`
    }
    for (const { name, id, isUp, store, engine } of members.values()) {
      if (!isUp || placed.includes(id)) continue
      // A replica with a corrupt record goes with the whole store, which is repaired; that is not simulated.
      if (engine.corrupt.has(slot)) continue
      if (store.slots().includes(slot)) return `${name} has a replica of slot ${slot} and should not`
      if (store.leftovers().includes(slot)) return `${name} has rows of slot ${slot} and should not`
    }
    return undefined
  }

  /** Of a healed cluster: replicas are identical, logs match, and what was acknowledged is there. */
  final(): void {
    for (const slot of [...this.#cluster.slots, this.#cluster.rosterSlot]) {
      const serving = this.#serving(slot)
      for (const replica of serving) {
        for (const { name } of this.#cluster.topicsOf(slot)) this.#readWhole(replica, slot, name)
        this.#compare(serving[0]!, replica, slot)
      }
      this.#isStable(slot)
    }
    this.#acknowledgedIsKept()
  }

  /** Nobody stood for election since the cluster had healed; a replica that a bad disk takes away is a reason to. */
  #isStable(slot: number): void {
    if (this.#cluster.replicas(slot).some(member => member.isHarmed(slot))) return
    const { term } = this.#serving(slot)[0]!.engine.status(slot).raft
    const before = this.#healedTerms.get(slot)
    if (before === undefined || before === term) return
    this.#violation(`healed is stable: slot ${slot} went from term ${before} to ${term}`)
  }

  /** The slot's replicas that are in service, in order of succession. */
  #serving(slot: number): Member[] {
    return this.#cluster.replicas(slot).filter(member => member.isUp && member.engine.holds(slot))
  }

  #readWhole(member: Member, slot: number, topic: string): void {
    if (member.isHarmed(slot)) return
    const row = member.engine.topic(slot, topic)
    if (!row) return
    for (let from = row.earliest; from <= row.latest; ) {
      const count = this.#cluster.readTopic(member, slot, topic, from, 100)
      if (count === 0) return
      from += count
    }
  }

  #compare(one: Member, other: Member, slot: number): void {
    if (one === other || one.isHarmed(slot) || other.isHarmed(slot)) return
    const images = [one, other].map(({ store }) => sorted(store.load(slot).image))
    if (!isDeepStrictEqual(images[0], images[1])) {
      this.#violation(`replicas are identical: ${one.name} and ${other.name} differ on slot ${slot}`)
    }
    const logs = [one, other].map(({ store }) => store.log(slot))
    const from = Math.max(...logs.map(log => log.firstIndex()))
    const [a, b] = logs.map(log => readAll(log, from, log.lastIndex()))
    const differs = a!.some((entry, i) => !isDeepStrictEqual(plain(entry), plain(b![i])))
    if (differs) this.#violation(`log matching: ${one.id} and ${other.id} differ on slot ${slot}`)
  }

  #acknowledgedIsKept(): void {
    for (const { slot, topic, incarnation, offset, ids } of this.#cluster.ledger.acknowledged) {
      const row = this.#serving(slot)[0]!.engine.topic(slot, topic)
      if (row?.incarnation !== incarnation) {
        // Only a deletion takes a topic's life away, and only this one is ever deleted.
        if (kindOf(topic) !== 'churn')
          this.#violation(`acknowledged is kept: ${topic} ${incarnation} of slot ${slot} is gone`)
        continue
      }
      const last = offset + ids.length - 1
      if (row.latest < last || (!isTrimmed(topic) && row.earliest > 1)) {
        this.#violation(
          `acknowledged is kept: ${topic} of slot ${slot} is ${row.earliest} to ${row.latest}, not ${last}`,
        )
      }
    }
  }

  #violation(what: string): void {
    this.#cluster.violation(what)
  }
}

function readAll(log: LogReader, from: number, to: number) {
  const entries = []
  while (from <= to) {
    const read = log.entries(from, to + 1, 1_000_000)
    entries.push(...read)
    from += read.length
  }
  return entries
}

/** Rows come from the store in the order of their keys; keys are hashes. */
function sorted(image: ReturnType<Member['store']['load']>['image']) {
  const byPlace = (a: { topic: string; key: string }, b: { topic: string; key: string }) =>
    a.topic < b.topic || (a.topic === b.topic && a.key < b.key) ? -1 : 1
  const byUid = (a: { uid: string }, b: { uid: string }) => (a.uid < b.uid ? -1 : 1)
  return { ...image, keys: [...image.keys].sort(byPlace), producers: [...image.producers].sort(byUid) }
}

function plain(entry: { readonly data: Uint8Array } | undefined) {
  return entry && { ...entry, data: Buffer.from(entry.data).toString('latin1') }
}
