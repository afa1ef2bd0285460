import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { Placed, Slice, SlotStart } from '../links/slot-operations.ts'
import { isLevelWith, type SlotPosition } from '../topics/positions.ts'
import { type Replicas, readNearest } from './nearest.ts'

/** Reads slots wherever they are. Nothing rejects: null says that nobody new enough was found in time. */
export interface SlotReader {
  /** Matching events behind `position`; bounded. */
  read(
    slot: number,
    wants: readonly string[],
    position: SlotPosition,
    patienceMs: number,
  ): Promise<Slice | null>
  /** Where a stream begins in the slot. */
  place(slot: number, wants: readonly string[], start: SlotStart, patienceMs: number): Promise<Placed | null>
}

export interface CubeSlotReaderOptions extends Replicas<'position' | 'readSlot' | 'placeSlot'> {
  readonly clock: Clock
  /** Events read at a time. */
  readonly replayEvents: number
}

/** Reads the replica here when there is one that is new enough, else asks the cube. */
export class CubeSlotReader implements SlotReader {
  readonly #options: CubeSlotReaderOptions

  constructor(options: CubeSlotReaderOptions) {
    this.#options = options
  }

  read(
    slot: number,
    wants: readonly string[],
    position: SlotPosition,
    patienceMs: number,
  ): Promise<Slice | null> {
    const { slots, replayEvents: maxEvents } = this.#options
    const maxBytes = LIMITS.REPLAY_BYTES
    const read = () =>
      isLevelWith(slots.position(slot), position)
        ? slots.readSlot(slot, wants, position, maxEvents, maxBytes)
        : undefined
    const operation = { kind: 'readSlot', slot, wants, position, maxEvents, maxBytes } as const
    return readNearest(this.#options, operation, 'slice', read, this.#deadlineMs(patienceMs))
  }

  place(
    slot: number,
    wants: readonly string[],
    start: SlotStart,
    patienceMs: number,
  ): Promise<Placed | null> {
    const read = () => this.#options.slots.placeSlot(slot, wants, start)
    const operation = { kind: 'placeSlot', slot, wants, start } as const
    return readNearest(this.#options, operation, 'placed', read, this.#deadlineMs(patienceMs))
  }

  #deadlineMs(patienceMs: number): number {
    return this.#options.clock.monotonicMs() + patienceMs
  }
}
