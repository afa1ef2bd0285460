import type { PeerId } from '../cube/labels.ts'
import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import { Backoff } from './backoff.ts'
import { Edge, type HopOutcome } from './edge.ts'
import { LinkError, type LinkFailure } from './errors.ts'
import type { PeerPools } from './pools.ts'
import { packedHeaders } from './replicate.ts'
import type { Forwarded } from './types.ts'

export interface EdgesOptions {
  readonly clock: Clock
  readonly random: () => number
  readonly pools: Pick<PeerPools, 'operations'>
  /** Headers that say who asks. */
  readonly identity: Readonly<Record<string, string>>
  /** The wire format that every peer of the cluster reads. */
  wireFormat(): number
  readonly acceptTimeoutMs: number
  /** What the engine believes of a peer. */
  isUp(peer: PeerId): boolean
  /** A peer did not answer: reason to look whether it is there. */
  trouble(peer: PeerId): void
}

/** What this peer's own requests say about another. */
interface Health {
  readonly backoff: Backoff
  /** Monotonic time until which it is passed by. */
  badUntilMs: number
}

/** The edges from this peer to others, and which of them are worth trying. */
export class Edges {
  readonly #options: EdgesOptions
  readonly #edges = new Map<PeerId, Edge>()
  readonly #health = new Map<PeerId, Health>()

  constructor(options: EdgesOptions) {
    this.#options = options
  }

  /** Sends an operation to a peer. Never rejects. */
  async forward(peer: PeerId, forwarded: Forwarded): Promise<HopOutcome> {
    const edge = this.#edge(peer)
    const outcome = await edge.forward(forwarded)
    // What came of an edge that is given up says nothing about who has the label, or the peer's new address, now.
    if (this.#edges.get(peer) !== edge) return outcome
    if (outcome.kind === 'answer') this.heard(peer)
    else this.#failed(peer, outcome.failure)
    return outcome
  }

  /** False for a peer that is believed not to answer. */
  alive(peer: PeerId): boolean {
    const health = this.#health.get(peer)
    const bad = health !== undefined && this.#options.clock.monotonicMs() < health.badUntilMs
    return !bad && this.#options.isUp(peer)
  }

  /** A sign of life of a peer. */
  heard(peer: PeerId): void {
    const health = this.#health.get(peer)
    if (!health) return
    health.badUntilMs = 0
    health.backoff.reset()
  }

  /** The peer is believed gone: what is under way to it looks for another way. */
  drop(peer: PeerId): void {
    this.#edges.get(peer)?.drop(new LinkError('broken', 'the peer is believed gone'))
  }

  /** Edges that are held. */
  get size(): number {
    return this.#edges.size
  }

  /** Gives up the edges to all other peers: what is under way on them looks for another way. */
  retain(isKept: (peer: PeerId) => boolean, reason: LinkError): void {
    for (const peer of this.#health.keys()) if (!isKept(peer)) this.#health.delete(peer)
    for (const [peer, edge] of this.#edges) {
      if (isKept(peer)) continue
      this.#edges.delete(peer)
      edge.drop(reason)
    }
  }

  close(): void {
    for (const edge of this.#edges.values()) edge.drop(new LinkError('broken', 'this peer is stopping'))
  }

  #failed(peer: PeerId, failure: LinkFailure): void {
    // An answer with an error status is an answer of a peer that lives.
    if (failure === 'rejected') return
    const { clock, random } = this.#options
    const health = this.#health.get(peer) ?? { backoff: new Backoff(random), badUntilMs: 0 }
    this.#health.set(peer, health)
    const pauseMs = failure === 'silent' ? LIMITS.SILENT_PENALTY_MS : health.backoff.nextMs()
    health.badUntilMs = Math.max(health.badUntilMs, clock.monotonicMs() + pauseMs)
    this.#options.trouble(peer)
  }

  #edge(peer: PeerId): Edge {
    const known = this.#edges.get(peer)
    if (known) return known
    const { clock, pools, identity, wireFormat, acceptTimeoutMs } = this.#options
    const edge = new Edge({
      clock,
      headers: packedHeaders(identity),
      wireFormat,
      acceptTimeoutMs,
      connection: () => pools.operations(peer),
    })
    this.#edges.set(peer, edge)
    return edge
  }
}
