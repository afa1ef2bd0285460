import { type Roster, type RosterPeer, staying } from '../../services/peer/cube/roster.ts'
import type { Engine } from '../../services/peer/engine/engine.ts'
import type { ErrorCode } from '../../services/peer/errors.ts'
import type { Cluster } from './cluster.ts'
import type { Ingress } from './ingress.ts'
import { isMember, textOf } from './invariants/voters.ts'
import type { Member } from './member.ts'
import { NetworkError, urlOf } from './network.ts'
import type { Chance } from './world.ts'

/** No peer is asked to leave, and no disk lost, when no more than so many stay. */
const MIN_PEERS = 3
const MAX_PEERS = 6

/** How long one request may take, and pauses between two looks. */
const PATIENCE_MS = 2_500
const GRACE_MS = 500
const MAX_PAUSE_MS = 400
/** Longest time until a machine that was taken away is missed, or one that is to begin anew does. */
const MAX_DELAY_MS = 2_000
/** A newcomer's wish that nobody serves any more may still be in a log: it is committed by then, or never. */
const FORGOTTEN_MS = 6_000
/** Share of the newcomers that come by twos: each is judged by the roster before the other one is on it. */
const TWINS_SHARE = 0.4

/** What a request to let a peer go may be refused with for a while. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...(['CHANGE_UNDER_WAY', 'NO_PRIMARY', 'UNREACHABLE', 'OUTCOME_UNKNOWN', 'STOPPING'] as const),
  ...(['CLOCK_SKEW', 'DISK_FULL', 'OVERLOADED', 'UNKNOWN_PEER', 'LAST_PEER'] as const),
])

/** Something that is not done yet, and the uid of the peer that it is about. */
interface Wait {
  readonly uid: string
  what: string
}

/**
 * Who wants peers to come and go, one at a time: starts machines, asks any peer to let one leave, takes machines and
 * disks away, and waits until what follows is seen done. All else is for the peers.
 */
export class Operator {
  /** Called with what was done that no roster tells of. */
  onDone: (kind: string) => void = () => {}
  readonly #cluster: Cluster
  readonly #chance: Chance
  readonly #names = { disks: 0, hosts: 0 }
  #isBusy = false
  #isMoving = false
  /** What is waited for. */
  readonly #waits = new Set<Wait>()
  /** Uid of the peer that is asked to leave. */
  #leaver = ''

  constructor(cluster: Cluster, chance: Chance) {
    this.#cluster = cluster
    this.#chance = chance
    cluster.onRemoved = member => void this.#beginsAnew(member)
  }

  /** What is not done yet; undefined when nothing is under way. */
  get unfinished(): string | undefined {
    return [...this.#waits].at(-1)?.what
  }

  /** Some peer is not where the others look for it: it must not be needed in place of a disk that is lost. */
  get isMoving(): boolean {
    return this.#isMoving
  }

  /** A machine with an empty disk is to become a peer, or two at the same time. */
  join(): boolean {
    const room = MAX_PEERS - this.#cluster.members.size
    if (room <= 0) return false
    return this.#begin(async () => {
      const member = this.#newcomer()
      if (room >= 2 && this.#chance.yes(TWINS_SHARE)) {
        await Promise.all([this.#isTakenIn(member), this.#isTakenIn(this.#newcomer())])
        return
      }
      return this.#isTakenIn(member)
    })
  }

  /** A machine wants to become a peer, and is taken away before it knows that it is one, if it can be spared then. */
  giveUp(may: () => boolean): boolean {
    if (this.#cluster.members.size >= MAX_PEERS || !may()) return false
    return this.#begin(async () => {
      const member = this.#newcomer()
      await this.#pause(this.#chance.between(0, MAX_DELAY_MS))
      if (!may() || !this.#mayLose(member)) return this.#isTakenIn(member)
      this.#cluster.retire(member, 'is taken away again')
      await this.#isForgotten(member.uid)
      this.onDone('newcomer given up')
    })
  }

  /** A peer is to hand its slots over and go. */
  leave(): boolean {
    const peer = this.#anyOf(() => true)
    const member = peer && this.#cluster.memberOf(peer)
    if (!member || staying(this.#cluster.roster).peers.length <= MIN_PEERS) return false
    return this.#begin(async () => {
      const { uid } = peer
      this.#leaver = uid
      this.#say(`${peer.id} is to leave`)
      await this.#isToGo(uid, false)
      await this.#until(uid, `${uid} is on the list`, () => !this.#isListed(uid))
      const isOver = () => (member.isRetired || member.isLost) && member.life.isDead
      await this.#until(uid, `${uid} does not end`, isOver)
      this.#cluster.retire(member, 'is taken away')
    })
  }

  /** A machine is gone for good, and its peer with it. */
  lose(may: (member: Member) => boolean): boolean {
    const peer = this.#anyOf(member => may(member) && this.#mayLose(member))
    if (!peer || staying(this.#cluster.roster).peers.length <= MIN_PEERS) return false
    return this.#begin(async () => {
      this.#cluster.retire(this.#cluster.memberOf(peer)!, 'is gone for good')
      await this.#isForgotten(peer.uid)
      this.onDone('machine gone for good')
    })
  }

  /** A disk is lost; its machine begins anew with an empty one, at the same address. */
  wipe(may: (member: Member) => boolean): boolean {
    const peer = this.#anyOf(member => may(member) && this.#mayLose(member))
    return peer !== undefined && this.#begin(() => this.#replace(this.#cluster.memberOf(peer)!))
  }

  /** Replaces the disk of a peer that is damaged, whatever else is under way. */
  repair(member: Member): void {
    const { uid } = member
    if (this.#isMoving || this.#isAwaited(uid) || !this.#isListed(uid) || !this.#mayLose(member)) return
    void this.#replace(member)
  }

  /**
   * One machine, or two that exchange theirs, comes back at another address. Two that do reach the others and not each
   * other: each slot has a majority without one of them, and no disk is harmed before they are found.
   */
  move(isSwap: boolean): boolean {
    const peers = staying(this.#cluster.roster).peers.flatMap(peer => this.#cluster.memberOf(peer) ?? [])
    const movers = peers.filter(({ isUp, uid }) => isUp && !this.#isAwaited(uid))
    if (movers.length < 3) return false
    const first = this.#chance.pick(movers)
    const [second = first] = isSwap ? [this.#chance.pick(movers.filter(member => member !== first))] : []
    if (![first, second].every(({ uid }) => this.#cluster.survives(other => other === uid))) return false
    const to = new Map(isSwap ? [[first, second.host] as const, [second, first.host] as const] : [])
    if (!isSwap) to.set(first, `h${this.#names.hosts + 1}`)
    if (!this.#keepInTouch(peers, to)) return false
    return this.#begin(async () => {
      this.#isMoving = true
      if (!isSwap) this.#names.hosts++
      for (const [member, host] of to) member.kill(member.disk.pendingWrites, `moves to ${host}`)
      this.#cluster.rehost(to)
      await this.#pause(this.#chance.between(0, MAX_DELAY_MS))
      for (const member of to.keys()) member.start()
      for (const [{ uid }, host] of to) {
        // At an address that it was merely given it has yet to say that it is there.
        const isThere = ({ peers: all }: Roster) =>
          all.some(peer => peer.uid === uid && peer.url === urlOf(host) && !peer.given)
        const isDone = () => !this.#isListed(uid) || isThere(this.#cluster.roster)
        await this.#until(uid, `nobody knows that ${uid} is at ${host}`, isDone)
      }
      this.#isMoving = false
    })
  }

  /**
   * Whether, with some at other addresses, all still find each other: one where its own roster has it, or is found so, and
   * on from there. A peer that was cut off while all others moved, and moves, is found by nobody and finds nobody for ever.
   */
  #keepInTouch(peers: readonly Member[], to: ReadonlyMap<Member, string>): boolean {
    const knows = (one: Member, other: Member) => {
      const url = urlOf(to.get(other) ?? other.host)
      // Who was not taken in yet knows nobody, and is found where it is listed.
      const known = (one.engine as Engine | undefined)?.roster.peers ?? []
      return known.some(peer => peer.uid === other.uid && peer.url === url)
    }
    const [first, ...others] = peers
    const reached = new Set([first!])
    for (const one of reached) {
      for (const other of others) if (knows(one, other) || knows(other, one)) reached.add(other)
    }
    return reached.size === peers.length
  }

  /** Asks again for whoever is still listed though its machine was taken away before it was a peer. */
  sweep(): void {
    for (const { uid } of this.#cluster.roster.peers) {
      if (this.#cluster.isGone(uid) && !this.#isAwaited(uid)) void this.#isForgotten(uid)
    }
  }

  /** A peer was taken off the list that nobody asked to leave: its machine begins anew. */
  async #beginsAnew(member: Member): Promise<void> {
    if (member.uid === this.#leaver) return
    this.onDone('peer learns that it was evicted')
    await this.#until(member.uid, `${member.name} does not end`, () => member.life.isDead)
    await this.#pause(this.#chance.between(0, MAX_DELAY_MS))
    if (this.#cluster.members.get(member.host) === member) await this.#anew(member)
  }

  async #replace(member: Member): Promise<void> {
    const { uid } = member
    const wait = this.#wait(uid, `${uid} is to be replaced`)
    this.#cluster.retire(member, 'loses its disk')
    await this.#pause(this.#chance.between(0, MAX_DELAY_MS))
    await this.#anew(member)
    await this.#isOut(uid)
    this.#waits.delete(wait)
  }

  /** The machine has an empty disk, and wants to be a peer again. */
  #anew({ machine, host }: Member): Promise<void> {
    return this.#isTakenIn(this.#install({ machine, host, name: this.#nextName() }))
  }

  #newcomer(): Member {
    const name = this.#nextName()
    return this.#install({ machine: name, host: name, name })
  }

  #install(identity: { readonly machine: string; readonly host: string; readonly name: string }): Member {
    this.#say(`${identity.name} is a new disk on ${identity.machine}`)
    const member = this.#cluster.add(identity)
    member.start()
    return member
  }

  /** Resolves when the newcomer is a peer; who is refused is started again, and whose disk fails is given another one. */
  async #isTakenIn(member: Member): Promise<void> {
    const { name, uid } = member
    await this.#until(uid, `${name} is not taken in`, () => {
      if (member.isRefused) member.start()
      return member.isLost || member.isRetired || (member.isUp && this.#isListed(uid))
    })
    if (!member.isLost) return
    this.#cluster.retire(member, 'loses its disk')
    await this.#anew(member)
  }

  /** Resolves when no list and no slot names the store any more whose machine was taken away. */
  async #isForgotten(uid: string): Promise<void> {
    const { world, questions, evictAfterMs } = this.#cluster
    const wait = this.#wait(uid, `${uid} is to be forgotten`)
    await this.#pause(this.#chance.between(0, MAX_DELAY_MS))
    // Where peers are evicted when they are missed, somebody asks for it all the same, or nobody does.
    const isAsked = evictAfterMs === 0 || this.#chance.yes(0.25)
    let lastMs = world.nowMs
    await this.#until(uid, `${uid} is on the list`, async () => {
      if (isAsked) await this.#isToGo(uid, true)
      if (this.#isListed(uid) || questions.isJoining(uid)) lastMs = world.nowMs
      return world.nowMs - lastMs >= FORGOTTEN_MS
    })
    await this.#isOut(uid)
    this.#waits.delete(wait)
  }

  /** Resolves when the peer is on its way out; asks for it, as long as that takes. */
  async #isToGo(uid: string, force: boolean): Promise<void> {
    const peer = () => this.#cluster.roster.peers.find(one => one.uid === uid)
    const ask = async () => {
      const { id } = peer()!
      const code = await this.#ask(ingress => ingress.leave(id, force, PATIENCE_MS))
      if (code === undefined || PASSING.has(code)) return
      this.#cluster.violation(`the operator is refused: ${id} may not go, ${code}`)
    }
    await this.#until(uid, `${uid} is not let go`, async () => {
      if (peer() && !peer()!.leaving) await ask()
      return peer()?.leaving !== undefined || peer() === undefined
    })
  }

  /** Resolves when no slot's configuration names the store, as a linearizable read of each says. */
  async #isOut(uid: string): Promise<void> {
    const { slots, rosterSlot } = this.#cluster
    for (const slot of [...slots, rosterSlot]) {
      await this.#until(uid, `slot ${slot} is on ${uid}`, async wait => {
        const configuration = await this.#ask(ingress => ingress.membersWithin(slot, PATIENCE_MS))
        if (configuration && !isMember(configuration, uid)) return true
        const where = configuration ? textOf(configuration) : 'nobody knows whom'
        wait.what = `slot ${slot} is on ${where}, not without ${uid}`
        return false
      })
    }
  }

  /** Looks until it is so; meanwhile it is told what is waited for. */
  async #until(
    uid: string,
    awaited: string,
    isDone: (wait: Wait) => boolean | Promise<boolean>,
  ): Promise<void> {
    const wait = this.#wait(uid, awaited)
    while (!(await isDone(wait))) await this.#pause(this.#chance.between(0, MAX_PAUSE_MS))
    this.#waits.delete(wait)
  }

  #wait(uid: string, what: string): Wait {
    const wait = { uid, what }
    this.#waits.add(wait)
    return wait
  }

  #isAwaited(uid: string): boolean {
    return [...this.#waits].some(wait => wait.uid === uid)
  }

  #begin(work: () => Promise<void>): boolean {
    if (this.#isBusy) return false
    this.#isBusy = true
    void work().then(() => {
      this.#isBusy = false
      this.#leaver = ''
    })
    return true
  }

  /**
   * No slot loses two of its disks at once. Where the silent are evicted nobody else is missed by then: what an eviction
   * leaves of a slot could be just the disk that is lost, before anybody can know that it is.
   */
  #mayLose({ uid }: Member): boolean {
    const { evictAfterMs, members, roster } = this.#cluster
    const isMissed = [...members.values()].some(
      ({ isUp, engine }) =>
        isUp && roster.peers.some(peer => peer.uid !== uid && engine.silentForMs(peer.id) > 0),
    )
    return (evictAfterMs === 0 || !isMissed) && this.#cluster.survives(other => other === uid)
  }

  #anyOf(may: (member: Member) => boolean): RosterPeer | undefined {
    const able = staying(this.#cluster.roster).peers.filter(peer => {
      const member = this.#cluster.memberOf(peer)
      return member !== undefined && !member.isRetired && !this.#isAwaited(peer.uid) && may(member)
    })
    return able.length === 0 ? undefined : this.#chance.pick(able)
  }

  #isListed(uid: string): boolean {
    return this.#cluster.roster.peers.some(peer => peer.uid === uid)
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
    return `m${++this.#names.disks}`
  }

  #pause(delayMs: number): Promise<void> {
    return this.#cluster.world.sleep(delayMs)
  }

  #say(what: string): void {
    this.#cluster.trace.say('operator', what)
  }
}
