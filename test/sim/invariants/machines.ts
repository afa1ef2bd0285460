import type { Run, SlotChanges, SlotImage, TopicRow } from '../../../services/peer/topics/types.ts'
import { Rows } from './rows.ts'
import type { Replica } from './slot-disk.ts'

interface SlotStates {
  /** The run that the first replica placed, by log index; null where it placed none. */
  readonly runs: Map<number, Run | null>
  /** Name of each incarnation. */
  readonly names: Map<number, string>
  /** Applied index by which an incarnation was deleted. */
  readonly deleted: Map<number, number>
  /** Idempotency keys and producers: from which applied index on they are there; Infinity once one was forgotten. */
  readonly remembered: Map<string, number>
}

/**
 * State-machine safety as it shows in the rows that replicas write: the same run, or none, at the same entry, the same
 * rows at the same applied index, each topic in one slot, an incarnation given out once, and deleted stays deleted.
 */
export class Machines {
  readonly #violation: (what: string) => void
  readonly #slots = new Map<number, SlotStates>()
  /** Slot of each topic's name. */
  readonly #homes = new Map<string, number>()
  /** Incarnation that a replica holds of a name. */
  readonly #held = new WeakMap<Replica, Map<string, number>>()

  readonly #rows: Rows

  constructor(violation: (what: string) => void) {
    this.#violation = violation
    this.#rows = new Rows(violation)
  }

  /** Rows that a replica writes for what it applied. */
  changed(replica: Replica, changes: SlotChanges): void {
    const { appliedIndex } = changes.slot
    this.#placed(replica, changes.runs, appliedIndex)
    this.#rows.changed(replica, changes)
    for (const [name, row] of changes.topics) this.#topic(replica, name, row, appliedIndex)
    for (const [key, row] of changes.keys) this.#remembers(replica.slot, `key ${key}`, row, appliedIndex)
    for (const [uid, row] of changes.producers) {
      this.#remembers(replica.slot, `producer ${uid}`, row, appliedIndex)
    }
  }

  /** A snapshot is about to be installed: it must hold what is remembered at its index. */
  installs(replica: Replica, image: SlotImage): void {
    const held = new Set<string>()
    for (const { topic, key } of image.keys) held.add(`key ${topic}\u0000${key}`)
    for (const { uid } of image.producers) held.add(`producer ${uid}`)
    const { appliedIndex } = image.slot
    for (const [what, from] of this.#slot(replica.slot).remembered) {
      if (from > appliedIndex || held.has(what)) continue
      this.#violation(
        `snapshots are whole: one of slot ${replica.slot} at ${appliedIndex} lacks ${JSON.stringify(what)}`,
      )
      break
    }
    this.replaced(replica, image)
  }

  /** The replica was dropped: one that comes again begins with nothing. */
  dropped(replica: Replica): void {
    this.#rows.dropped(replica)
    this.#held.delete(replica)
  }

  /** A whole state: loaded, or of a snapshot. */
  replaced(replica: Replica, image: SlotImage): void {
    this.#rows.replaced(replica, image)
    this.#held.set(replica, new Map())
    for (const row of image.topics) this.#topic(replica, row.name, row, image.slot.appliedIndex)
  }

  /** Every entry that it applied since it last wrote rows has its run among these, or has none. */
  #placed(replica: Replica, placed: readonly Run[], appliedIndex: number): void {
    const { peer, slot } = replica
    const { runs } = this.#slot(slot)
    const own = new Map(placed.map(run => [run.logIndex, run]))
    for (let index = this.#rows.appliedIndex(replica) + 1; index <= appliedIndex; index++) {
      const run = own.get(index) ?? null
      const known = runs.get(index)
      if (known === undefined) runs.set(index, run)
      else if (known === null || run === null ? known !== run : !isSame(known, run)) {
        this.#violation(`state-machine safety: ${peer} placed entry ${index} of slot ${slot} elsewhere`)
      }
    }
  }

  #remembers(slot: number, what: string, row: object | null, appliedIndex: number): void {
    const { remembered } = this.#slot(slot)
    if (row === null) remembered.set(what, Number.POSITIVE_INFINITY)
    else if (!remembered.has(what)) remembered.set(what, appliedIndex)
  }

  #topic(replica: Replica, name: string, row: TopicRow | null, appliedIndex: number): void {
    const { peer, slot } = replica
    const home = this.#homes.get(name)
    if (home === undefined) this.#homes.set(name, slot)
    else if (home !== slot) this.#violation(`each topic in one slot: ${name} is in ${home} and in ${slot}`)
    const { names, deleted } = this.#slot(slot)
    const held = this.#held.get(replica) ?? new Map<string, number>()
    this.#held.set(replica, held)
    const before = held.get(name)
    if (before !== undefined && before !== row?.incarnation) {
      deleted.set(before, Math.min(deleted.get(before) ?? appliedIndex, appliedIndex))
    }
    if (row === null) {
      held.delete(name)
      return
    }
    held.set(name, row.incarnation)
    const known = names.get(row.incarnation)
    if (known === undefined) names.set(row.incarnation, name)
    else if (known !== name) {
      this.#violation(
        `an incarnation is one topic's: ${row.incarnation} of slot ${slot} is ${known} and ${name}`,
      )
    }
    const deletedAt = deleted.get(row.incarnation)
    if (deletedAt !== undefined && deletedAt <= appliedIndex) {
      this.#violation(`deleted stays deleted: ${peer} has ${name} ${row.incarnation} of slot ${slot} again`)
    }
  }

  #slot(slot: number): SlotStates {
    let states = this.#slots.get(slot)
    if (states === undefined) {
      states = { runs: new Map(), names: new Map(), deleted: new Map(), remembered: new Map() }
      this.#slots.set(slot, states)
    }
    return states
  }
}

function isSame(one: Run, other: Run): boolean {
  return (
    one.incarnation === other.incarnation &&
    one.first === other.first &&
    one.count === other.count &&
    one.sequence === other.sequence &&
    one.timeMs === other.timeMs &&
    one.bytes === other.bytes
  )
}
