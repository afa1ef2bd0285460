import type { SlotPosition } from '../topics/positions.ts'
import { formatPlace, isSince, parseVectorCursor, type SlotPlace } from '../topics/vector-cursor.ts'

/**
 * Places in several slots, with their cursor's text: a change of one place writes only that part anew. Places are told
 * apart by `at`, the slot's number among the slots, which never change.
 */
export class Vector {
  readonly #slots: readonly number[]
  readonly #places: SlotPlace[]
  readonly #parts: string[]
  #text: string | undefined

  /** @param slots ascending, as many as `places` */
  constructor(slots: readonly number[], places: readonly SlotPlace[], parts?: readonly string[]) {
    this.#slots = slots
    this.#places = [...places]
    this.#parts = parts ? [...parts] : places.map((place, at) => formatPlace(slots[at]!, place))
  }

  /** The vector whose text it is; for texts made by a vector of the same slots. */
  static of(slots: readonly number[], text: string): Vector {
    const places = parseVectorCursor(text, slots.length) ?? new Map<number, SlotPlace>()
    return new Vector(
      slots,
      slots.map(slot => {
        const place = places.get(slot)
        if (place === undefined) throw new Error(`no place of slot ${slot} in ${text}`)
        return place
      }),
    )
  }

  copy(): Vector {
    return new Vector(this.#slots, this.#places, this.#parts)
  }

  /** The cursor. */
  get text(): string {
    this.#text ??= this.#parts.join('~')
    return this.#text
  }

  place(at: number): SlotPlace {
    return this.#places[at]!
  }

  /** The position in a slot that is decided. */
  position(at: number): SlotPosition {
    const place = this.#places[at]!
    if (isSince(place)) throw new Error(`slot ${this.#slots[at]} is not decided yet`)
    return place
  }

  /** By slot: the log index that the place takes into account; 0 where none is decided. */
  indexes(): number[] {
    return this.#places.map(place => (isSince(place) ? 0 : place.index))
  }

  set(at: number, place: SlotPlace): void {
    this.#places[at] = place
    this.#parts[at] = formatPlace(this.#slots[at]!, place)
    this.#text = undefined
  }

  /** Goes on to an event, or with `sequence` left out to a state without new ones; never back. */
  advance(at: number, index: number, sequence = 0): void {
    const before = this.position(at)
    this.set(at, {
      sequence: Math.max(before.sequence, sequence),
      index: Math.max(before.index, index),
    })
  }
}
