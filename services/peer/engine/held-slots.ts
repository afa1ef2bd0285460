import type { PeerId } from '../cube/labels.ts'
import { successors } from '../cube/placement.ts'
import type { Roster } from '../cube/roster.ts'
import { LIMITS } from '../limits.ts'
import { CorruptRecord, type LogStore, type SlotWrite } from '../store/types.ts'
import type { EngineLog } from './settings.ts'
import { numberOf, Slot, type SlotContext } from './slot.ts'
import { SlotError } from './types.ts'

export interface HeldSlotsOptions {
  readonly self: PeerId
  readonly roster: Roster
  readonly store: LogStore
  readonly log: EngineLog
  /** A slot was taken out of service: nothing of it is to be driven any more. */
  dropped(slot: Slot): void
  /** A broken invariant, or a failed disk. */
  fatal(error: unknown): void
}

/** The slots this peer is a replica of, and what becomes of one whose disk lies. */
export class HeldSlots {
  /** In service, by number. */
  readonly all = new Map<number, Slot>()
  /** Order of succession of every slot that belongs here. */
  readonly placed: ReadonlyMap<number, readonly PeerId[]>
  readonly #options: HeldSlotsOptions

  constructor(options: HeldSlotsOptions) {
    this.#options = options
    const placed = new Map<number, readonly PeerId[]>()
    for (let slot = 0; slot < options.roster.slots; slot++) {
      const order = successors(slot, options.roster, LIMITS.REPLICAS)
      if (order.includes(options.self)) placed.set(slot, order)
    }
    this.placed = placed
  }

  /** Founds the slots the store does not hold yet and loads all. */
  async open(context: SlotContext): Promise<void> {
    const { store } = this.#options
    const stored = new Set(store.slots())
    const missing = [...this.placed.keys()].filter(slot => !stored.has(slot))
    if (missing.length > 0) await store.write(missing.map(slot => this.#founding(slot)))
    for (const [slot, order] of this.placed) this.#load(context, slot, order)
  }

  /** Throws SlotError NOT_A_REPLICA for a slot not in service here. */
  get(slot: number): Slot {
    const held = this.all.get(slot)
    if (!held) throw new SlotError({ kind: 'unavailable', code: 'NOT_A_REPLICA' })
    return held
  }

  /** False once a slot was taken out of service. */
  serves(slot: Slot): boolean {
    return this.all.get(slot.slot) === slot
  }

  /** Does something to a slot; what it throws is dealt with by `failed`. */
  guard(slot: Slot, work: () => void): void {
    try {
      work()
    } catch (error) {
      this.failed(slot, error)
    }
  }

  /** A corrupt record takes its slot out of service, here only; any other broken invariant ends the peer. */
  failed(slot: Slot, error: unknown): void {
    if (!(error instanceof CorruptRecord)) {
      this.#options.fatal(error)
      return
    }
    this.all.delete(slot.slot)
    this.#options.dropped(slot)
    slot.stop()
    this.#options.log.error(
      { slot: slot.slot, error: error.message },
      'slot has a corrupt record: this replica does not vote on it any more',
    )
  }

  #founding(slot: number): SlotWrite {
    const { roster, self } = this.#options
    const voters = this.placed.get(slot)!.map(id => {
      const peer = roster.peers.find(listed => listed.id === id)!
      return { number: peer.number, uid: peer.uid }
    })
    voters.sort((a, b) => a.number - b.number)
    const configuration = { rosterVersion: roster.version, voters }
    return {
      slot,
      found: { number: numberOf(roster, self), snapshot: { index: 0, term: 0, configuration } },
      // Every founding voter begins with the same committed entry, as etcd's bootstrap does.
      hardState: { term: 1, vote: 0, commit: 1 },
      entries: [{ index: 1, term: 1, type: 'config', data: new Uint8Array(0), configuration }],
    }
  }

  #load(context: SlotContext, number: number, succession: readonly PeerId[]): void {
    try {
      const slot = new Slot(context, number, succession)
      this.all.set(number, slot)
      context.touch(slot)
    } catch (error) {
      if (!(error instanceof CorruptRecord)) throw error
      this.#options.log.error(
        { slot: number, error: error.message },
        'slot has a corrupt record: this replica does not vote on it',
      )
    }
  }
}
