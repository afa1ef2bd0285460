import type { Beat, SlotMessage, Transport } from '../../../services/peer/engine/types.ts'
import type { LogReader, Message } from '../../../services/peer/raft/types.ts'
import type { LoadedSlot, LogStore, SlotWrite } from '../../../services/peer/store/types.ts'
import type { Cluster } from '../cluster.ts'
import type { Member } from '../member.ts'
import { Audit } from './audit.ts'
import { Authority, LOOK_MS } from './authority.ts'
import { Elections } from './elections.ts'
import { Logs } from './logs.ts'
import { Machines } from './machines.ts'
import { Replica, type Restart } from './slot-disk.ts'
import { WatchedStore } from './watched-store.ts'

/**
 * Holds the invariants of Raft and of the slots against every write that a peer hands to its store and every message
 * it hands to the network, at the moment it does so.
 */
export class Watch {
  readonly #cluster: Cluster
  readonly #replicas = new Map<number, Map<string, Replica>>()
  /** The replicas that a slot has by its placement. */
  readonly #placed = new Map<number, readonly Replica[]>()
  readonly #logs: Logs
  readonly #elections: Elections
  readonly #machines: Machines
  readonly #authority: Authority
  readonly #audit: Audit

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    const violation = (what: string) => cluster.violation(what)
    const { members, world } = cluster
    const replicas = (slot: number) => this.#all(slot)
    this.#logs = new Logs({ replicas, violation })
    this.#elections = new Elections({
      nowMs: () => world.nowMs,
      replica: (slot, number) => this.#replica(slot, this.#idOf(number)),
      replicas,
      leads: (leader, term) => {
        this.#logs.leads(leader, term)
        this.#logs.learned(leader, this.#commitOf(leader), term)
        this.#audit.elected(leader.slot)
      },
      violation,
    })
    this.#machines = new Machines(violation)
    this.#authority = new Authority({
      members,
      replicas: slot => replicas(slot).map(({ peer }) => peer),
      violation,
    })
    const committed = (slot: number) => this.#logs.committed(slot)
    this.#audit = new Audit({ world, members, committed, violation })
    world.after(LOOK_MS, () => this.#look())
  }

  /** The store as a member's engine gets it. */
  store(id: string, store: LogStore): LogStore {
    return new WatchedStore(store, {
      writes: (slot, writes) => this.#writes(id, slot, writes),
      durable: (slot, writes) => this.#replica(slot, id).landed(writes, this.#cluster.world.nowMs),
      loads: (loaded, log) => this.#loads(id, loaded, log),
    })
  }

  /** The transport as a member's engine gets it. */
  transport(member: Member, transport: Transport): Transport {
    return {
      ...transport,
      send: (to, messages) => {
        for (const message of messages) this.#says(member.id, to, message)
        transport.send(to, messages)
      },
      heartbeat: async (to, beat) => {
        this.#beats(member.id, beat)
        const answer = await transport.heartbeat(to, beat)
        this.#authority.heard(member, to)
        this.#beats(to, answer)
        return answer
      },
    }
  }

  /** A message of another peer came in. */
  heard(member: Member, peer: string): void {
    this.#authority.heard(member, peer)
  }

  #look(): void {
    this.#cluster.world.after(LOOK_MS, () => this.#look())
    this.#authority.look()
  }

  #writes(id: string, slot: number, writes: readonly SlotWrite[]): void {
    const replica = this.#replica(slot, id)
    const { nowMs } = this.#cluster.world
    for (const { found, hardState, entries } of writes) {
      if (found && replica.durable.last > 0) {
        this.#violation(`never goes back: ${id} founds slot ${slot} again`)
      }
      if (found && hardState) this.#logs.founded(slot, hardState.commit, hardState.term)
      else if (hardState) this.#follows(replica, hardState.term, hardState.vote)
      if (!entries || entries.length === 0) continue
      this.#logs.wrote(replica, entries, replica.written.termAt(entries[0]!.index - 1))
    }
    const before = replica.written.term
    replica.write(writes, nowMs)
    this.#elections.moved(replica)
    const { term } = replica.written
    const leads = this.#elections.leaderOf(slot, term) === id
    // A leader that was deposed in this turn writes what it committed before with its new term.
    const led = leads ? term : this.#elections.leaderOf(slot, before) === id ? before : undefined
    for (const { hardState, changes, install, entries } of writes) {
      if (install) this.#machines.installs(replica, install.image)
      if (hardState && led !== undefined) this.#logs.claimed(replica, led, hardState.commit)
      if (changes) {
        const { appliedIndex, appliedTerm } = changes.slot
        if (led !== undefined) this.#logs.claimed(replica, led, appliedIndex)
        this.#logs.applied(replica, appliedIndex, appliedTerm)
        this.#machines.changed(replica, changes)
      }
      if (leads && entries?.some(entry => entry.type === 'data' && entry.term === term)) {
        this.#authority.stamped(this.#cluster.members.get(id)!, slot)
      }
    }
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

  #loads(id: string, { slot, hardState, snapshot, image }: LoadedSlot, log: LogReader): void {
    const replica = this.#replica(slot, id)
    const loaded: Restart = {
      ...hardState,
      applied: image.slot.appliedIndex,
      start: snapshot.index,
      last: log.lastIndex(),
    }
    const lost = replica.restarted(loaded, this.#cluster.world.nowMs)
    this.#elections.moved(replica)
    this.#machines.replaced(replica, image)
    if (lost === undefined) return
    this.#violation(
      `never goes back: ${id} restarts slot ${slot} from ${JSON.stringify(loaded)}, durable was ${JSON.stringify(lost)}`,
    )
  }

  #beats(id: string, { leads }: Beat): void {
    for (const [slot, term, commit] of leads) this.#leads(this.#replica(slot, id), term, commit)
  }

  #leads(replica: Replica, term: number, commit: number): void {
    this.#elections.ledBy(replica, term)
    // A follower is told no more than it holds, and the entry it ends with may be of an earlier term.
    this.#logs.claimed(replica, term, Math.max(commit, this.#commitOf(replica, term)))
  }

  /** Commit index of a member that leads now, in this term if one is given; 0 of one that does not. */
  #commitOf({ slot, peer }: Replica, term?: number): number {
    const { engine } = this.#cluster.members.get(peer)!
    if (!engine.holds(slot)) return 0
    const { raft } = engine.status(slot)
    return raft.role === 'leader' && (term ?? raft.term) === raft.term ? raft.commit : 0
  }

  #says(from: string, to: string, { slot, message }: SlotMessage): void {
    const replica = this.#replica(slot, from)
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
        this.#handsOver(replica, this.#replica(slot, to))
        break
      case 'appendResponse':
        if (!message.rejected) this.#acknowledges(replica, this.#replica(slot, to), message)
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

  #all(slot: number): readonly Replica[] {
    let all = this.#placed.get(slot)
    if (all === undefined) {
      all = this.#cluster.replicas(slot).map(id => this.#replica(slot, id))
      this.#placed.set(slot, all)
    }
    return all
  }

  #replica(slot: number, id: string): Replica {
    let bySlot = this.#replicas.get(slot)
    if (bySlot === undefined) {
      bySlot = new Map()
      this.#replicas.set(slot, bySlot)
    }
    let replica = bySlot.get(id)
    if (replica === undefined) {
      replica = new Replica(id, slot)
      bySlot.set(id, replica)
    }
    return replica
  }

  #idOf(number: number): string {
    return this.#cluster.roster.peers.find(peer => peer.number === number)!.id
  }

  #violation(what: string): void {
    this.#cluster.violation(what)
  }
}
