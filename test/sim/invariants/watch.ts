import type { PeerId } from '../../../services/peer/cube/labels.ts'
import type { Roster } from '../../../services/peer/cube/roster.ts'
import type { Beat, SlotMessage, Transport } from '../../../services/peer/engine/types.ts'
import type { Configuration, Entry, LogReader, Message } from '../../../services/peer/raft/types.ts'
import {
  CorruptRecord,
  type LoadedSlot,
  type LogStore,
  type SlotWrite,
} from '../../../services/peer/store/types.ts'
import type { Cluster } from '../cluster.ts'
import { type Member, nameOf, uidOf } from '../member.ts'
import { hostOf } from '../network.ts'
import { Audit } from './audit.ts'
import { Authority, LOOK_MS } from './authority.ts'
import { Elections } from './elections.ts'
import { Leaders } from './leaders.ts'
import { Logs } from './logs.ts'
import { Machines } from './machines.ts'
import { Memberships } from './memberships.ts'
import { Replica, type Restart } from './slot-disk.ts'
import { isMember, textOf } from './voters.ts'
import { WatchedStore } from './watched-store.ts'

/**
 * Holds the invariants of Raft and of the slots against every write that a peer hands to its store and every message
 * it hands to the network, at the moment it does so.
 */
export class Watch {
  readonly #cluster: Cluster
  /** By slot and uid. */
  readonly #replicas = new Map<number, Map<string, Replica>>()
  /** Uids by member number, from all configurations there were. */
  readonly #uids = new Map<number, string>()
  readonly #logs: Logs
  readonly #leaders: Leaders
  readonly #elections: Elections
  readonly #machines: Machines
  readonly #authority: Authority
  readonly #audit: Audit
  readonly #memberships: Memberships

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    const violation = (what: string) => cluster.violation(what)
    const { members, world } = cluster
    this.#logs = new Logs({
      replica: (slot, uid) => this.#replica(slot, uid),
      inForce: leader => this.#leaders.statusOf(leader)?.configuration,
      violation,
    })
    this.#leaders = new Leaders({
      ...{ everyone: cluster.everyone, logs: this.#logs },
      replicas: slot => this.#replicasOf(slot),
    })
    this.#elections = new Elections({
      nowMs: () => world.nowMs,
      replica: (slot, who) => this.#replica(slot, typeof who === 'string' ? who : this.#uidOf(who)),
      leads: (leader, term) => {
        this.#logs.leads(leader, term)
        this.#logs.learned(leader, this.#leaders.commitOf(leader), term)
        this.#audit.elected(leader.slot)
      },
      violation,
    })
    this.#machines = new Machines(violation)
    this.#authority = new Authority({
      members,
      known: (member, id) => this.#known(member, id),
      violation,
    })
    this.#memberships = new Memberships({
      ...{ cluster, violation },
      committed: (slot, uid) => {
        this.#leaders.claim(slot)
        return this.#logs.committedConfiguration(this.#replica(slot, uid))
      },
    })
    const committed = (slot: number) => this.#logs.committed(slot)
    this.#audit = new Audit({ world, members, committed, violation })
    world.after(LOOK_MS, () => this.#look())
  }

  /** The store as a member's engine gets it. */
  store(name: string, store: LogStore): LogStore {
    const uid = uidOf(name)
    return new WatchedStore(store, {
      opens: slots => this.#opens(uid, slots),
      writes: (slot, writes) => this.#writes(uid, slot, writes),
      durable: (slot, writes) => this.#replica(slot, uid).landed(writes, this.#cluster.world.nowMs),
      loads: (loaded, log) => this.#loads(uid, loaded, log),
    })
  }

  /** The transport as a member's engine gets it. */
  transport(member: Member, transport: Transport): Transport {
    return {
      ...transport,
      send: (to, messages) => {
        for (const message of messages) this.#says(member, message)
        transport.send(to, messages)
      },
      heartbeat: async (to, beat) => {
        this.#beats(beat)
        const answer = await transport.heartbeat(to, beat)
        const from = this.#cluster.memberOf(answer)
        if (from) this.#authority.heard(member, from)
        this.#beats(answer)
        return answer
      },
    }
  }

  /** A member had the others look for a peer, and was told that nobody reaches it. */
  missed(member: Member, peer: PeerId): void {
    this.#memberships.missed(member, peer)
  }

  /** The roster is to change. */
  changes(before: Roster, now: Roster): void {
    this.#memberships.changes(before, now)
  }

  /** All that say who takes part in a slot: those in force, and those that may come to be. */
  configurations(slot: number): readonly Configuration[] {
    const replicas = [...(this.#replicas.get(slot)?.values() ?? [])]
    const { roster } = this.#cluster
    const isKept = (uid: string) => roster.peers.some(peer => peer.uid === uid) && !this.#cluster.isGone(uid)
    const kept = replicas.filter(({ peer }) => isKept(uidOf(peer)))
    const all = kept.flatMap(({ written, durable }) =>
      [written, durable].flatMap(disk => (disk.isDropped ? [] : disk.configurationsFrom(disk.commit))),
    )
    // A newcomer that has no entry yet does not know who takes part.
    return all.filter(({ voters }) => voters.length > 0)
  }

  /** A message of another peer came in. */
  heard(member: Member, from: Member): void {
    this.#authority.heard(member, from)
  }

  #look(): void {
    this.#cluster.world.after(LOOK_MS, () => this.#look())
    this.#authority.look()
    this.#memberships.look()
  }

  #opens(uid: string, slots: readonly number[]): void {
    for (const [slot, replicas] of this.#replicas) {
      const replica = replicas.get(uid)
      if (slots.includes(slot) || !replica || replica.isGone(this.#cluster.world.nowMs)) continue
      this.#violation(`never goes back: ${replica.peer} restarts without slot ${slot}`)
    }
  }

  #writes(uid: string, slot: number, writes: readonly SlotWrite[]): void {
    const replica = this.#replica(slot, uid)
    const { peer } = replica
    const { nowMs } = this.#cluster.world
    for (const { found, hardState, entries, install, drop } of writes) {
      if (found && replica.written.configuration !== undefined) {
        this.#violation(`never goes back: ${peer} founds slot ${slot} again`)
      }
      if (found) this.#cluster.everyone.get(peer)!.founded(slot)
      if (drop) this.#drops(replica)
      if (hardState) this.#follows(replica, hardState.term, hardState.vote)
      if (found && hardState) this.#logs.founded(slot, hardState.commit, hardState.term)
      for (const { configuration } of entries ?? []) if (configuration) this.#meets(configuration)
      if (install) this.#meets(install.snapshot.configuration)
      if (found) this.#meets(found.snapshot.configuration)
      if (!entries || entries.length === 0) continue
      this.#logs.wrote(replica, entries, replica.written.termAt(entries[0]!.index - 1))
    }
    const before = replica.written.term
    replica.write(writes, nowMs)
    this.#elections.moved(replica)
    const { term } = replica.written
    this.#leaders.ledAlone(replica, this.#elections)
    const leads = this.#elections.leaderOf(slot, term) === peer
    // A leader that was deposed in this turn writes what it committed before with its new term.
    const led = leads ? term : this.#elections.leaderOf(slot, before) === peer ? before : undefined
    for (const { hardState, changes, install, entries } of writes) {
      if (install) this.#machines.installs(replica, install.image)
      if (hardState && led !== undefined) this.#logs.claimed(replica, led, hardState.commit)
      if (changes) {
        const { appliedIndex, appliedTerm } = changes.slot
        if (led !== undefined) this.#logs.claimed(replica, led, appliedIndex)
        this.#logs.applied(replica, appliedIndex, appliedTerm)
        this.#machines.changed(replica, changes)
      }
      if (leads && entries) this.#changes(replica, entries)
      if (leads && entries?.some(entry => entry.type === 'data' && entry.term === term)) {
        this.#authority.stamped(this.#cluster.everyone.get(peer)!, slot)
      }
    }
  }

  /** A leader changes who takes part only when the change before is committed (paper section 6). */
  #changes(leader: Replica, entries: readonly Entry[]): void {
    const { slot, peer, written } = leader
    for (const { index, term, configuration } of entries) {
      if (!configuration || term !== written.term) continue
      this.#logs.claimed(leader, term, this.#leaders.commitOf(leader, term))
      const before = written.configuredBefore(index)
      if (before <= this.#logs.committed(slot)) continue
      this.#violation(
        `one change at a time: ${peer} has slot ${slot} go to ${textOf(configuration)} at ${index}, the change at ${before} is not committed`,
      )
    }
  }

  /** Who is what number. */
  #meets(configuration: Configuration): void {
    this.#memberships.names(configuration)
    const { voters, outgoing = [], learners = [] } = configuration
    for (const { number, uid } of [...voters, ...outgoing, ...learners]) this.#uids.set(number, uid)
  }

  /** A replica goes only when a configuration that is committed leaves it out. */
  #drops(replica: Replica): void {
    const { slot, peer } = replica
    this.#machines.dropped(replica)
    this.#leaders.claim(slot)
    const replicas = this.#replicasOf(slot)
    const [configuration] = replicas.flatMap(one => this.#logs.committedConfiguration(one) ?? [])
    if (configuration === undefined || !isMember(configuration, uidOf(peer))) return
    this.#violation(
      `a replica goes when it is out: ${peer} deletes slot ${slot}, where ${textOf(configuration)} is committed`,
    )
  }

  #replicasOf(slot: number): Replica[] {
    return [...this.#cluster.members.values()].map(({ uid }) => this.#replica(slot, uid))
  }

  #follows({ peer, slot, written }: Replica, term: number, vote: number): void {
    if (term < written.term) {
      this.#violation(`never goes back: ${peer} writes term ${term} of slot ${slot} after ${written.term}`)
    } else if (term === written.term && written.vote !== 0 && vote !== written.vote) {
      this.#violation(
        `never goes back: ${peer} writes a vote for ${vote} in term ${term} of slot ${slot}, it was for ${written.vote}`,
      )
    }
  }

  #loads(uid: string, { slot, hardState, snapshot, image }: LoadedSlot, log: LogReader): void {
    const replica = this.#replica(slot, uid)
    const loaded: Restart = {
      ...hardState,
      applied: image.slot.appliedIndex,
      start: snapshot.index,
      last: log.lastIndex(),
      lastTerm: termOf(log),
    }
    const lost = replica.restarted(loaded, this.#cluster.world.nowMs)
    this.#elections.moved(replica)
    this.#machines.replaced(replica, image)
    if (lost === undefined) return
    this.#violation(
      `never goes back: ${replica.peer} restarts slot ${slot} from ${JSON.stringify(loaded)}, durable was ${JSON.stringify(lost)}`,
    )
  }

  #beats({ uid, leads }: Beat): void {
    for (const [slot, term, commit] of leads) this.#leads(this.#replica(slot, uid), term, commit)
  }

  #leads(replica: Replica, term: number, commit: number): void {
    this.#elections.ledBy(replica, term)
    // A follower is told no more than it holds, and the entry it ends with may be of an earlier term.
    this.#logs.claimed(replica, term, Math.max(commit, this.#leaders.commitOf(replica, term)))
  }

  #says({ name: from, uid }: Member, { slot, message }: SlotMessage): void {
    const replica = this.#replica(slot, uid)
    const to = () => this.#replica(slot, this.#uidOf(message.to))
    if (replica.written.isDropped) {
      this.#violation(`who is out says nothing: ${from} says ${message.type} about slot ${slot}`)
    }
    // A pre-vote is about a term that nobody is in yet, and so is its answer.
    if (!message.type.startsWith('preVote') && message.term > replica.durable.term) {
      this.#violation(
        `terms are durable: ${from} says ${message.type} in term ${message.term} of slot ${slot}`,
      )
    }
    switch (message.type) {
      case 'preVote':
        this.#elections.asksAround(replica, message)
        break
      case 'preVoteResponse':
        this.#elections.wouldVote(replica, message)
        break
      case 'vote':
        this.#elections.stands(replica, message)
        break
      case 'voteResponse':
        this.#elections.votes(replica, message)
        break
      case 'append':
      case 'heartbeat':
        this.#leads(replica, message.term, message.commit)
        break
      case 'snapshot':
        this.#elections.ledBy(replica, message.term)
        break
      case 'timeoutNow':
        this.#elections.ledBy(replica, message.term)
        this.#handsOver(replica, to())
        break
      case 'appendResponse':
        if (!message.rejected) this.#acknowledges(replica, to(), message)
        break
    }
  }

  /** What is acknowledged to a leader is durable, and the same as the leader's. */
  #acknowledges(
    { peer, slot, durable }: Replica,
    leader: Replica,
    { index, term }: Extract<Message, { type: 'appendResponse' }>,
  ): void {
    // What was cut in this very moment had been durable when the answer was made.
    if (durable.cutMs === this.#cluster.world.nowMs) return
    const due = leader.written.term === term ? leader.written.termAt(index) : undefined
    const isHeld = due === undefined ? durable.last >= index : durable.holds(index, due)
    if (isHeld) return
    this.#violation(
      `acknowledged is durable: ${peer} acknowledges entry ${index} of slot ${slot}, durable is ${durable.last}`,
    )
  }

  /** Leadership is handed to who holds the whole log (thesis 3.10): another one would only disturb. */
  #handsOver({ peer, slot, written }: Replica, heir: Replica): void {
    const { index, term } = written.end
    if (heir.durable.holds(index, term)) return
    this.#violation(
      `leadership is handed to who is level: ${peer} hands slot ${slot} to ${heir.peer}, which lacks entry ${index}`,
    )
  }

  #replica(slot: number, uid: string): Replica {
    let bySlot = this.#replicas.get(slot)
    if (bySlot === undefined) {
      bySlot = new Map()
      this.#replicas.set(slot, bySlot)
    }
    let replica = bySlot.get(uid)
    if (replica === undefined) {
      replica = new Replica(nameOf(uid), slot)
      bySlot.set(uid, replica)
    }
    return replica
  }

  #uidOf(number: number): string {
    return this.#uids.get(number)!
  }

  /** Who a member means by a label. */
  #known(member: Member, id: string): Member | undefined {
    return this.#cluster.members.get(hostOf(member, id) ?? '')
  }

  #violation(what: string): void {
    this.#cluster.violation(what)
  }
}

/** Term of the newest entry; undefined where its record is corrupt. */
function termOf(log: LogReader): number | undefined {
  try {
    return log.term(log.lastIndex())
  } catch (error) {
    if (error instanceof CorruptRecord) return undefined
    throw error
  }
}
