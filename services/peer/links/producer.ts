import { LIMITS } from '../limits.ts'
import type { StoreIdentity } from '../store/types.ts'
import type { ProducerStamp } from '../topics/types.ts'

/** A stamp in use: `finish` once no attempt of its request will be made any more. */
export interface StampedRequest {
  readonly stamp: ProducerStamp
  finish(): void
}

interface SlotSequences {
  next: number
  /** Unanswered sequences; the order of a Set is the order of insertion, so the first one is the lowest. */
  readonly open: Set<number>
}

/**
 * Numbers the commands this peer sends to each slot, as Kafka's idempotent producer does (KIP-98), so that a retry
 * along another path is recognised. Sequences of a slot begin at 1 with every boot.
 */
export class ProducerStamps {
  readonly #identity: StoreIdentity
  readonly #slots = new Map<number, SlotSequences>()

  constructor(identity: StoreIdentity) {
    this.#identity = identity
  }

  /** The next stamp of a slot; undefined when too many are unanswered. */
  begin(slot: number): StampedRequest | undefined {
    const sequences = this.#slots.get(slot) ?? { next: 1, open: new Set<number>() }
    this.#slots.set(slot, sequences)
    if (sequences.open.size >= LIMITS.MAX_PRODUCER_INFLIGHT) return undefined
    const sequence = sequences.next++
    sequences.open.add(sequence)
    const [low = sequence] = sequences.open
    const { uid, boot } = this.#identity
    return { stamp: { uid, boot, sequence, low }, finish: () => sequences.open.delete(sequence) }
  }
}
