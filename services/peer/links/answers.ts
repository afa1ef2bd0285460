import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { Cancellation } from './router.ts'

/**
 * Answers of one request on their way back, in the order in which they become ready. When none is ready within
 * LIMITS.ACCEPT_AFTER_MS an empty part goes ahead: it tells the other side that the request is here. Ends after
 * `count` answers.
 */
export class AnswerStream implements AsyncIterable<Buffer>, AsyncIterator<Buffer>, Cancellation {
  /** The other side went away. */
  cancelled = false
  #ready: Buffer[] = []
  #left: number
  #wake: (() => void) | undefined
  readonly #cancelAccept: () => void

  /** @param accept the part that says nothing but that the request is here */
  constructor(accept: Buffer, count: number, clock: Clock) {
    this.#left = count
    this.#cancelAccept = clock.after(LIMITS.ACCEPT_AFTER_MS, () => this.#give(accept))
  }

  push(answer: Buffer): void {
    this.#left -= 1
    this.#give(answer)
  }

  /** Gives all that is ready as one part. */
  async next(): Promise<IteratorResult<Buffer>> {
    while (this.#ready.length === 0) {
      if (this.#left === 0 || this.cancelled) return { done: true, value: undefined }
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    const ready = this.#ready
    this.#ready = []
    return { done: false, value: ready.length === 1 ? ready[0]! : Buffer.concat(ready) }
  }

  async return(): Promise<IteratorResult<Buffer>> {
    this.cancelled = true
    this.#cancelAccept()
    this.#ready = []
    this.#wake?.()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #give(part: Buffer): void {
    this.#cancelAccept()
    if (this.cancelled) return
    this.#ready.push(part)
    this.#wake?.()
  }
}
