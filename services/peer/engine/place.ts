import type { PeerId } from '../cube/labels.ts'
import type { Roster } from '../cube/roster.ts'
import type { HeldSlots } from './held-slots.ts'
import type { Liveness } from './liveness.ts'
import type { Rosters } from './rosters.ts'
import type { EngineSettings } from './settings.ts'
import type { Slot } from './slot.ts'
import type { Clock, CubeEvent } from './types.ts'

/** Election timeouts without a primary, or a word of a partner, after which a peer asks whether it is still listed. */
const LOST_AFTER_ELECTIONS = 3

export interface PlaceOptions {
  readonly self: PeerId
  /** The store this peer is listed with. */
  readonly uid: string
  readonly rosters: Rosters
  readonly slots: HeldSlots
  readonly liveness: Liveness
  readonly clock: Clock
  readonly settings: EngineSettings
  event(event: CubeEvent): void
  /** Time runs: what changes is worth telling. */
  started(): boolean
  /** The roster does not list this store any more. */
  removed(): void
}

/** This peer's place in the cube: whom it shares slots and links with, what it serves, and what a new roster makes of both. */
export class Place {
  readonly #options: PlaceOptions
  readonly #listeners = new Set<(roster: Roster) => void>()
  /** Slots of which this peer is a voter, as was last told. */
  readonly #served = new Set<number>()
  /** Undefined when they have to be found anew. */
  #partners: readonly PeerId[] | undefined

  constructor(options: PlaceOptions) {
    this.#options = options
    this.#listOthers()
  }

  /** Every peer that shares a slot or a link with this one: heartbeats are exchanged with them. */
  get partners(): readonly PeerId[] {
    if (this.#partners) return this.#partners
    const { self, rosters, slots } = this.#options
    const partners = new Set<PeerId>(rosters.neighbours(self))
    for (const slot of slots.all.values()) for (const id of slot.members) partners.add(id)
    partners.delete(self)
    this.#partners = [...partners]
    return this.#partners
  }

  /** For how long a partner is silent, in milliseconds; 0 for one that is up and for all others. */
  silentForMs(peer: PeerId): number {
    return this.partners.includes(peer) ? this.#options.liveness.silentForMs(peer) : 0
  }

  /**
   * A slot held here has had no primary for a while, or a partner was not heard for so long: perhaps this peer is off
   * the list, and nobody tells it. One that holds nothing yet has only its partners to tell by.
   */
  isLost(): boolean {
    const { clock, settings, slots, liveness } = this.#options
    const patienceMs = LOST_AFTER_ELECTIONS * settings.electionMs
    const sinceMs = clock.monotonicMs() - patienceMs
    const isUnled = (slot: Slot) => slot.leadership.leader === 0 && slot.leadsSinceMs < sinceMs
    if ([...slots.all.values()].some(isUnled)) return true
    return this.partners.some(partner => liveness.silentForMs(partner) > patienceMs)
  }

  /** Calls `listener` with every version of the roster this peer goes over to. Returns the way to stop. */
  onRoster(listener: (roster: Roster) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Who takes part in a slot has changed: perhaps this peer does, or does not any more. */
  moved(slot: Slot): void {
    this.#partners = undefined
    if (slot.isVoter === this.#served.has(slot.slot)) return
    if (slot.isVoter) this.#served.add(slot.slot)
    else this.#served.delete(slot.slot)
    const { self, clock, event, started } = this.#options
    if (!started()) return
    const kind = slot.isVoter ? 'arrived' : 'departed'
    event({ kind, slot: slot.slot, peer: self, timeMs: clock.nowMs() })
  }

  /** A slot is out of service here. */
  dropped(slot: Slot): void {
    this.#partners = undefined
    this.#served.delete(slot.slot)
  }

  /** The peer goes by another roster now. */
  rosterChanged(): void {
    const { rosters, slots, uid, removed } = this.#options
    this.#partners = undefined
    this.#listOthers()
    for (const slot of slots.all.values()) slots.guard(slot, () => slot.place())
    for (const listener of this.#listeners) listener(rosters.current)
    if (!rosters.current.peers.some(peer => peer.uid === uid)) removed()
  }

  #listOthers(): void {
    const { self, rosters, liveness } = this.#options
    liveness.list(rosters.current.peers.filter(({ id }) => id !== self))
  }
}
