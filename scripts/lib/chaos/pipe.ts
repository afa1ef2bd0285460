import type { Socket } from 'node:net'

/** How bytes of one direction travel. */
export interface Shape {
  /** Nothing passes, neither bytes nor the end of the connection. */
  readonly held: boolean
  readonly delayMs: number
  readonly bytesPerS: number
}

/** What a socket gave, in order; it is passed on when its time has come. */
interface Item {
  readonly what: Buffer | 'end' | 'reset'
  readonly atMs: number
}

/** Bytes that wait before the source is read no further, as a full window would do. */
const WINDOW_BYTES = 1_048_576

/** One direction of a relayed connection, bytes in order and none lost. */
export class Pipe {
  readonly #source: Socket
  readonly #sink: Socket
  readonly #shape: () => Shape
  #queue: Item[] = []
  #queuedBytes = 0
  /** When the line is free again, where its width is limited. */
  #freeAtMs = 0
  #timer: NodeJS.Timeout | undefined

  constructor(source: Socket, sink: Socket, shape: () => Shape) {
    this.#source = source
    this.#sink = sink
    this.#shape = shape
    source.on('data', (bytes: Buffer) => this.#put(bytes))
    source.once('end', () => this.#put('end'))
    source.once('close', () => {
      if (!source.readableEnded) this.#put('reset')
    })
    sink.once('close', () => {
      clearTimeout(this.#timer)
      this.#queue = []
      source.resume()
    })
  }

  /** The shape has changed: what waits may go now. */
  reshape(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#freeAtMs = 0
    this.#pump()
  }

  #put(what: Item['what']): void {
    if (this.#sink.destroyed) {
      // As a machine does that is sent bytes for a connection that it no longer has.
      if (typeof what !== 'string' && !this.#shape().held) this.#source.resetAndDestroy()
      return
    }
    this.#queue.push({ what, atMs: performance.now() })
    if (typeof what !== 'string') this.#queuedBytes += what.length
    if (this.#queuedBytes + this.#sink.writableLength > WINDOW_BYTES && !this.#source.isPaused()) this.#wait()
    if (this.#timer === undefined) this.#pump()
  }

  /** Reads no more until there is room again. */
  #wait(): void {
    this.#source.pause()
    this.#sink.once('drain', () => this.#pump())
  }

  #pump(): void {
    this.#timer = undefined
    for (let item = this.#queue[0]; item !== undefined; item = this.#queue[0]) {
      const { held, delayMs, bytesPerS } = this.#shape()
      if (held) return
      const nowMs = performance.now()
      const dueMs = Math.max(item.atMs + delayMs, this.#freeAtMs)
      if (dueMs > nowMs) {
        this.#timer = setTimeout(() => this.#pump(), Math.max(1, dueMs - nowMs))
        return
      }
      this.#queue.shift()
      this.#pass(item, nowMs, bytesPerS)
    }
    const isRoomy = this.#queuedBytes + this.#sink.writableLength < WINDOW_BYTES
    if (isRoomy && this.#source.isPaused()) this.#source.resume()
  }

  #pass({ what }: Item, nowMs: number, bytesPerS: number): void {
    if (what === 'end') this.#sink.end()
    else if (what === 'reset') this.#sink.resetAndDestroy()
    else {
      this.#queuedBytes -= what.length
      this.#freeAtMs = nowMs + (what.length / bytesPerS) * 1_000
      this.#sink.write(what)
    }
  }
}
