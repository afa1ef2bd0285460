import type { Cancellation } from './router.ts'

/**
 * Answers of one request on their way back, in the order in which they become ready. The first part is given at once:
 * it tells the other side that the request is here. Ends after `count` answers.
 */
export class AnswerStream implements AsyncIterable<Buffer>, AsyncIterator<Buffer>, Cancellation {
  /** The other side went away. */
  cancelled = false
  #ready: Buffer[]
  #left: number
  #wake: (() => void) | undefined

  constructor(first: Buffer, count: number) {
    this.#ready = [first]
    this.#left = count
  }

  push(answer: Buffer): void {
    this.#ready.push(answer)
    this.#left -= 1
    this.#wake?.()
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
    this.#ready = []
    this.#wake?.()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
