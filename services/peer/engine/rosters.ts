import type { PeerId } from '../cube/labels.ts'
import { neighbours } from '../cube/neighbours.ts'
import { successorsOf } from '../cube/placement.ts'
import type { Roster, RosterPeer } from '../cube/roster.ts'
import { LIMITS } from '../limits.ts'
import type { Configuration, Member } from '../raft/types.ts'

/** The roster this peer goes by, and what follows from it by arithmetic; it changes while the peer runs. */
export class Rosters {
  #current: Roster
  #byId = new Map<PeerId, RosterPeer>()
  #byNumber = new Map<number, RosterPeer>()
  readonly #orders = new Map<number, readonly PeerId[]>()
  readonly #neighbours = new Map<PeerId, readonly PeerId[]>()

  constructor(roster: Roster) {
    this.#current = roster
    this.#index()
  }

  get current(): Roster {
    return this.#current
  }

  /** Goes over to a later version of the same cluster's roster. False for any other, which changes nothing. */
  adopt(roster: Roster): boolean {
    const { clusterId, version } = this.#current
    if (roster.clusterId !== clusterId || roster.version <= version) return false
    this.#current = roster
    this.#index()
    return true
  }

  /** Member number of a peer; 0 when the roster does not list it. */
  numberOf(id: PeerId): number {
    return this.#byId.get(id)?.number ?? 0
  }

  /** The store a peer is listed with; undefined when the roster does not list it. */
  uidOf(id: PeerId): string | undefined {
    return this.#byId.get(id)?.uid
  }

  /** Id of a member; null for 0 or a number the roster does not list (any more). */
  peerOf(number: number): PeerId | null {
    return this.#byNumber.get(number)?.id ?? null
  }

  /** The peers as members of a slot's configuration, by number. */
  membersOf(ids: readonly PeerId[]): Member[] {
    return ids
      .flatMap(id => this.#byId.get(id) ?? [])
      .map(({ number, uid }) => ({ number, uid }))
      .sort((a, b) => a.number - b.number)
  }

  /** Where a slot belongs, in order of succession, home first. */
  order(slot: number): readonly PeerId[] {
    const known = this.#orders.get(slot)
    if (known) return known
    const order = successorsOf(slot, this.#current, LIMITS)
    this.#orders.set(slot, order)
    return order
  }

  /** Whether a slot stands where the roster places it, with nothing left to do. */
  settles(slot: number, { voters, outgoing, learners = [] }: Configuration): boolean {
    if (outgoing !== undefined || learners.length > 0) return false
    const placed = this.membersOf(this.order(slot))
    return (
      placed.length === voters.length &&
      placed.every(one => voters.some(({ number }) => number === one.number))
    )
  }

  neighbours(id: PeerId): readonly PeerId[] {
    const known = this.#neighbours.get(id)
    if (known) return known
    const found = neighbours(id, this.#current)
    this.#neighbours.set(id, found)
    return found
  }

  #index(): void {
    this.#byId = new Map(this.#current.peers.map(peer => [peer.id, peer]))
    this.#byNumber = new Map(this.#current.peers.map(peer => [peer.number, peer]))
    this.#orders.clear()
    this.#neighbours.clear()
  }
}
