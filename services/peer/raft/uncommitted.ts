interface Sized {
  readonly index: number
  readonly sizeBytes: number
}

/** Bounds the bytes that a leader has been given in its term and that are not committed yet. */
export class Uncommitted {
  readonly #maxBytes: number
  #sizes: Sized[] = []
  #released = 0
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** True when `sizeBytes` more fit; a single one always does, so that no proposal can be refused for ever. */
  fits(sizeBytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + sizeBytes <= this.#maxBytes
  }

  add(index: number, sizeBytes: number): void {
    this.#sizes.push({ index, sizeBytes })
    this.#bytes += sizeBytes
  }

  /** Everything up to `index` is committed. */
  release(index: number): void {
    while (this.#released < this.#sizes.length && this.#sizes[this.#released]!.index <= index) {
      this.#bytes -= this.#sizes[this.#released++]!.sizeBytes
    }
    // Not at every commit: removing from the front moves all that is behind.
    if (this.#released * 2 >= this.#sizes.length) {
      this.#sizes.splice(0, this.#released)
      this.#released = 0
    }
  }

  clear(): void {
    this.#sizes = []
    this.#released = 0
    this.#bytes = 0
  }
}
