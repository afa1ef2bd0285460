import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import { overOf, type Placed, type Slice, type SlotStart } from '../links/slot-operations.ts'
import { isLevelWith, type SlotPosition } from '../topics/positions.ts'
import { type Replicas, readNearest } from './nearest.ts'
import type { ShownLife } from './shown-lives.ts'

/** Reads slots wherever they are. Nothing rejects: null says that nobody new enough was found in time. */
export interface SlotReader {
  /** Matching events behind `position`, bounded, and which of the lives that were `shown` are over. */
  read(
    slot: number,
    wants: readonly string[],
    position: SlotPosition,
    shown: readonly ShownLife[],
    patienceMs: number,
  ): Promise<Slice | null>
  /** Where a stream begins in the slot; `fresh`: linearizable, so that what was acknowledged before is known. */
  place(
    slot: number,
    wants: readonly string[],
    start: SlotStart,
    fresh: boolean,
    patienceMs: number,
  ): Promise<Placed | null>
  /** How far the replica here has got; undefined where there is none. */
  position(slot: number): SlotPosition | undefined
}

export interface CubeSlotReaderOptions
  extends Replicas<'position' | 'topic' | 'incarnation' | 'readSlot' | 'placeSlot'> {
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
    lives: readonly ShownLife[],
    patienceMs: number,
  ): Promise<Slice | null> {
    const { slots, replayEvents: maxEvents } = this.#options
    const maxBytes = LIMITS.REPLAY_BYTES
    const shown = lives.map(({ topic, incarnation }) => [topic, incarnation] as const)
    const read = () =>
      isLevelWith(slots.position(slot), position)
        ? {
            ...slots.readSlot(slot, wants, position, maxEvents, maxBytes),
            over: overOf(slots, slot, shown),
          }
        : undefined
    const asked = { kind: 'readSlot', slot, wants, position, maxEvents, maxBytes } as const
    const operation = shown.length > 0 ? { ...asked, shown } : asked
    return readNearest(this.#options, operation, 'slice', read, this.#deadlineMs(patienceMs))
  }

  place(
    slot: number,
    wants: readonly string[],
    start: SlotStart,
    fresh: boolean,
    patienceMs: number,
  ): Promise<Placed | null> {
    const { slots } = this.#options
    const read = async () => {
      if (fresh && start.kind !== 'time') return undefined
      const here = await slots.placeSlot(slot, wants, start)
      // Stamps never fall along a slot: the place of a time that lies within what is here is final.
      const isFinal = start.kind === 'time' && here.position.sequence < slots.position(slot).sequence
      return !fresh || isFinal ? here : undefined
    }
    const asked = { kind: 'placeSlot', slot, wants, start } as const
    const operation = fresh ? { ...asked, fresh } : asked
    return readNearest(this.#options, operation, 'placed', read, this.#deadlineMs(patienceMs))
  }

  position(slot: number): SlotPosition | undefined {
    const { slots } = this.#options
    return slots.holds(slot) ? slots.position(slot) : undefined
  }

  #deadlineMs(patienceMs: number): number {
    return this.#options.clock.monotonicMs() + patienceMs
  }
}
