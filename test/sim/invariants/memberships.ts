import type { PeerId } from '../../../services/peer/cube/labels.ts'
import type { Roster, RosterNote } from '../../../services/peer/cube/roster.ts'
import { Rosters } from '../../../services/peer/engine/rosters.ts'
import type { Configuration, Member as Voter } from '../../../services/peer/raft/types.ts'
import type { Cluster } from '../cluster.ts'
import type { Member } from '../member.ts'
import { raftOf } from './leaders.ts'
import { isMember, isQuorum, textOf } from './voters.ts'

export interface MembershipsOptions {
  readonly cluster: Cluster
  /** The newest committed configuration, as a replica's log has it; undefined of one that does not hold all that is committed. */
  readonly committed: (slot: number, uid: string) => Configuration | undefined
  readonly violation: (what: string) => void
}

/** A slot where its primary has it. */
interface Standing {
  readonly slot: number
  /** Whoever takes part, also those that only may. */
  readonly members: Configuration
}

/**
 * Time for which all others but one have reached a peer that is evicted all the same: somebody asked whether they do. What
 * follows such a question takes less time where every slot has a primary.
 */
const REACHED_MS = 6_000

/**
 * How peers come and go: a change that has to wait for the slots has waited, what is evicted leaves every slot a majority
 * of disks that there are, nobody goes off the list whom a slot names, and nobody takes part in a slot whom no roster
 * lists: a newcomer that was refused, or died half-way, is no member.
 */
export class Memberships {
  readonly #options: MembershipsOptions
  /** Uids by number, of all rosters there were: a newcomer that was given up and asks again has another one. */
  readonly #uids = new Map<number, string>()
  /** Since when all others but one, at the most, have found a peer up while every slot had a primary; by uid. */
  readonly #reachedMs = new Map<string, number>()
  /** Who was told that nobody reaches whom, by their uids. */
  readonly #missed = new Set<string>()

  constructor(options: MembershipsOptions) {
    this.#options = options
  }

  /** To be called regularly. */
  look(): void {
    const { cluster } = this.#options
    const up = [...cluster.members.values()].filter(({ isUp, life }) => isUp && !life.isPaused)
    const isCalm = this.#standings().length === cluster.slots.length + 1
    for (const { id, uid } of cluster.roster.peers) {
      const others = up.filter(other => other.uid !== uid)
      const missing = others.filter(({ engine }) => engine.peerState(id) !== 'up')
      const isReached = isCalm && up.length > others.length && others.length > 1 && missing.length <= 1
      if (!isReached) this.#reachedMs.delete(uid)
      else if (!this.#reachedMs.has(uid)) this.#reachedMs.set(uid, cluster.world.nowMs)
    }
  }

  /** A member had the others look for a peer, and was told that nobody reaches it. */
  missed(member: Member, id: PeerId): void {
    const uid = member.engine.roster.peers.find(peer => peer.id === id)?.uid
    if (uid !== undefined) this.#missed.add(`${member.uid} ${uid}`)
  }

  /** The first peer goes over to a later version of the roster. */
  changes(before: Roster, now: Roster): void {
    this.#learn(before)
    this.#learn(now)
    const { change } = now
    if (change === undefined || now.version !== before.version + 1) return
    if (waits(change)) this.#waited(before, now, change)
    if (change.kind === 'evict') this.#leavesMajorities(now, change)
    if (change.kind === 'evict' && waits(change)) this.#wasMissed(before, change)
    if (change.kind === 'remove') this.#isNowhere(before, now, change)
  }

  /** A configuration is about to be written. */
  names({ voters, outgoing = [], learners = [] }: Configuration): void {
    if (this.#uids.size === 0) this.#learn(this.#options.cluster.roster)
    for (const { number, uid } of [...voters, ...outgoing, ...learners]) {
      if (this.#uids.get(number) === uid) continue
      this.#violation(`who takes part is listed: ${uid} takes part as ${number}, and no roster lists it so`)
    }
  }

  #learn({ peers }: Roster): void {
    for (const { uid, number } of peers) this.#uids.set(number, uid)
  }

  /** Every slot stood where the roster before placed it; none waited for anybody but the one that goes. */
  #waited(before: Roster, now: Roster, { kind, id }: RosterNote): void {
    const rosters = new Rosters(before)
    const number = kind === 'evict' ? (rosters.numberOf(id) ?? 0) : 0
    for (const { slot, members } of this.#standings()) {
      if (rosters.settles(slot, members)) continue
      if (waitsForNobodyBut(number, rosters.membersOf(rosters.order(slot)), members)) continue
      // Nor does a slot go over to voters of which too few are there: it may wait for this one's vote.
      if (
        kind === 'evict' &&
        isMember(members, rosters.uidOf(id) ?? '') &&
        rosters.order(slot).includes(id)
      ) {
        continue
      }
      this.#violation(
        `one change at a time: roster ${now.version} (${kind} ${id}) while slot ${slot} is on ${textOf(members)}`,
      )
    }
    const leaving = before.peers.find(peer => peer.leaving)
    if (kind === 'evict' || leaving === undefined) return
    this.#violation(`one change at a time: roster ${now.version} (${kind} ${id}) while ${leaving.id} leaves`)
  }

  #wasMissed({ peers }: Roster, { id, by }: RosterNote): void {
    const { world } = this.#options.cluster
    const evicted = peers.find(peer => peer.id === id)
    const evictor = peers.find(peer => peer.id === by)
    if (!this.#missed.has(`${evictor?.uid} ${evicted?.uid}`)) {
      this.#violation(`who is evicted was looked for: ${by} evicts ${id}, and nobody told it that it is gone`)
    }
    const sinceMs = this.#reachedMs.get(evicted?.uid ?? '') ?? world.nowMs
    if (world.nowMs - sinceMs < REACHED_MS) return
    this.#violation(`who is evicted is out of reach: ${by} evicts ${id}, which the others reach`)
  }

  #leavesMajorities({ peers, version }: Roster, { id }: RosterNote): void {
    const { cluster } = this.#options
    const isThere = (uid: string) => !cluster.isGone(uid)
    const rosters = new Rosters({ ...cluster.roster, peers, version })
    for (const slot of [...cluster.slots, cluster.rosterSlot]) {
      const voters = rosters.membersOf(rosters.order(slot))
      if (isQuorum({ rosterVersion: version, voters }, isThere)) continue
      this.#violation(`an eviction leaves majorities: without ${id} slot ${slot} has none of its disks`)
    }
  }

  #isNowhere(before: Roster, now: Roster, { id }: RosterNote): void {
    const gone = before.peers.find(({ uid }) => now.peers.every(peer => peer.uid !== uid))
    for (const { slot, members } of this.#standings()) {
      const { voters, outgoing = [], learners = [] } = members
      const all = [...voters, ...outgoing, ...learners]
      if (all.every(({ uid }) => uid !== gone?.uid)) continue
      this.#violation(
        `who goes off the list is nowhere: ${id} goes, and slot ${slot} is on ${textOf(members)}`,
      )
    }
  }

  /** The slots that have a primary. */
  #standings(): Standing[] {
    const { cluster, committed } = this.#options
    return [...cluster.slots, cluster.rosterSlot].flatMap(slot => {
      const members = placesOf([...cluster.members.values()], slot, uid => committed(slot, uid))
      return members === undefined ? [] : { slot, members }
    })
  }

  #violation(what: string): void {
    this.#options.violation(what)
  }
}

/**
 * Who takes part in the slot, as its primary has it; one that a quorum has left behind is none. A new one does not know
 * yet that its newest configuration was committed by the one before, and with it who is out.
 */
function placesOf(
  members: readonly Member[],
  slot: number,
  committed: (uid: string) => Configuration | undefined,
): Configuration | undefined {
  const replicas = members.flatMap(({ isUp, uid, engine }) => {
    const raft = isUp ? raftOf(engine, slot) : undefined
    return raft === undefined ? [] : [{ uid, engine, ...raft }]
  })
  const leaders = replicas.filter(({ role }) => role === 'leader')
  const leader = leaders.sort((one, other) => other.term - one.term)[0]
  if (leader === undefined) return undefined
  const { configuration: newest } = leader
  const isCommitted = JSON.stringify(committed(leader.uid)) === JSON.stringify(newest)
  const configuration = isCommitted ? newest : leader.engine.members(slot)
  const isWith = (uid: string) => replicas.some(one => one.uid === uid && one.term === leader.term)
  return isQuorum(configuration, isWith) ? configuration : undefined
}

/** Whether all that are to take part do, but the one that goes, which is a learner at the most. */
function waitsForNobodyBut(number: number, placed: readonly Voter[], { voters }: Configuration): boolean {
  const missing = placed.filter(one => voters.every(voter => voter.number !== one.number))
  return missing.length > 0 && missing.every(one => one.number === number)
}

/** Whether the change is one that has to wait until the slots have settled: by hand a peer is evicted at once. */
function waits({ kind, why }: RosterNote): boolean {
  return kind === 'join' || kind === 'leave' || (kind === 'evict' && why.startsWith('silent'))
}
