import type { Delete } from './operations.ts'

/** One life of a topic, as far as operations tell of it. */
export interface LifeSpan {
  readonly incarnation: number
  /** It was certainly not over before this moment; -Infinity when nothing tells. */
  readonly aliveMs: number
  /** A later life was known by this moment; Infinity when none was. */
  readonly overMs: number
}

/**
 * Which deletions may have ended which lives of a topic. Each takes effect once at most and ends one life: one that was
 * acknowledged between its call and its answer, one of unknown outcome at any moment after its call, since it may be
 * under way for as long as it likes. So one deletion is no excuse for two lives, nor for a life that went on after
 * its answer, nor one of unknown outcome for a life that was seen gone and then alive.
 */
export class Deaths {
  readonly lives: readonly LifeSpan[]
  readonly #deletes: readonly Delete[]
  /** Life that a deletion is needed for, of those that are certainly over. */
  readonly #needed = new Map<Delete, number>()

  constructor(lives: readonly LifeSpan[], deletes: readonly Delete[]) {
    this.lives = ordered(lives)
    this.#deletes = deletes
      .filter(({ outcome }) => outcome !== 'refused')
      .sort((one, other) => untilMs(one) - untilMs(other) || one.fromMs - other.fromMs)
    this.#assign()
  }

  /** Whether the life may have been over by `byMs`, as far as deletions go. */
  mayBeOver(incarnation: number, byMs: number): boolean {
    const aliveMs = this.#aliveMs(incarnation)
    return aliveMs <= byMs && this.#ender(incarnation, aliveMs, byMs) !== undefined
  }

  /**
   * Lives die in order, so that what could have been called in time for one could for every later one: of several the
   * deletion that could take effect for the shortest time serves the later ones least. Given to each life in turn,
   * this leaves none unexplained that could be explained.
   */
  #assign(): void {
    for (const { incarnation, aliveMs, overMs } of this.lives) {
      if (overMs === Number.POSITIVE_INFINITY) continue
      const ender = this.#ender(incarnation, aliveMs, overMs)
      if (ender !== undefined) this.#needed.set(ender, incarnation)
    }
  }

  /** A deletion that can have ended the life in that time and that no earlier life needs. */
  #ender(incarnation: number, aliveMs: number, byMs: number): Delete | undefined {
    const named = this.#deletes.filter(one => one.incarnation === incarnation)
    const candidates = named.length > 0 ? named : this.#deletes
    return candidates.find(
      one =>
        (one.incarnation ?? incarnation) === incarnation &&
        one.fromMs <= byMs &&
        untilMs(one) >= aliveMs &&
        (this.#needed.get(one) ?? incarnation) >= incarnation,
    )
  }

  #aliveMs(incarnation: number): number {
    return this.lives.findLast(life => life.incarnation <= incarnation)?.aliveMs ?? Number.NEGATIVE_INFINITY
  }
}

/** In order of incarnation; a life that was alive at some moment was not over before any earlier one was. */
function ordered(lives: readonly LifeSpan[]): LifeSpan[] {
  const sorted = [...lives].sort((one, other) => one.incarnation - other.incarnation)
  let alive = Number.NEGATIVE_INFINITY
  return sorted.map(({ incarnation, aliveMs, overMs }) => {
    alive = Math.max(alive, aliveMs)
    return { incarnation, aliveMs: alive, overMs }
  })
}

/** The last moment at which it may have taken effect. */
function untilMs({ outcome, toMs }: Delete): number {
  return outcome === 'unknown' ? Number.POSITIVE_INFINITY : toMs
}
