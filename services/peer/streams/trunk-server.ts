import type { PeerId } from '../cube/labels.ts'
import { HypercastError } from '../errors.ts'
import type { WantsUpdate } from '../links/trunk-wants.ts'
import type { TrunkMark } from '../links/trunk-wire.ts'
import { DownTrunk } from './down-trunk.ts'
import type { Flusher } from './flusher.ts'
import type { SlotTaps } from './taps.ts'
import type { Sink } from './types.ts'

export interface TrunkServerOptions {
  readonly self: PeerId
  readonly slots: number
  readonly taps: SlotTaps
  readonly flusher: Flusher
  /** How this peer stands in a slot; undefined when it has no feed of it. */
  readonly mark: (slot: number) => TrunkMark | undefined
  /** Who is below this peer for a slot is other than before. */
  readonly belowChanged: (slot: number) => void
  /** Bytes waiting in a trunk's socket from which on live events are left out. */
  readonly bufferBytes: number
  /** A trunk whose socket takes nothing for this long is ended. */
  readonly stallTimeoutMs: number
  /** Monotonic. */
  readonly now: () => number
}

/** The upper ends of the trunks to the peers below this one: at most one for each. */
export class TrunkServer {
  readonly #options: TrunkServerOptions
  readonly #trunks = new Map<PeerId, DownTrunk>()
  #isClosed = false

  constructor(options: TrunkServerOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#trunks.size
  }

  /** Begins the trunk `name` to `peer`, in place of the one there was. Throws HypercastError STOPPING. */
  open(peer: PeerId, name: string, sink: Sink): void {
    if (this.#isClosed) throw new HypercastError('STOPPING')
    this.#trunks.get(peer)?.end()
    const trunk: DownTrunk = new DownTrunk(name, sink, {
      ...this.#options,
      onOver: slots => {
        if (this.#trunks.get(peer) === trunk) this.#trunks.delete(peer)
        for (const slot of slots) this.#options.belowChanged(slot)
      },
    })
    this.#trunks.set(peer, trunk)
    trunk.beat()
  }

  /**
   * Takes what the lower end wants from now on. Throws HypercastError INVALID_REQUEST when that is not what follows:
   * the trunk is then of no more use to either side.
   */
  say(peer: PeerId, update: WantsUpdate): void {
    const { self, slots, belowChanged } = this.#options
    const trunk = this.#trunks.get(peer)
    if (trunk?.name !== update.trunk) throw new HypercastError('INVALID_REQUEST', 'There is no such trunk.')
    try {
      trunk.follows(update.turn)
      for (const change of update.slots) {
        if (change.slot >= slots)
          throw new HypercastError('INVALID_REQUEST', `There is no slot ${change.slot}.`)
        // The slot's way leads from here to there already: it would come round for ever.
        if (change.below.includes(self)) trunk.refuse(change.slot)
        else trunk.take(change)
        belowChanged(change.slot)
      }
    } catch (error) {
      trunk.end()
      throw error
    }
  }

  /** The peers whose wants of a slot come by trunks to this one. */
  below(slot: number): Set<PeerId> {
    const peers = new Set<PeerId>()
    for (const trunk of this.#trunks.values()) for (const peer of trunk.below(slot)) peers.add(peer)
    return peers
  }

  /** To be called every LIMITS.FOLLOW_MARK_MS: says where this peer stands, and ends trunks that take nothing. */
  beat(): void {
    for (const trunk of [...this.#trunks.values()]) trunk.beat()
  }

  close(): void {
    this.#isClosed = true
    for (const trunk of [...this.#trunks.values()]) trunk.end()
  }
}
