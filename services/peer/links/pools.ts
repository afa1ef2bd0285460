import { Client, type Dispatcher, Pool } from 'undici'
import type { PeerId } from '../cube/labels.ts'
import { LIMITS } from '../limits.ts'
import { LinkError } from './errors.ts'

/** The connections to one peer, by what they carry; each is opened when it is first needed. */
interface PeerConnections {
  readonly url: string
  heartbeat: Client | undefined
  replicate: Client | undefined
  operations: Pool | undefined
  bulk: Pool | undefined
}

export interface PeerPoolsOptions {
  /** Base URL of a peer; undefined when it is not in the roster. */
  urlOf(peer: PeerId): string | undefined
  readonly connectTimeoutMs: number
  /** The own heartbeat connection to a peer ended, and not because this peer ended it. */
  onClosed(peer: PeerId): void
}

/**
 * Connections to the other peers: one for heartbeats alone, so that a large append cannot delay them; one that becomes
 * the lane for Raft's messages; a pool for operations; a pool for snapshots and streams.
 */
export class PeerPools {
  readonly #options: PeerPoolsOptions
  readonly #peers = new Map<PeerId, PeerConnections>()
  #closed = false

  constructor(options: PeerPoolsOptions) {
    this.#options = options
  }

  /** The connection for heartbeats. Throws LinkError for an unknown peer, like all the others. */
  heartbeat(peer: PeerId): Dispatcher {
    const held = this.#connections(peer)
    if (!held.heartbeat) {
      held.heartbeat = new Client(held.url, this.#settings(1))
      held.heartbeat.on('disconnect', (_origin, _targets, error) => {
        if (this.#peers.get(peer) === held && !isOwnDoing(error)) this.#options.onClosed(peer)
      })
    }
    return held.heartbeat
  }

  /** Where a lane for Raft's messages is asked for: its connection is the lane's from then on, and closed with it. */
  replicate(peer: PeerId): Dispatcher {
    const held = this.#connections(peer)
    held.replicate ??= new Client(held.url, this.#settings(1))
    return held.replicate
  }

  /** For forwarded operations. */
  operations(peer: PeerId): Dispatcher {
    const held = this.#connections(peer)
    held.operations ??= new Pool(held.url, { ...this.#settings(1), connections: LIMITS.MAX_EDGE_REQUESTS })
    return held.operations
  }

  /** For snapshots and for streams between peers, which may stay open. */
  bulk(peer: PeerId): Dispatcher {
    const held = this.#connections(peer)
    held.bulk ??= new Pool(held.url, this.#settings(1))
    return held.bulk
  }

  /** Peers that connections are held for. */
  get size(): number {
    return this.#peers.size
  }

  /** Ends the connections to all other peers; what is under way on them fails with `reason`. */
  retain(isKept: (peer: PeerId) => boolean, reason: LinkError): void {
    for (const [peer, held] of this.#peers) {
      if (isKept(peer)) continue
      this.#peers.delete(peer)
      destroy(held, reason)
    }
  }

  /** Ends every connection; what is under way fails. */
  async close(): Promise<void> {
    this.#closed = true
    const all = [...this.#peers.values()].flatMap(everyDispatcher)
    this.#peers.clear()
    await Promise.all(all.map(dispatcher => dispatcher.destroy().catch(() => {})))
  }

  #connections(peer: PeerId): PeerConnections {
    const url = this.#options.urlOf(peer)
    if (this.#closed || url === undefined) {
      throw new LinkError(
        'unsent',
        this.#closed ? 'this peer is stopping' : `peer ${peer} is not in the roster`,
      )
    }
    const held = this.#peers.get(peer)
    if (held?.url === url) return held
    if (held) destroy(held, new LinkError('broken', `peer ${peer} has another address`))
    const fresh: PeerConnections = {
      url,
      heartbeat: undefined,
      replicate: undefined,
      operations: undefined,
      bulk: undefined,
    }
    this.#peers.set(peer, fresh)
    return fresh
  }

  /** undici's own timeouts are off: whoever asks knows how long it may take. */
  #settings(pipelining: number): Client.Options {
    return {
      pipelining,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: LIMITS.LINK_IDLE_MS,
      connect: { timeout: this.#options.connectTimeoutMs },
    }
  }
}

function destroy(held: PeerConnections, reason: LinkError): void {
  for (const dispatcher of everyDispatcher(held)) dispatcher.destroy(reason).catch(() => {})
}

function everyDispatcher({ heartbeat, replicate, operations, bulk }: PeerConnections): Dispatcher[] {
  return [heartbeat, replicate, operations, bulk].filter(dispatcher => dispatcher !== undefined)
}

/** Idle connections that undici closes and requests that were given up say nothing about the other side. */
function isOwnDoing(error: unknown): boolean {
  return error instanceof LinkError || (error as { code?: unknown } | undefined)?.code === 'UND_ERR_INFO'
}
