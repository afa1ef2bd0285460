import type { Sink } from './types.ts'

/** The part of a socket's inside that tells how much of a large write is still on its way out. */
interface Depth {
  readonly socket?: { readonly _handle?: { readonly writeQueueSize?: number } | null } | null
}

/** Watches whether a socket takes what it was given. */
export class Unsent {
  readonly #sink: Sink
  readonly #now: () => number
  #bytes = 0
  #lastProgressMs: number

  /** @param now monotonic milliseconds */
  constructor(sink: Sink, now: () => number) {
    this.#sink = sink
    this.#now = now
    this.#lastProgressMs = now()
  }

  /** To be called before each write. */
  wrote(bytes: number): void {
    if (this.#bytes === 0) this.#lastProgressMs = this.#now()
    this.#bytes += bytes
  }

  drained(): void {
    this.#lastProgressMs = this.#now()
    this.#bytes = this.#count()
  }

  /** True when bytes wait and none has left for `timeoutMs`. To be asked now and then. */
  stalled(timeoutMs: number): boolean {
    const bytes = this.#count()
    if (bytes === 0 || bytes < this.#bytes) this.#lastProgressMs = this.#now()
    this.#bytes = bytes
    return bytes > 0 && this.#now() - this.#lastProgressMs >= timeoutMs
  }

  /**
   * Bytes not yet taken by the kernel. A large write leaves `writableLength` only when all of it is out, so the
   * socket's own queue counts too where it can be seen (as in Node's own socket timeout).
   */
  #count(): number {
    const queuedBytes = (this.#sink as Depth).socket?._handle?.writeQueueSize ?? 0
    return this.#sink.writableLength + queuedBytes
  }
}
