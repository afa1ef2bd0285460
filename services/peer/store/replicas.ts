import { isAsGoodAs } from '../raft/log-end.ts'
import type { HardState } from '../raft/types.ts'
import { behind, ERAS, prefix, type Replica, replicaOf, slotPrefix, TABLES } from './keys.ts'
import type { OrderedKv } from './kv.ts'
import { unsealValue } from './record.ts'
import { type SlotState, termAt } from './slot-state.ts'
import { foundSlot, type Ops, put, remove } from './slot-writer.ts'
import { sweepDropped } from './sweeper.ts'
import type { SlotWrite, Tombstone } from './types.ts'

interface TombstoneRow extends Tombstone {
  /** Era of the dropped replica: the next one takes another. */
  readonly era: number
}

/**
 * Which replica of each slot is in use, and which were dropped and still have rows. A dropped replica leaves a
 * tombstone, which holds what a later one with the same member number must not go back on.
 */
export class Replicas {
  readonly #kv: OrderedKv
  readonly #current = new Map<number, Replica>()
  /** Eras that still have rows, by slot. */
  readonly #dropped = new Map<number, Set<number>>()
  /** As far as they were read or changed. */
  readonly #tombstones = new Map<number, TombstoneRow | undefined>()

  constructor(kv: OrderedKv) {
    this.#kv = kv
    for (const key of kv.keys(TABLES.member, behind(TABLES.member))) {
      this.#current.set(replicaOf(key).slot, replicaOf(key))
    }
    for (const key of kv.keys(TABLES.dropped, behind(TABLES.dropped))) this.#addDropped(replicaOf(key))
  }

  /** Slots with a replica in use, ascending. */
  get slots(): number[] {
    return [...this.#current.keys()].sort((a, b) => a - b)
  }

  /** Slots of whose dropped replicas rows are left, ascending. */
  get leftovers(): number[] {
    return [...this.#dropped.keys()].sort((a, b) => a - b)
  }

  /** The replica in use, if any. */
  current(slot: number): Replica | undefined {
    return this.#current.get(slot)
  }

  /** Throws `CorruptRecord`. */
  tombstone(slot: number): TombstoneRow | undefined {
    if (this.#tombstones.has(slot)) return this.#tombstones.get(slot)
    const key = slotPrefix(TABLES.tombstone, slot)
    const record = this.#kv.get(key)
    const tombstone = record && unsealValue<TombstoneRow>(key, record)
    this.#tombstones.set(slot, tombstone)
    return tombstone
  }

  /** The first rows of a replica. Throws for a slot that has one, and for a hard state that breaks an earlier promise. */
  found(
    slot: number,
    found: NonNullable<SlotWrite['found']>,
    wanted: HardState | undefined,
    ops: Ops,
  ): SlotState {
    if (this.#current.has(slot)) throw new Error(`slot ${slot} is founded already`)
    const tombstone = this.tombstone(slot)
    const { index, term } = found.snapshot
    const own = wanted ?? { term, vote: 0, commit: index }
    const isSame = tombstone?.number === found.number
    if (isSame) checkPromises(slot, own, tombstone)
    const owes = isSame && !isAsGoodAs(found.snapshot, tombstone.end)
    const state = foundSlot(
      { slot, era: this.#freeEra(slot, tombstone) },
      found,
      owes ? { ...own, floor: tombstone.end } : own,
      ops,
    )
    this.#current.set(slot, { slot, era: state.era })
    if (tombstone) remove(ops, slotPrefix(TABLES.tombstone, slot))
    this.#tombstones.set(slot, undefined)
    return state
  }

  /** Takes a replica out of use and leaves its tombstone; its rows are left to {@link sweep}. Throws `CorruptRecord`. */
  drop(state: SlotState, ops: Ops): void {
    const { slot, era, number, hardState } = state
    const { term, vote, floor } = hardState
    const last = { index: state.last, term: termAt(this.#kv, state, state.last)! }
    const end = floor && !isAsGoodAs(last, floor) ? floor : last
    const tombstone: TombstoneRow = { number, term, vote, end, era }
    remove(ops, prefix(TABLES.member, state))
    put(ops, prefix(TABLES.dropped, state), null)
    put(ops, slotPrefix(TABLES.tombstone, slot), tombstone)
    this.#current.delete(slot)
    this.#addDropped(state)
    this.#tombstones.set(slot, tombstone)
  }

  /** Deletes up to `limit` rows of dropped replicas of the slot; returns how many. */
  sweep(slot: number, limit: number, ops: Ops): number {
    let swept = 0
    for (const era of this.#dropped.get(slot) ?? []) {
      if (swept === limit) break
      const replica = { slot, era }
      swept += sweepDropped(this.#kv, replica, limit - swept, ops)
      if (swept === limit) break
      remove(ops, prefix(TABLES.dropped, replica))
      this.#dropped.get(slot)!.delete(era)
    }
    if (this.#dropped.get(slot)?.size === 0) this.#dropped.delete(slot)
    return swept
  }

  #addDropped({ slot, era }: Replica): void {
    const eras = this.#dropped.get(slot)
    if (eras) eras.add(era)
    else this.#dropped.set(slot, new Set([era]))
  }

  #freeEra(slot: number, tombstone: TombstoneRow | undefined): number {
    if (!tombstone) return 0
    const taken = this.#dropped.get(slot)
    let era = (tombstone.era + 1) % ERAS
    while (taken?.has(era) && era !== tombstone.era) era = (era + 1) % ERAS
    if (taken?.has(era)) throw new Error(`slot ${slot}: ${ERAS} dropped replicas were never swept`)
    return era
  }
}

function checkPromises(slot: number, own: HardState, { term, vote }: Tombstone): void {
  if (own.term > term || (own.term === term && (vote === 0 || own.vote === vote))) return
  throw new Error(
    `slot ${slot}: term ${own.term}, vote ${own.vote} go back on the dropped replica's term ${term}, vote ${vote}`,
  )
}
