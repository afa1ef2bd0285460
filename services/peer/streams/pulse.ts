import type { Clock } from '../engine/types.ts'

/** One timer for many members; it runs only while there are any. */
export class Pulse<Member> {
  readonly #clock: Clock
  readonly #periodMs: number
  readonly #beat: (member: Member) => void
  readonly #members = new Set<Member>()
  #cancel: (() => void) | undefined

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
    for (const member of this.members()) this.#beat(member)
  }
}
