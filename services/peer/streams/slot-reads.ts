import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { Placed, Slice, SlotStart } from '../links/slot-operations.ts'
import { isLevelWith, type SlotPosition } from '../topics/positions.ts'
import type { ShownHere } from './shown-lives.ts'
import { Slices } from './slices.ts'
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

/** Whether whoever asked is still there. */
type IsWanted = () => boolean

/** A read that is shared, and those who share it. */
interface Shared {
  readonly result: Promise<unknown>
  readonly wanted: IsWanted[]
}

const ALWAYS: IsWanted = () => true

/**
 * All reads of slots for streams of this peer: those of the same place are one, a bounded number runs at a time in the
 * order in which they were asked for unless nobody waits for them any more, and live events are flushed in between. What has failed before, and all reads of a
 * slot of which nobody could say where a stream begins, wait in a lane of the slot's own: slots nobody answers for hold
 * up no others, and cursors from the future nobody who has not failed himself.
 */
export class SlotReads {
  readonly #reader: SlotReader
  readonly #clock: Clock
  /** A read of the replica here takes its time at once. */
  readonly #slices: Slices
  readonly #first: Lane = { most: LIMITS.MAX_SLOT_READS, running: 0, waiting: [] }
  /** By slot, while they are in use. */
  readonly #apart = new Map<number, Lane>()
  readonly #fresh = new Map<number, Lane>()
  /** Slots for which nobody was found when it was last asked where a stream begins. */
  readonly #silent = new Set<number>()
  /** By slot, until when: nobody has answered what is linearizable. */
  readonly #leaderless = new Map<number, number>()
  /** By slot: how far it is known to have got, for a while: a recovery may take it back. */
  readonly #reached = new Map<number, { readonly position: SlotPosition; readonly untilMs: number }>()
  readonly #underWay = new Map<string, Shared>()

  constructor(reader: SlotReader, clock: Clock) {
    this.#reader = reader
    this.#clock = clock
    this.#slices = new Slices(clock)
  }

  /**
   * Events behind `position`, and which of the lives that were `shown` are over; null when nobody new enough was found.
   * `again`: the same has failed before.
   */
  read(
    scope: SlotScope,
    position: SlotPosition,
    shown: ShownHere,
    again: boolean,
    isWanted = ALWAYS,
  ): Promise<Slice | null> {
    const { key, slot, wants } = scope
    const what = `${key}:${position.sequence}.${position.index}:${shown.key}`
    return this.#share(what, slot, again, isWanted, () =>
      this.#reader.read(slot, wants, position, shown.lives, LIMITS.SLOT_READ_PATIENCE_MS),
    )
  }

  /**
   * Where a stream begins, by a linearizable read where that makes a difference; without a majority as any replica knows.
   * Null when nobody was found.
   */
  async place(scope: SlotScope, start: SlotStart, again: boolean, isWanted = ALWAYS): Promise<Placed | null> {
    const { key, slot, wants } = scope
    const what = `${key}:${JSON.stringify(start)}`
    const placed =
      start.kind === 'earliest' ? null : await this.#placeFresh(what, slot, wants, start, isWanted)
    if (placed !== null) return placed
    return this.#share(what, slot, again, isWanted, async () => {
      const found = await this.#reader.place(slot, wants, start, false, LIMITS.SLOT_READ_PATIENCE_MS)
      if (found === null) this.#silent.add(slot)
      return found
    })
  }

  /** How far a slot had got, at some time after this was asked; null without a majority. */
  async latest(slot: number, isWanted = ALWAYS): Promise<SlotPosition | null> {
    const placed = await this.#placeFresh('latest', slot, [], { kind: 'latest' }, isWanted)
    return placed?.position ?? null
  }

  /** The slot is known to have got to a place, without asking anybody. */
  reaches(slot: number, place: SlotPosition): boolean {
    const here = this.#reader.position(slot)
    if (here !== undefined && isLevelWith(here, place)) return true
    const known = this.#reached.get(slot)
    return (
      known !== undefined && known.untilMs > this.#clock.monotonicMs() && isLevelWith(known.position, place)
    )
  }

  /** Whether a place is one that the slot has not got to yet; undefined without a majority. */
  async isFuture(slot: number, place: SlotPosition): Promise<boolean | undefined> {
    if (this.reaches(slot, place)) return false
    const position = await this.latest(slot)
    if (position === null) return undefined
    this.#reached.set(slot, { position, untilMs: this.#clock.monotonicMs() + LIMITS.REACHED_MS })
    return !isLevelWith(position, place)
  }

  /** Shared only until it is asked: one that is on its way may not know what was acknowledged since. */
  #placeFresh(
    what: string,
    slot: number,
    wants: readonly string[],
    start: SlotStart,
    isWanted: IsWanted,
  ): Promise<Placed | null> {
    if (this.#isLeaderless(slot)) return Promise.resolve(null)
    const key = `${slot}:${what}:fresh`
    const known = this.#join(key, isWanted)
    if (known !== undefined) return known as Promise<Placed | null>
    const wanted = [isWanted]
    const result = runApart(this.#fresh, slot, LIMITS.MAX_FRESH_PLACES, async () => {
      if (this.#isForgotten(key, wanted)) return null
      await this.#endOfTurn()
      const turn = this.#slices.turn()
      if (turn) await turn
      this.#underWay.delete(key)
      if (this.#isLeaderless(slot)) return null
      const found = await this.#reader.place(slot, wants, start, true, LIMITS.SLOT_READ_PATIENCE_MS)
      if (found === null) this.#leaderless.set(slot, this.#clock.monotonicMs() + LIMITS.LEADERLESS_MS)
      else this.#leaderless.delete(slot)
      return found
    })
    return this.#keep(key, result, wanted)
  }

  /** Others may share it until it is done. */
  #keep<Result>(key: string, reading: Promise<Result>, wanted: IsWanted[]): Promise<Result> {
    const result = reading.finally(() => {
      if (this.#underWay.get(key)?.wanted === wanted) this.#underWay.delete(key)
    })
    this.#underWay.set(key, { result, wanted })
    return result
  }

  #join(key: string, isWanted: IsWanted): Promise<unknown> | undefined {
    const known = this.#underWay.get(key)
    known?.wanted.push(isWanted)
    return known?.result
  }

  /** Nobody waits for it any more; whoever comes now begins anew. */
  #isForgotten(key: string, wanted: readonly IsWanted[]): boolean {
    if (wanted.some(isWanted => isWanted())) return false
    this.#underWay.delete(key)
    return true
  }

  #isLeaderless(slot: number): boolean {
    const untilMs = this.#leaderless.get(slot)
    if (untilMs === undefined) return false
    if (untilMs > this.#clock.monotonicMs()) return true
    this.#leaderless.delete(slot)
    return false
  }

  #share<Result>(
    what: string,
    slot: number,
    again: boolean,
    isWanted: IsWanted,
    read: () => Promise<Result | null>,
  ): Promise<Result | null> {
    const isApart = again || this.#silent.has(slot)
    const key = `${what}:${isApart}`
    const known = this.#join(key, isWanted)
    if (known !== undefined) return known as Promise<Result | null>
    const wanted = [isWanted]
    const run = async () => {
      if (this.#isForgotten(key, wanted)) return null
      await this.#endOfTurn()
      const turn = this.#slices.turn()
      if (turn) await turn
      const result = await read()
      if (result !== null) this.#silent.delete(slot)
      return result
    }
    const result = isApart
      ? runApart(this.#apart, slot, LIMITS.MAX_SLOT_RETRIES, run)
      : runIn(this.#first, run)
    return this.#keep(key, result, wanted)
  }

  #endOfTurn(): Promise<void> {
    return new Promise(resolve => this.#clock.endOfTurn(resolve))
  }
}

/** Runs a read in the slot's own lane of those in use. */
async function runApart<Result>(
  lanes: Map<number, Lane>,
  slot: number,
  most: number,
  read: () => Promise<Result>,
): Promise<Result> {
  const lane = lanes.get(slot) ?? { most, running: 0, waiting: [] }
  lanes.set(slot, lane)
  try {
    return await runIn(lane, read)
  } finally {
    if (lane.running === 0 && lanes.get(slot) === lane) lanes.delete(slot)
  }
}

async function runIn<Result>(lane: Lane, read: () => Promise<Result>): Promise<Result> {
  if (lane.running >= lane.most) await new Promise<void>(resolve => lane.waiting.push(resolve))
  else lane.running += 1
  try {
    return await read()
  } finally {
    // The place in the lane is handed on.
    const next = lane.waiting.shift()
    if (next === undefined) lane.running -= 1
    else next()
  }
}
