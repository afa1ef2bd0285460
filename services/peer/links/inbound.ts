import type { Socket } from 'node:net'
import type { PeerId } from '../cube/labels.ts'

/**
 * Sockets on which other peers send their heartbeats here. When the last one a peer used closes, that is told at
 * once: it is the first sign of the end of its process.
 */
export class InboundSockets {
  readonly #onClosed: (peer: PeerId) => void
  readonly #latest = new Map<PeerId, Socket>()
  #stopped = false

  constructor(onClosed: (peer: PeerId) => void) {
    this.#onClosed = onClosed
  }

  /** A heartbeat of `peer` came in on `socket`. */
  seen(peer: PeerId, socket: Socket): void {
    if (this.#latest.get(peer) === socket || socket.destroyed) return
    this.#latest.set(peer, socket)
    socket.once('close', () => {
      // One that was replaced by a newer one before says nothing.
      if (this.#latest.get(peer) !== socket) return
      this.#latest.delete(peer)
      if (!this.#stopped) this.#onClosed(peer)
    })
  }

  /** Sockets that are watched. */
  get size(): number {
    return this.#latest.size
  }

  /** Forgets the sockets of all other peers: their end says nothing any more. */
  retain(isKept: (peer: PeerId) => boolean): void {
    for (const peer of this.#latest.keys()) if (!isKept(peer)) this.#latest.delete(peer)
  }

  /** This peer ends its connections itself from now on. */
  stop(): void {
    this.#stopped = true
  }
}
