/** Where an event was seen. */
interface Place {
  readonly slot: number
  readonly incarnation: number
  readonly offset: number
}

/** One acknowledged publish. */
export interface Acknowledged extends Place {
  readonly topic: string
  readonly ids: readonly string[]
}

/**
 * What the outside world was told and has seen: every event it read anywhere, every answer it got. Each new piece is
 * held against all that is known (P1 to P4). Events are known by the id that is their data.
 */
export class Ledger {
  readonly acknowledged: Acknowledged[] = []
  /** Highest acknowledged offset by slot and incarnation. */
  readonly #latest = new Map<string, number>()
  readonly #contents = new Map<string, string>()
  readonly #places = new Map<string, string>()
  readonly #refused = new Map<string, string>()
  readonly #violation: (what: string) => void

  constructor(violation: (what: string) => void) {
    this.#violation = violation
  }

  get events(): number {
    return this.acknowledged.reduce((sum, { ids }) => sum + ids.length, 0)
  }

  /** Somebody read an event: the same one must be read there by all, and it nowhere else. */
  saw(who: string, slot: number, incarnation: number, offset: number, id: string): void {
    const place = `slot ${slot}, ${offset}-${incarnation}`
    const content = this.#contents.get(place)
    if (content === undefined) this.#contents.set(place, id)
    else if (content !== id)
      this.#violation(`one order: ${who} has ${id} at ${place}, where ${content} was seen`)
    const known = this.#places.get(id)
    if (known === undefined) this.#places.set(id, place)
    else if (known !== place) this.#violation(`no duplicates: ${who} has ${id} at ${place} and at ${known}`)
    const refusal = this.#refused.get(id)
    if (refusal !== undefined) this.#violation(`no is no: ${id} was refused (${refusal}) and is at ${place}`)
  }

  acked(ack: Acknowledged): void {
    const { slot, incarnation, offset, ids } = ack
    this.acknowledged.push(ack)
    for (const [i, id] of ids.entries()) this.saw('an answer', slot, incarnation, offset + i, id)
    const key = `${slot}/${incarnation}`
    this.#latest.set(key, Math.max(this.#latest.get(key) ?? 0, offset + ids.length - 1))
  }

  /** A definite error was answered: none of these may ever appear. */
  refused(ids: readonly string[], why: string): void {
    for (const id of ids) {
      this.#refused.set(id, why)
      const place = this.#places.get(id)
      if (place !== undefined) this.#violation(`no is no: ${id} was refused (${why}) and is at ${place}`)
    }
  }

  /** Highest offset acknowledged so far. */
  latest(slot: number, incarnation: number): number {
    return this.#latest.get(`${slot}/${incarnation}`) ?? 0
  }

  contentAt(slot: number, incarnation: number, offset: number): string | undefined {
    return this.#contents.get(`slot ${slot}, ${offset}-${incarnation}`)
  }
}
