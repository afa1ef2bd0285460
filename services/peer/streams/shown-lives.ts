import { LIMITS } from '../limits.ts'

/** A life of a topic of which streams were told, or that exists under a name they asked for. */
export interface ShownLife {
  readonly at: number
  readonly topic: string
  readonly incarnation: number
  /** Log index at which it is known to have existed; -1 once its end was heard. It changes, and so does `isHeard`. */
  aliveAt: number
  /** Its end would be heard: it exists as far as the channel has got. */
  isHeard: boolean
}

/** The lives of one slot, with a key that is the same for the same lives. */
export interface ShownHere {
  readonly lives: readonly ShownLife[]
  readonly key: string
}

const NONE: ShownHere = { lives: [], key: '' }

/**
 * Which lives of topics the streams of a channel show, so that whoever reads a slot past a break can ask which of them are
 * over: a deleted topic leaves nothing in the log that would say so. Bounded; the oldest are forgotten.
 */
export class ShownLives {
  readonly #lives = new Map<string, ShownLife>()
  readonly #bySlot = new Map<number, ShownHere>()

  /** It existed at log index `aliveAt`. `isHeard`: its end will be heard from there on. */
  note(at: number, topic: string, incarnation: number, aliveAt: number, isHeard: boolean): void {
    const known = this.#lives.get(keyOf(at, incarnation))
    if (known !== undefined) {
      known.aliveAt = Math.max(known.aliveAt, aliveAt)
      known.isHeard ||= isHeard
      return
    }
    this.#lives.set(keyOf(at, incarnation), { at, topic, incarnation, aliveAt, isHeard })
    this.#bySlot.delete(at)
    if (this.#lives.size <= LIMITS.MAX_SHOWN_LIVES) return
    const [oldest] = this.#lives.values()
    this.#forget(oldest!)
  }

  /** Its end was heard. */
  ended(at: number, incarnation: number): void {
    const life = this.#lives.get(keyOf(at, incarnation))
    if (life === undefined) return
    life.aliveAt = -1
    this.#forget(life)
  }

  /** Ends in a slot behind log index `from` may not have been heard, up to `to`. */
  interrupt(at: number, from: number, to: number): void {
    for (const life of this.of(at).lives) {
      if (life.isHeard) life.aliveAt = Math.max(life.aliveAt, from)
      life.isHeard = life.aliveAt >= to
    }
  }

  /** Lives of a slot. */
  of(at: number): ShownHere {
    if (this.#lives.size === 0) return NONE
    let here = this.#bySlot.get(at)
    if (here === undefined) {
      const lives = [...this.#lives.values()].filter(life => life.at === at)
      here = { lives, key: lives.map(({ incarnation }) => incarnation).join() }
      this.#bySlot.set(at, here)
    }
    return here
  }

  /** Forgets those whose end may have been missed: nobody is left who would have to be told. */
  settle(): void {
    for (const life of this.#lives.values()) if (!life.isHeard) this.#forget(life)
  }

  #forget(life: ShownLife): void {
    this.#lives.delete(keyOf(life.at, life.incarnation))
    this.#bySlot.delete(life.at)
  }
}

/** Incarnations are a slot's own. */
function keyOf(at: number, incarnation: number): string {
  return `${at}.${incarnation}`
}
