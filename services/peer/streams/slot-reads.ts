import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { Placed, Slice, SlotStart } from '../links/slot-operations.ts'
import type { SlotPosition } from '../topics/positions.ts'
import type { SlotReader } from './slot-reader.ts'

/** What is read of a slot: events of these wants. */
export interface SlotScope {
  /** The same for scopes of the same slot and wants, and for no others. */
  readonly key: string
  readonly slot: number
  readonly wants: readonly string[]
}

/** Reads that take their turns; so many run at a time. */
interface Lane {
  readonly most: number
  running: number
  readonly waiting: (() => void)[]
}

/**
 * All reads of slots for streams of this peer: those of the same place are one, a bounded number runs at a time in the
 * order in which they were asked for, and live events are flushed in between. What has failed before waits in a lane of
 * its own, so that slots nobody answers for, and cursors from the future, hold up nobody else.
 */
export class SlotReads {
  readonly #reader: SlotReader
  readonly #clock: Clock
  readonly #first: Lane = { most: LIMITS.MAX_SLOT_READS, running: 0, waiting: [] }
  readonly #again: Lane = { most: LIMITS.MAX_SLOT_RETRIES, running: 0, waiting: [] }
  readonly #underWay = new Map<string, Promise<unknown>>()

  constructor(reader: SlotReader, clock: Clock) {
    this.#reader = reader
    this.#clock = clock
  }

  /** Events behind `position`; null when nobody new enough was found. `again`: the same has failed before. */
  read(scope: SlotScope, position: SlotPosition, again: boolean): Promise<Slice | null> {
    const { key, slot, wants } = scope
    return this.#share(`${key}:${position.sequence}.${position.index}:${again}`, again, () =>
      this.#reader.read(slot, wants, position, LIMITS.SLOT_READ_PATIENCE_MS),
    )
  }

  /** Where a stream begins; null when nobody was found. */
  place(scope: SlotScope, start: SlotStart, again: boolean): Promise<Placed | null> {
    const { key, slot, wants } = scope
    return this.#share(`${key}:${JSON.stringify(start)}:${again}`, again, () =>
      this.#reader.place(slot, wants, start, LIMITS.SLOT_READ_PATIENCE_MS),
    )
  }

  #share<Result>(key: string, again: boolean, read: () => Promise<Result>): Promise<Result> {
    const known = this.#underWay.get(key)
    if (known !== undefined) return known as Promise<Result>
    const result = this.#run(again ? this.#again : this.#first, read).finally(() =>
      this.#underWay.delete(key),
    )
    this.#underWay.set(key, result)
    return result
  }

  async #run<Result>(lane: Lane, read: () => Promise<Result>): Promise<Result> {
    if (lane.running >= lane.most) await new Promise<void>(resolve => lane.waiting.push(resolve))
    else lane.running += 1
    try {
      await new Promise<void>(resolve => this.#clock.endOfTurn(resolve))
      return await read()
    } finally {
      // The place in the lane is handed on.
      const next = lane.waiting.shift()
      if (next === undefined) lane.running -= 1
      else next()
    }
  }
}
