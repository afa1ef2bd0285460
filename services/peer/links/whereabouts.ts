import type { PeerId } from '../cube/labels.ts'
import { type Roster, urlFault } from '../cube/roster.ts'
import { LIMITS } from '../limits.ts'

/** What a peer says of itself that the roster does not say yet. */
interface Claim {
  readonly uid: string
  /** Where the roster listed it when it said so: a later entry about its address is the last word. */
  readonly listed: string
  readonly url: string
  /** It is looked for there now. */
  readonly isTried: boolean
}

/**
 * Where the other peers are reached: where the roster lists them and, when nobody or somebody else is found there, where
 * they say themselves that they are. A change of address is an entry of the roster, which needs a majority of its voters:
 * without this, voters that moved at the same time, or exchanged their addresses, might be the ones that are needed for it.
 * What a peer says is believed of itself only, and never instead of an address at which it is found.
 */
export class Whereabouts {
  readonly #current: () => Roster
  /** At most one for each listed peer. */
  readonly #claims = new Map<PeerId, Claim>()
  #indexed: Roster | undefined
  #listed = new Map<PeerId, { readonly uid: string; readonly url: string }>()

  constructor(current: () => Roster) {
    this.#current = current
  }

  /** Base URL at which to look for a peer now; undefined for one that is off the list. */
  urlOf(peer: PeerId): string | undefined {
    const claim = this.#claim(peer)
    return claim?.isTried ? claim.url : this.#index().get(peer)?.url
  }

  /** The store that is meant by the peer's label; undefined for one that is off the list. */
  uidOf(peer: PeerId): string | undefined {
    return this.#index().get(peer)?.uid
  }

  /** A listed peer has said, with a request of its own, where it is reached; what is no URL is ignored. */
  said(peer: PeerId, url: string): void {
    const listed = this.#index().get(peer)
    if (listed === undefined || url.length > LIMITS.MAX_ADDRESS_LENGTH || urlFault(url) !== undefined) return
    const isTried = this.#claim(peer)?.isTried ?? false
    if (url === listed.url) this.#claims.delete(peer)
    else this.#claims.set(peer, { uid: listed.uid, listed: listed.url, url, isTried })
  }

  /** The peer was not found at `url`: it is looked for at its other address next, if it has said that it has one. */
  missed(peer: PeerId, url: string | undefined): void {
    const claim = this.#claim(peer)
    if (claim === undefined || this.urlOf(peer) !== url) return
    this.#claims.set(peer, { ...claim, isTried: !claim.isTried })
  }

  /** What it said, unless the roster has said something else since. */
  #claim(peer: PeerId): Claim | undefined {
    const claim = this.#claims.get(peer)
    if (claim === undefined) return undefined
    const listed = this.#index().get(peer)
    if (listed?.uid === claim.uid && listed.url === claim.listed) return claim
    this.#claims.delete(peer)
    return undefined
  }

  #index(): ReadonlyMap<PeerId, { readonly uid: string; readonly url: string }> {
    const roster = this.#current()
    if (roster !== this.#indexed) {
      this.#indexed = roster
      this.#listed = new Map(roster.peers.map(peer => [peer.id, peer]))
    }
    return this.#listed
  }
}
