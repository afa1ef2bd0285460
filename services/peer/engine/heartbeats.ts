import type { PeerId } from '../cube/labels.ts'
import type { Message } from '../raft/types.ts'
import type { StoreIdentity } from '../store/types.ts'
import { untilNextMs } from './clock.ts'
import type { Liveness } from './liveness.ts'
import type { Rosters } from './rosters.ts'
import type { EngineSettings } from './settings.ts'
import type { Slot } from './slot.ts'
import { type Beat, type Clock, type EngineObserver, NotListedError, type Transport } from './types.ts'

export interface HeartbeatOptions {
  readonly self: PeerId
  readonly rosters: Rosters
  readonly identity: StoreIdentity
  /** Every peer that shares a slot or a link with this one. */
  partners(): readonly PeerId[]
  readonly slots: ReadonlyMap<number, Slot>
  readonly transport: Transport
  readonly liveness: Liveness
  readonly clock: Clock
  readonly settings: EngineSettings
  readonly observer: EngineObserver
  /** Steps a message into a slot; what it breaks is dealt with. */
  step(slot: Slot, message: Message): void
  /** Begins a replica of a slot that this peer is a member of and does not hold; undefined when it may not. */
  newcomer(slot: number): Slot | undefined
  /** The peer goes by a later version of the roster. */
  newerRoster(peer: PeerId): void
  lowDisk(): boolean
  stopping(): boolean
}

/** An idle pair's next exchange is due after this share of the silence that makes one suspect the other. */
const IDLE_SHARE = 0.6

/**
 * One heartbeat exchange per pair of peers and interval, for all slots they share: the lower label asks, and both
 * directions' beats travel in it. Answers to the beats that come back in a response go with the next request.
 * Pairs between which no slot's leadership stands beat less often: only to know whether the other is there.
 */
export class Heartbeats {
  readonly #options: HeartbeatOptions
  readonly #asking = new Set<PeerId>()
  /** Beats of the partner's last response, to be answered with the next request. */
  readonly #owed = new Map<PeerId, [slot: number, term: number][]>()
  #cancel: (() => void) | undefined
  #stopped = false
  #rounds = 0
  /** A partner that is nobody's primary here, nor has its primary here, is asked in one of so many rounds. */
  readonly #idleRounds: number

  constructor(options: HeartbeatOptions) {
    this.#options = options
    const { electionMs, heartbeatMs } = options.settings
    this.#idleRounds = Math.max(1, Math.floor((IDLE_SHARE * electionMs) / heartbeatMs))
  }

  start(): void {
    this.#round()
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#stopped = true
  }

  /** Stops, and says so to those that would otherwise go on believing the beat before. */
  leave(): void {
    this.stop()
    this.#ask(() => true)
  }

  /** The other side of an exchange: takes in the partner's beat and gives ours. */
  answer(from: PeerId, beat: Beat): Beat {
    return this.#beat(from, this.#take(from, beat))
  }

  #round(): void {
    const { clock, settings } = this.#options
    this.#cancel = clock.after(untilNextMs(clock, settings.heartbeatMs), () => this.#round())
    this.#rounds++
    const isIdleRound = this.#rounds % this.#idleRounds === 0
    this.#ask(partner => isIdleRound || this.#isTied(partner))
    if (isIdleRound) this.#askTheUnaware()
  }

  #ask(whom: (partner: PeerId) => boolean): void {
    const { self } = this.#options
    const partners = this.#options.partners()
    if (this.#owed.size > partners.length) this.#forgetOthers(partners)
    for (const partner of partners) if (self < partner && whom(partner)) this.#exchange(partner)
  }

  /**
   * Of a pair the lower label asks. One that was made a learner does not know it before the first append, which may be
   * lost: its primary then asks until it is heard.
   */
  #askTheUnaware(): void {
    const { self, partners, slots, liveness, settings } = this.#options
    for (const partner of partners()) {
      if (partner > self || liveness.silentForMs(partner) < settings.electionMs) continue
      const isLed = [...slots.values()].some(slot => slot.isPrimary && slot.members.includes(partner))
      if (isLed) this.#exchange(partner)
    }
  }

  #forgetOthers(partners: readonly PeerId[]): void {
    for (const peer of this.#owed.keys()) if (!partners.includes(peer)) this.#owed.delete(peer)
  }

  /** One of the two leads a slot that the other votes in: its authority hangs on these beats. */
  #isTied(partner: PeerId): boolean {
    for (const slot of this.#options.slots.values()) {
      if (slot.isPrimary ? slot.members.includes(partner) : slot.primary === partner) return true
    }
    return false
  }

  #exchange(partner: PeerId): void {
    // At most one under way: a partner that does not answer must not gather requests.
    if (this.#asking.has(partner)) return
    this.#asking.add(partner)
    const follows = this.#owed.get(partner) ?? []
    this.#owed.delete(partner)
    const { transport, observer, liveness, newerRoster } = this.#options
    transport.heartbeat(partner, this.#beat(partner, follows)).then(
      answer => {
        this.#asking.delete(partner)
        observer.beat(partner, true)
        this.#owed.set(partner, this.#take(partner, answer))
      },
      error => {
        this.#asking.delete(partner)
        observer.beat(partner, false)
        if (error instanceof NotListedError) newerRoster(partner)
        if (!this.#stopped) liveness.suspect(partner)
      },
    )
  }

  /** Steps what a beat says into the slots; returns the answers to its `leads`. */
  #take(from: PeerId, beat: Beat): [slot: number, term: number][] {
    if (this.#stopped) return []
    const { liveness, rosters, slots, step, newerRoster, newcomer } = this.#options
    if (beat.rosterVersion > rosters.current.version) newerRoster(from)
    // Another store than the roster lists by that label, here or there: what is said is of another member.
    if (beat.uid !== rosters.uidOf(from)) return []
    liveness.heard(from, beat)
    if (beat.to !== this.#options.identity.uid) return []
    const sender = rosters.numberOf(from)
    const accepted: [number, number][] = []
    for (const [number, term, commit] of beat.leads) {
      // Its primary's append may have been lost, and it waits for a sign of life before it sends another.
      const slot = slots.get(number) ?? newcomer(number)
      if (!slot) continue
      if (!slot.raft.heardAgain(sender, term, commit)) {
        step(slot, { type: 'heartbeat', from: sender, to: slot.number, term, commit, context: 0 })
      }
      if (slot.leadership.term === term && slot.leadership.leader === sender) accepted.push([number, term])
    }
    for (const [number, term] of beat.follows) {
      const slot = slots.get(number)
      if (slot?.isPrimary !== true || slot.leadership.term !== term) continue
      step(slot, { type: 'heartbeatResponse', from: sender, to: slot.number, term, context: 0 })
    }
    return accepted
  }

  #beat(to: PeerId, follows: readonly (readonly [slot: number, term: number])[]): Beat {
    const { identity, rosters, slots, clock, lowDisk, stopping } = this.#options
    const receiver = rosters.numberOf(to)
    const leads: [number, number, number][] = []
    for (const slot of this.#stopped ? [] : slots.values()) {
      if (!slot.isPrimary || !slot.members.includes(to)) continue
      const { term, commit, progress } = slot.raft.status()
      // Never beyond what the follower is known to hold (Raft paper 5.3: a commit index it could not check).
      leads.push([slot.slot, term, Math.min(commit, progress.get(receiver)?.match ?? 0)])
    }
    return {
      uid: identity.uid,
      to: rosters.uidOf(to) ?? '',
      boot: identity.boot,
      rosterVersion: rosters.current.version,
      nowMs: clock.nowMs(),
      lowDisk: lowDisk(),
      stopping: stopping(),
      leads,
      follows,
    }
  }
}
