import type { Sink } from '../../services/peer/streams/types.ts'
import { EventStream } from './sse.ts'

/** A socket whose reader a test can stop. What it takes is read by a browser's rules. */
export class FakeSink implements Sink {
  readonly stream = new EventStream()
  readonly chunks: Uint8Array[] = []
  ended = false
  destroyed = false
  #slow = false
  #waiting: Uint8Array[] = []
  readonly #listeners = new Map<string, (() => void)[]>()

  get writes(): number {
    return this.chunks.length
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString()
  }

  get writableLength(): number {
    return this.#waiting.reduce((sum, chunk) => sum + chunk.length, 0)
  }

  write(chunk: Uint8Array | string): boolean {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    this.chunks.push(bytes)
    if (this.#slow) this.#waiting.push(bytes)
    else this.stream.push(bytes)
    return !this.#slow
  }

  end(): void {
    this.ended = true
    if (this.#waiting.length === 0) this.#close()
  }

  destroy(): void {
    this.#waiting = []
    this.#close()
  }

  on(event: 'drain' | 'close' | 'error', listener: () => void): void {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener])
  }

  /** The reader stops reading. */
  stop(): void {
    this.#slow = true
  }

  /** The reader takes one of the waiting chunks. */
  take(): void {
    const chunk = this.#waiting.shift()
    if (chunk === undefined) return
    this.stream.push(chunk)
    if (this.#waiting.length > 0) return
    if (this.ended) this.#close()
    else this.#emit('drain')
  }

  /** The reader reads everything and goes on reading. */
  resume(): void {
    this.#slow = false
    while (this.#waiting.length > 0) this.take()
  }

  #close(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.#emit('close')
  }

  #emit(event: string): void {
    for (const listener of this.#listeners.get(event) ?? []) listener()
  }
}

/** A sink whose reader stops before the write of this number. */
export function stoppingAt(number: number): FakeSink {
  const sink = new FakeSink()
  const write = sink.write.bind(sink)
  let count = 0
  sink.write = bytes => {
    count += 1
    if (count === number) sink.stop()
    return write(bytes)
  }
  return sink
}
