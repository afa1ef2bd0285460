import type { PeerId } from '../cube/labels.ts'
import { LIMITS } from '../limits.ts'
import type { Message } from '../raft/types.ts'
import type { LogStore } from '../store/types.ts'
import type { EngineLog } from './settings.ts'
import type { Slot } from './slot.ts'
import type { SnapshotChunk, Transport } from './types.ts'

export type SnapshotOffer = Message & { readonly type: 'snapshot' }

/** One snapshot on its way here. */
interface Pull {
  readonly slot: Slot
  readonly from: PeerId
}

export interface SnapshotOptions {
  readonly store: LogStore
  readonly transport: Transport
  readonly log: EngineLog
  /** Hands rows of `slot` that are applied but not written yet to the store. */
  write(slot: Slot): void
  /** Steps a message into a slot; what it breaks is dealt with. */
  step(slot: Slot, message: Message): void
  /** False once the slot was taken out of service, or another replica of it is here. */
  serves(slot: Slot): boolean
  /** The store failed, or a record of the slot is bad. */
  failed(slot: Slot, error: unknown): void
}

/**
 * A slot's state on its way to a replica that needs what its primary's log no longer holds. The replica pulls:
 * runs of events in log order, from where it stands (also after a break), then the state that goes with them.
 * Runs are immutable and invisible until the state covers them, so the pull disturbs nothing that was promised.
 */
export class Snapshots {
  readonly #options: SnapshotOptions
  /** Pulls under way, by slot. */
  readonly #pulling = new Map<number, Pull>()

  constructor(options: SnapshotOptions) {
    this.#options = options
  }

  /** The primary's side: the next chunk behind `afterIndex`. */
  chunk(slot: Slot, afterIndex: number): SnapshotChunk {
    this.#options.write(slot)
    const { store } = this.#options
    const snapshot = slot.appliedPoint()
    const records = store.runsAfter(slot.slot, afterIndex, snapshot.index, LIMITS.SNAPSHOT_CHUNK_BYTES)
    const reached = records.at(-1)?.run.logIndex ?? afterIndex
    const more = store.runsAfter(slot.slot, reached, snapshot.index, 1).length > 0
    return more ? { records } : { records, last: { snapshot, image: slot.machine.image() } }
  }

  /** The replica's side: pulls what `offer` announced, then steps it. One pull per slot, a bounded number at once. */
  pull(slot: Slot, from: PeerId, offer: SnapshotOffer): void {
    // What is here already needs no pull, but the primary does not know: its last answer was lost.
    if (offer.snapshot.index <= slot.machine.slot.appliedIndex) {
      this.#options.step(slot, offer)
      return
    }
    if (this.#pulling.has(slot.slot) || this.#pulling.size >= LIMITS.MAX_SNAPSHOT_PULLS) return
    const pull: Pull = { slot, from }
    this.#pulling.set(slot.slot, pull)
    const ended = () => {
      if (this.#pulling.get(slot.slot) === pull) this.#pulling.delete(slot.slot)
    }
    this.#pull(pull, offer).then(ended, error => {
      ended()
      // The primary offers it again; the chunks that are here stay.
      this.#options.log.warn({ slot: slot.slot, from, error: String(error) }, 'snapshot interrupted')
    })
  }

  /** What the slot's pull under way has staged is about to go: it ends, and brings nothing more. */
  cutOff(slot: number): void {
    this.#pulling.delete(slot)
  }

  async #pull(pull: Pull, offer: SnapshotOffer): Promise<void> {
    const { slot, from } = pull
    const { store, transport, log, write, step, failed } = this.#options
    log.info({ slot: slot.slot, from, index: offer.snapshot.index }, 'snapshot begins')
    // What is staged continues what is applied: those rows must not come to the disk later.
    write(slot)
    let after = Math.max(slot.machine.slot.appliedIndex, store.staged(slot.slot))
    for (;;) {
      const chunk = await transport.snapshot(from, slot.slot, after)
      this.#goesOn(pull)
      const reached = chunk.records.at(-1)?.run.logIndex
      if (reached !== undefined) {
        if (reached <= after) throw new Error(`the chunk behind ${after} ends at ${reached}`)
        after = reached
        await store.stage(slot.slot, chunk.records).catch(error => failed(slot, error))
        this.#goesOn(pull)
      }
      if (!chunk.last) {
        if (reached === undefined) throw new Error('a chunk held nothing and was not the last')
        continue
      }
      const { snapshot, image } = chunk.last
      log.info({ slot: slot.slot, from, index: snapshot.index }, 'snapshot complete')
      // One that brings nothing is stepped too: the answer tells the primary where this replica stands.
      if (snapshot.index > slot.raft.status().commit) slot.offerImage(image)
      step(slot, { ...offer, snapshot })
      return
    }
  }

  /** Throws when the pull was cut off while it waited: what it staged, and goes on behind, is not there any more. */
  #goesOn(pull: Pull): void {
    const { slot } = pull
    if (this.#pulling.get(slot.slot) === pull && this.#options.serves(slot)) return
    throw new Error('the pull was cut off')
  }
}
