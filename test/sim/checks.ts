import { isDeepStrictEqual } from 'node:util'
import type { Entry, LogReader } from '../../services/peer/raft/types.ts'
import type { SlotNotice } from '../../services/peer/topics/types.ts'
import { TOPICS } from './clients.ts'
import { type Cluster, idOf } from './cluster.ts'
import type { Member } from './member.ts'

/** Between two looks at the logs. */
const LOOK_EVERY_MS = 50

interface Committed {
  readonly term: number
  readonly data: Uint8Array
  /** A term in which, at the latest, it was committed. */
  readonly byTerm: number
}

/** What must hold of Raft and of the state machines, looked at while the cluster runs and when it has healed. */
export class Checks {
  /** Snapshots that replicas installed. */
  snapshots = 0
  readonly #cluster: Cluster
  /** Leader by slot and term. */
  readonly #leaders = new Map<string, string>()
  /** Entries by slot and index, as the first replica applied them. */
  readonly #committed = new Map<number, Committed[]>()
  /** How far each life's log was looked at, by slot. */
  readonly #lookedAt = new WeakMap<Member['life'], Map<number, number>>()
  /** Last offset each life told its followers of, by slot and incarnation. */
  readonly #told = new WeakMap<Member['life'], Map<string, number>>()
  /** Last stamp of each slot's events, by life. */
  readonly #stamps = new WeakMap<Member['life'], Map<number, number>>()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    cluster.world.after(LOOK_EVERY_MS, () => this.#lookAgain())
  }

  started(member: Member): void {
    this.#lookedAt.set(member.life, new Map())
    this.#told.set(member.life, new Map())
    this.#stamps.set(member.life, new Map())
    member.engine.onCubeEvent(event => {
      if (event.kind === 'primary') this.#leader(member, event.slot, event.term, event.peer)
    })
  }

  /** Election safety: at most one leader per term; leader completeness: it holds what is committed. */
  #leader(member: Member, slot: number, term: number, peer: string): void {
    const key = `slot ${slot}, term ${term}`
    const known = this.#leaders.get(key)
    if (known === undefined) this.#leaders.set(key, peer)
    else if (known !== peer) this.#violation(`one leader per term: ${key} has ${known} and ${peer}`)
    if (peer !== member.id || known !== undefined) return
    const committed = this.#committed.get(slot) ?? []
    const last = committed.findLastIndex(entry => entry !== undefined && entry.byTerm < term)
    const log = member.store.log(slot)
    if (last < 1 || last < log.firstIndex() || log.term(last) === committed[last]!.term) return
    this.#violation(`leader completeness: ${peer} leads ${key} without committed entry ${last}`)
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
      this.#violation(`${member.id} told of offset ${run.first} of slot ${slot} after ${last}`)
    }
    told?.set(key, run.first + run.count - 1)
    const stamps = this.#stamps.get(member.life)
    if (run.timeMs < (stamps?.get(slot) ?? 0)) this.#violation(`${member.id}: a stamp of slot ${slot} fell`)
    stamps?.set(slot, run.timeMs)
    for (const [i, event] of events.entries()) {
      this.#cluster.ledger.saw(member.id, slot, run.incarnation, run.first + i, idOf(event.data))
    }
  }

  #lookAgain(): void {
    this.#cluster.world.after(LOOK_EVERY_MS, () => this.#lookAgain())
    for (const member of this.#cluster.members.values()) if (member.isUp) this.look(member)
  }

  /** State-machine safety: an entry that was applied at an index is applied there by all. */
  look(member: Member): void {
    const { engine, store, life } = member
    for (const slot of engine.held) {
      const looked = this.#lookedAt.get(life)
      const { applied, term, durable } = engine.status(slot).raft
      // A snapshot was accepted and is not installed yet: the store still has the log that it replaces.
      if (applied > durable) continue
      const log = store.log(slot)
      const from = Math.max((looked?.get(slot) ?? 0) + 1, log.firstIndex())
      if (from > applied) continue
      looked?.set(slot, applied)
      try {
        for (const entry of readAll(log, from, applied)) this.#applied(member.id, slot, entry, term)
      } catch (error) {
        this.#violation(`${member.id} cannot read what it applied: ${String(error)}`)
      }
    }
  }

  #applied(who: string, slot: number, entry: Entry, byTerm: number): void {
    const { index } = entry
    let committed = this.#committed.get(slot)
    if (!committed) {
      committed = []
      this.#committed.set(slot, committed)
    }
    const known = committed[index]
    if (!known) committed[index] = { term: entry.term, data: entry.data, byTerm }
    else if (known.term !== entry.term || Buffer.compare(known.data, entry.data) !== 0) {
      this.#violation(`state-machine safety: ${who} applied another entry ${index} of slot ${slot}`)
    }
  }

  /** What is still missing to a healed cluster; undefined when nothing is. */
  unhealed(): string | undefined {
    const { members, slots } = this.#cluster
    for (const member of members.values()) if (!member.isUp) return `${member.id} does not run`
    for (const slot of slots) {
      const replicas = this.#cluster.replicas(slot).map(id => members.get(id)!)
      const home = replicas[0]!.id
      const indexes = new Set<number>()
      for (const { id, engine, store } of replicas) {
        if (!engine.holds(slot)) return `${id} does not serve slot ${slot}`
        const { primary, raft } = engine.status(slot)
        if (primary !== home) return `slot ${slot} has primary ${primary} for ${id}, its home is ${home}`
        indexes.add(raft.lastIndex)
        if (raft.applied !== raft.lastIndex)
          return `${id} has applied ${raft.applied} of ${raft.lastIndex} of slot ${slot}`
        if (store.load(slot).image.slot.appliedIndex !== raft.applied)
          return `${id} has rows of slot ${slot} unwritten`
      }
      if (indexes.size !== 1) return `the replicas of slot ${slot} end at ${[...indexes].join()}`
    }
    return undefined
  }

  /** Of a healed cluster: replicas are identical, logs match, and what was acknowledged is there. */
  final(): void {
    for (const slot of this.#cluster.slots) {
      const replicas = this.#cluster.replicas(slot).map(id => this.#cluster.members.get(id)!)
      for (const replica of replicas) {
        this.look(replica)
        for (const topic of TOPICS) this.#readWhole(replica, slot, topic)
        this.#compare(replicas[0]!, replica, slot)
      }
    }
    this.#acknowledgedIsKept()
  }

  #readWhole(member: Member, slot: number, topic: string): void {
    const row = member.engine.topic(slot, topic)
    if (!row) return
    for (let from = row.earliest; from <= row.latest; ) {
      const count = this.#cluster.readTopic(member, slot, topic, from, 100)
      if (count === 0) return
      from += count
    }
  }

  #compare(one: Member, other: Member, slot: number): void {
    const images = [one, other].map(({ store }) => sorted(store.load(slot).image))
    if (!isDeepStrictEqual(images[0], images[1])) {
      this.#violation(`replicas are identical: ${one.id} and ${other.id} differ on slot ${slot}`)
    }
    const logs = [one, other].map(({ store }) => store.log(slot))
    const from = Math.max(...logs.map(log => log.firstIndex()))
    const [a, b] = logs.map(log => readAll(log, from, log.lastIndex()))
    const differs = a!.some((entry, i) => !isDeepStrictEqual(plain(entry), plain(b![i])))
    if (differs) this.#violation(`log matching: ${one.id} and ${other.id} differ on slot ${slot}`)
  }

  #acknowledgedIsKept(): void {
    for (const { slot, topic, incarnation, offset, ids } of this.#cluster.ledger.acknowledged) {
      const home = this.#cluster.members.get(this.#cluster.replicas(slot)[0]!)!
      const row = home.engine.topic(slot, topic)
      if (row?.incarnation !== incarnation) {
        // Only a deletion takes a topic's life away, and only this one is ever deleted.
        if (topic !== 'churn')
          this.#violation(`acknowledged is kept: ${topic} ${incarnation} of slot ${slot} is gone`)
        continue
      }
      const last = offset + ids.length - 1
      if (row.latest < last || (topic !== 'trim' && row.earliest > 1)) {
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
  const byJson = (a: unknown, b: unknown) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)
  return { ...image, keys: [...image.keys].sort(byJson), producers: [...image.producers].sort(byJson) }
}

function plain(entry: { readonly data: Uint8Array } | undefined) {
  return entry && { ...entry, data: Buffer.from(entry.data).toString('latin1') }
}
