import type { Duplex } from 'node:stream'
import type { PeerId } from '../cube/labels.ts'
import type { Clock, SlotMessage } from '../engine/types.ts'
import { InboundLane } from './lane.ts'
import type { LinkLog } from './transport.ts'

export interface InboundLanesOptions {
  readonly clock: Clock
  /** The wire format that every peer of the cluster reads. */
  wireFormat(): number
  /** See InboundLaneOptions. */
  readonly receiptMs: number
  readonly log: LinkLog
  received(from: PeerId, messages: readonly SlotMessage[]): void
}

/** The lanes that other peers opened to this one: one for each, the newest. */
export class InboundLanes {
  readonly #options: InboundLanesOptions
  readonly #lanes = new Map<PeerId, InboundLane>()
  #isClosed = false

  constructor(options: InboundLanesOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#lanes.size
  }

  /** @param heard called with all that comes on it */
  take(from: PeerId, socket: Duplex, head: Buffer, heard: () => void): void {
    if (this.#isClosed) {
      socket.destroy()
      return
    }
    const { clock, wireFormat, receiptMs, log, received } = this.#options
    this.#lanes.get(from)?.close()
    const lane = new InboundLane(socket, head, {
      clock,
      wireFormat,
      receiptMs,
      received: messages => {
        heard()
        received(from, messages)
      },
      ended: error => {
        log.debug({ peer: from, failure: error.failure, error: error.message }, 'a lane of a peer ended')
        if (this.#lanes.get(from) === lane) this.#lanes.delete(from)
      },
    })
    this.#lanes.set(from, lane)
  }

  /** False when the peer has no lane here, or takes nothing on it. */
  answer(to: PeerId, messages: readonly SlotMessage[]): boolean {
    return this.#lanes.get(to)?.answer(messages) ?? false
  }

  retain(isKept: (peer: PeerId) => boolean): void {
    for (const [peer, lane] of this.#lanes) {
      if (isKept(peer)) continue
      this.#lanes.delete(peer)
      lane.close()
    }
  }

  /** Ends all of them, and takes none any more: an open one would keep the server from closing. */
  close(): void {
    this.#isClosed = true
    this.retain(() => false)
  }
}
