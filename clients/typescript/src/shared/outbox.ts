import type { Item } from '../feed.ts'
import { LIMITS } from '../limits.ts'

/** What waits for a tab's own use, in order. */
export class Outbox {
  #items: Item[] = []
  #at = 0
  #isOver = false
  #error: { readonly error: unknown } | undefined
  #waiting: (() => void)[] = []

  /** True when more waits than is good. */
  get isFull(): boolean {
    return this.#items.length - this.#at > LIMITS.MAX_WAITING
  }

  get isOver(): boolean {
    return this.#isOver
  }

  push(items: readonly Item[]): void {
    if (this.#isOver) return
    for (const item of items) this.#items.push(item)
    this.wake()
  }

  /** Nothing follows what waits; with an error, taking throws it once that is taken. */
  end(error?: { readonly error: unknown }): void {
    if (!this.#isOver) this.#error = error
    this.#isOver = true
    this.wake()
  }

  /** The next item; undefined when it is over. */
  async take(): Promise<Item | undefined> {
    while (this.#at === this.#items.length) {
      if (this.#error) throw this.#error.error
      if (this.#isOver) return undefined
      await this.changed()
    }
    const item = this.#items[this.#at]
    this.#at += 1
    if (this.#at >= LIMITS.MAX_WAITING || this.#at === this.#items.length) {
      this.#items = this.#items.slice(this.#at)
      this.#at = 0
      this.wake()
    }
    return item
  }

  /** Resolves when something was put in, or room was made, or it is over, or `wake` was called. */
  changed(): Promise<void> {
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
