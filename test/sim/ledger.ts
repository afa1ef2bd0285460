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

/** One life of a topic, as it was seen. */
interface Life {
  readonly slot: number
  readonly incarnation: number
  /** Ids by offset. */
  readonly contents: string[]
  /** Highest acknowledged offset. */
  latest: number
}

/** Where an id was seen. */
interface Seen {
  readonly life: Life
  readonly offset: number
}

/**
 * What the outside world was told and has seen: every event it read anywhere, every answer it got. Each new piece is
 * held against all that is known (P1 to P4). Events are known by the id that is their data.
 */
export class Ledger {
  readonly acknowledged: Acknowledged[] = []
  /** Events acknowledged. */
  events = 0
  /** By slot and incarnation. */
  readonly #lives: Life[][] = []
  readonly #places = new Map<string, Seen>()
  readonly #refused = new Map<string, string>()
  readonly #violation: (what: string) => void

  constructor(violation: (what: string) => void) {
    this.#violation = violation
  }

  /** Somebody read an event: the same one must be read there by all, and it nowhere else. */
  saw(who: string, slot: number, incarnation: number, offset: number, id: string): void {
    const life = this.#life(slot, incarnation)
    const content = life.contents[offset]
    if (content === undefined) life.contents[offset] = id
    else if (content !== id) {
      const place = placeOf({ life, offset })
      this.#violation(`one order: ${who} has ${id} at ${place}, where ${content} was seen`)
    }
    const known = this.#places.get(id)
    if (known === undefined) this.#places.set(id, { life, offset })
    else if (known.life !== life || known.offset !== offset) {
      const place = placeOf({ life, offset })
      this.#violation(`no duplicates: ${who} has ${id} at ${place} and at ${placeOf(known)}`)
    }
    const refusal = this.#refused.get(id)
    if (refusal === undefined) return
    this.#violation(`no is no: ${id} was refused (${refusal}) and is at ${placeOf({ life, offset })}`)
  }

  acked(ack: Acknowledged): void {
    const { slot, incarnation, offset, ids } = ack
    this.acknowledged.push(ack)
    this.events += ids.length
    for (const [i, id] of ids.entries()) this.saw('an answer', slot, incarnation, offset + i, id)
    const life = this.#life(slot, incarnation)
    life.latest = Math.max(life.latest, offset + ids.length - 1)
  }

  /** A definite error was answered: none of these may ever appear. */
  refused(ids: readonly string[], why: string): void {
    for (const id of ids) {
      this.#refused.set(id, why)
      const known = this.#places.get(id)
      if (known === undefined) continue
      this.#violation(`no is no: ${id} was refused (${why}) and is at ${placeOf(known)}`)
    }
  }

  /** Highest offset acknowledged so far. */
  latest(slot: number, incarnation: number): number {
    return this.#lives[slot]?.[incarnation]?.latest ?? 0
  }

  #life(slot: number, incarnation: number): Life {
    this.#lives[slot] ??= []
    this.#lives[slot][incarnation] ??= { slot, incarnation, contents: [], latest: 0 }
    return this.#lives[slot][incarnation]
  }
}

function placeOf({ life, offset }: Seen): string {
  return `slot ${life.slot}, ${offset}-${life.incarnation}`
}
