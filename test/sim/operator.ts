import type { RosterPeer } from '../../services/peer/cube/roster.ts'
import { type Roster, staying } from '../../services/peer/cube/roster.ts'
import type { RosterChange } from '../../services/peer/cube/roster-change.ts'
import type { Cluster } from './cluster.ts'
import type { Ingress } from './ingress.ts'
import { isMember, textOf } from './invariants/voters.ts'
import { type Member, uidOf } from './member.ts'
import { NetworkError, urlOf } from './network.ts'
import type { Chance } from './world.ts'

/** A cube has so many peers that are not on their way out. */
const MIN_PEERS = 3
const MAX_PEERS = 6

/** How long one request may take, and pauses between two. */
const PATIENCE_MS = 2_500
const GRACE_MS = 500
const MAX_PAUSE_MS = 400
/** A process that was taken off the list may go on for a while. */
const MAX_GHOST_MS = 2_000

type Change = Exclude<RosterChange, { readonly kind: 'found' }>
type Wish = Change extends infer C ? (C extends Change ? Omit<C, 'by' | 'why'> : never) : never

/**
 * Who adds peers to the cube and takes them away, one change at a time, through any peer and until it is done, faults or
 * not. A peer that leaves is taken off the list when no slot names it any more, as a linearizable read of each says.
 */
export class Operator {
  /** Called with what was done. */
  onDone: (kind: string) => void = () => {}
  readonly #cluster: Cluster
  readonly #chance: Chance
  #isBusy = false
  /** Uid of the peer that the change under way is about. */
  #subject = ''
  /** What the change under way waits for. */
  #awaited = ''
  /** Disks that are lost and not replaced yet, or whose peer is not off the list yet: all of one machine. */
  readonly #lost = new Set<Member>()
  #members = 0

  constructor(cluster: Cluster, chance: Chance) {
    this.#cluster = cluster
    this.#chance = chance
  }

  /** What is not done yet; undefined when nothing is under way. */
  get unfinished(): string | undefined {
    return this.#isBusy || this.#lost.size > 0 ? this.#awaited : undefined
  }

  /** A member whose disk is lost, while others may still count on it. */
  get lost(): Member | undefined {
    return [...this.#lost][0]
  }

  /** A machine with an empty disk becomes a peer. */
  join(): boolean {
    if (staying(this.#cluster.roster).peers.length >= MAX_PEERS) return false
    return this.#begin('join', async () => {
      const name = this.#nextName()
      const roster = await this.#change({ kind: 'join', uid: uidOf(name), url: urlOf(name) })
      const { id } = roster.peers.find(({ uid }) => uid === uidOf(name))!
      this.#start(id, name, name, roster)
    })
  }

  /** A peer hands its slots over and goes. */
  leave(): boolean {
    const peer = this.#anyOf(() => true)
    if (!peer || staying(this.#cluster.roster).peers.length <= MIN_PEERS) return false
    return this.#begin('leave', async () => {
      this.#subject = peer.uid
      this.#say(`${peer.id} is to leave`)
      await this.#change({ kind: 'leave', id: peer.id })
      await this.#takeOff(peer)
      const member = this.#cluster.memberOf(peer)
      await this.#pause(this.#chance.between(0, MAX_GHOST_MS))
      if (member) this.#cluster.retire(member, 'is ended')
    })
  }

  /** A machine is gone for good, and its peer with it. */
  evict(may: (member: Member) => boolean): boolean {
    const peer = this.#anyOf(may)
    if (!peer || staying(this.#cluster.roster).peers.length <= MIN_PEERS) return false
    return this.#begin('evict', async () => {
      this.#subject = peer.uid
      const lost = this.#lose(peer, 'is gone for good')
      await this.#pause(this.#chance.between(0, MAX_GHOST_MS))
      await this.#change({ kind: 'evict', id: peer.id, uid: peer.uid })
      await this.#takeOff(peer)
      this.#lost.delete(lost)
    })
  }

  /** A disk is lost; its peer begins anew with an empty one. */
  wipe(may: (member: Member) => boolean): boolean {
    const peer = this.#anyOf(may)
    return peer !== undefined && this.#begin('wipe', () => this.#replace(peer))
  }

  /** Replaces the disk of a peer that is damaged, whatever else is under way. */
  repair(member: Member): void {
    const peer = this.#cluster.roster.peers.find(({ uid }) => uid === member.uid)
    if (!peer || peer.uid === this.#subject || (this.lost !== undefined && this.lost.host !== member.host))
      return
    void this.#replace(peer)
  }

  async #replace(peer: RosterPeer): Promise<void> {
    const { id, url, uid: replaces } = peer
    const lost = this.#lose(peer, 'loses its disk')
    const name = this.#nextName()
    const roster = await this.#change({ kind: 'replace', id, uid: uidOf(name), replaces, url })
    this.#start(id, lost.host, name, roster)
    await this.#isOut(peer)
    this.#lost.delete(lost)
  }

  #begin(kind: string, work: () => Promise<void>): boolean {
    if (this.#isBusy || this.#lost.size > 0) return false
    this.#isBusy = true
    void work().then(() => {
      this.#isBusy = false
      this.#subject = ''
      this.onDone(kind)
    })
    return true
  }

  #anyOf(may: (member: Member) => boolean): RosterPeer | undefined {
    const { peers } = staying(this.#cluster.roster)
    const able = peers.filter(peer => {
      const member = this.#cluster.memberOf(peer)
      return member !== undefined && may(member)
    })
    return able.length === 0 ? undefined : this.#chance.pick(able)
  }

  #lose(peer: RosterPeer, how: string): Member {
    const member = this.#cluster.memberOf(peer)!
    this.#lost.add(member)
    this.#cluster.retire(member, how)
    return member
  }

  #start(id: string, host: string, name: string, roster: Roster): void {
    this.#say(`${name} on ${host} is peer ${id} of roster ${roster.version}`)
    this.#cluster.add({ id, host, name }, roster).start()
  }

  async #takeOff(peer: RosterPeer): Promise<void> {
    await this.#isOut(peer)
    await this.#change({ kind: 'remove', uid: peer.uid })
    this.#say(`${peer.id} is off the list`)
  }

  /** Resolves when no slot's configuration names the peer. */
  async #isOut({ uid }: RosterPeer): Promise<void> {
    const { slots, rosterSlot } = this.#cluster
    for (const slot of [...slots, rosterSlot]) {
      for (;;) {
        const configuration = await this.#ask(ingress => ingress.membersWithin(slot, PATIENCE_MS))
        if (configuration && !isMember(configuration, uid)) break
        this.#awaited = `slot ${slot} is on ${configuration ? textOf(configuration) : 'nobody knows whom'}, not without ${uid}`
        await this.#pause(this.#chance.between(0, MAX_PAUSE_MS))
      }
    }
  }

  /** Resolves with the roster that says it; asks again, as long as that takes. */
  async #change(wish: Wish): Promise<Roster> {
    const change = { ...wish, by: 'operator', why: 'simulated' } as Change
    this.#awaited = `nobody takes the change of the roster: ${wish.kind}`
    for (;;) {
      const seen = await this.#ask(ingress => ingress.append({ kind: 'roster', change }, PATIENCE_MS))
      const result = seen?.kind === 'done' && seen.result.kind === 'appended' ? seen.result.result : undefined
      if (result?.kind === 'roster') return result.roster
      if (result?.kind === 'refused' && result.code !== 'STALE_PRODUCER') {
        this.#cluster.violation(`the operator is refused ${wish.kind}: ${result.code} ${result.detail}`)
      }
      await this.#pause(this.#chance.between(0, MAX_PAUSE_MS))
    }
  }

  /** Asks any peer; undefined when no answer came. */
  async #ask<T>(serve: (ingress: Ingress) => Promise<T>): Promise<T | undefined> {
    const { network, members } = this.#cluster
    const host = this.#chance.pick([...members.keys()])
    try {
      return await network.call('operator', undefined, host, PATIENCE_MS + GRACE_MS, member =>
        serve(this.#cluster.ingress(member)),
      )
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
      return undefined
    }
  }

  #nextName(): string {
    return `m${++this.#members}`
  }

  #pause(delayMs: number): Promise<void> {
    return this.#cluster.world.sleep(delayMs)
  }

  #say(what: string): void {
    this.#cluster.trace.say('operator', what)
  }
}
