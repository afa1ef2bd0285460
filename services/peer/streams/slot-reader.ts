import type { Clock, SlotLogs } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import { overOf, type Placed, type Slice, type SlotStart } from '../links/slot-operations.ts'
import type { Dispatcher } from '../links/types.ts'
import { isLevelWith, type SlotPosition } from '../topics/positions.ts'
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

export interface CubeSlotReaderOptions {
  readonly slots: Pick<SlotLogs, 'holds' | 'position' | 'topic' | 'incarnation' | 'readSlot' | 'placeSlot'>
  readonly dispatcher: Pick<Dispatcher, 'dispatch'>
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

  async read(
    slot: number,
    wants: readonly string[],
    position: SlotPosition,
    lives: readonly ShownLife[],
    patienceMs: number,
  ): Promise<Slice | null> {
    const { slots, dispatcher, replayEvents: maxEvents } = this.#options
    const maxBytes = LIMITS.REPLAY_BYTES
    const shown = lives.map(({ topic, incarnation }) => [topic, incarnation] as const)
    const here = await this.#here(slot, async () =>
      isLevelWith(slots.position(slot), position)
        ? {
            ...slots.readSlot(slot, wants, position, maxEvents, maxBytes),
            over: overOf(slots, slot, shown),
          }
        : null,
    )
    if (here !== null) return here
    const asked = { kind: 'readSlot', slot, wants, position, maxEvents, maxBytes } as const
    const operation = shown.length > 0 ? { ...asked, shown } : asked
    const { result } = await dispatcher.dispatch(operation, this.#deadlineMs(patienceMs))
    return result.kind === 'slice' ? result : null
  }

  async place(
    slot: number,
    wants: readonly string[],
    start: SlotStart,
    fresh: boolean,
    patienceMs: number,
  ): Promise<Placed | null> {
    const { slots, dispatcher } = this.#options
    // Stamps never fall along a slot: the place of a time that lies within what is here is final.
    const isFinal = ({ position }: Placed) =>
      start.kind === 'time' && slots.holds(slot) && position.sequence < slots.position(slot).sequence
    const here =
      fresh && start.kind !== 'time'
        ? null
        : await this.#here(slot, () => slots.placeSlot(slot, wants, start))
    if (here !== null && (!fresh || isFinal(here))) return here
    const asked = { kind: 'placeSlot', slot, wants, start } as const
    const operation = fresh ? { ...asked, fresh } : asked
    const { result } = await dispatcher.dispatch(operation, this.#deadlineMs(patienceMs))
    return result.kind === 'placed' ? result : null
  }

  position(slot: number): SlotPosition | undefined {
    const { slots } = this.#options
    return slots.holds(slot) ? slots.position(slot) : undefined
  }

  async #here<Result>(slot: number, read: () => Promise<Result | null>): Promise<Result | null> {
    if (!this.#options.slots.holds(slot)) return null
    try {
      return await read()
    } catch {
      // A bad record: the engine says so and repairs the replica; another one has it.
      return null
    }
  }

  #deadlineMs(patienceMs: number): number {
    return this.#options.clock.monotonicMs() + patienceMs
  }
}
