import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'

/**
 * One timer for many members; it runs only while there are any. What very many do at a beat is cut into slices of
 * LIMITS.FLUSH_SLICE_MS, between which everybody else has a turn.
 */
export class Pulse<Member> {
  readonly #clock: Clock
  readonly #periodMs: number
  readonly #beat: (member: Member) => void
  readonly #members = new Set<Member>()
  #cancel: (() => void) | undefined
  /** A round that is not through yet. */
  #round: Iterator<Member> | undefined

  constructor(clock: Clock, periodMs: number, beat: (member: Member) => void) {
    this.#clock = clock
    this.#periodMs = periodMs
    this.#beat = beat
  }

  get size(): number {
    return this.#members.size
  }

  members(): Member[] {
    return [...this.#members]
  }

  add(member: Member): void {
    this.#members.add(member)
    this.#cancel ??= this.#clock.after(this.#periodMs, () => this.#run())
  }

  delete(member: Member): void {
    this.#members.delete(member)
    if (this.#members.size > 0) return
    this.#cancel?.()
    this.#cancel = undefined
  }

  #run(): void {
    this.#cancel = this.#clock.after(this.#periodMs, () => this.#run())
    if (this.#round) return
    this.#round = this.#members.values()
    this.#slice(this.#round)
  }

  #slice(round: Iterator<Member>): void {
    const untilMs = this.#clock.monotonicMs() + LIMITS.FLUSH_SLICE_MS
    // A set's iterator goes on behind what was deleted, and reaches what was added.
    for (let next = round.next(); !next.done; next = round.next()) {
      this.#beat(next.value)
      if (this.#clock.monotonicMs() < untilMs) continue
      this.#clock.endOfTurn(() => this.#slice(round))
      return
    }
    this.#round = undefined
  }
}
