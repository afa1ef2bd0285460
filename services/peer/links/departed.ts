import type { PeerId } from '../cube/labels.ts'
import type { Roster } from '../cube/roster.ts'
import { LinkError } from './errors.ts'

type IsKept = (peer: PeerId) => boolean

/** Whoever holds something for each peer, and drops it for those that are not kept. */
interface Holder {
  retain(isKept: IsKept): unknown
}

interface LinkHolder {
  /** Requests that are under way to those that are not kept fail with `reason`. */
  retain(isKept: IsKept, reason: LinkError): void
}

export interface DepartedOptions {
  readonly engine: {
    readonly roster: Roster
    onRoster(listener: (roster: Roster) => void): () => void
  }
  readonly transport: LinkHolder & {
    retainLanes(isKept: IsKept): void
  }
  readonly edges: LinkHolder
  readonly inbound: Holder
  readonly dispatcher: Holder
  readonly metrics: Holder
}

/**
 * Lets go of what is held for peers that the roster does not list any more, or lists with another store or at another
 * address, at each version that this peer goes over to. However many come and go, what is held is that of those there are.
 */
export function forgetDeparted(options: DepartedOptions): void {
  const { engine, transport, edges, inbound, dispatcher, metrics } = options
  let before = engine.roster
  engine.onRoster(now => {
    const old = new Map(before.peers.map(peer => [peer.id, peer]))
    before = now
    const stores = now.peers.filter(({ id, uid }) => old.get(id)?.uid === uid)
    const sameStore = setOf(stores)
    // A socket on which a peer asks is its own, wherever it is reached.
    inbound.retain(sameStore)
    transport.retainLanes(sameStore)
    const listed = setOf(now.peers)
    dispatcher.retain(listed)
    metrics.retain(listed)
    const sameAddress = setOf(stores.filter(({ id, url }) => old.get(id)?.url === url))
    const reason = new LinkError('broken', 'the peer is off the list, or reached elsewhere')
    edges.retain(sameAddress, reason)
    transport.retain(sameAddress, reason)
  })
}

function setOf(peers: readonly { readonly id: PeerId }[]): IsKept {
  const ids = new Set(peers.map(({ id }) => id))
  return peer => ids.has(peer)
}
