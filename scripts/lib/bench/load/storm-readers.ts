import { setTimeout as delay } from 'node:timers/promises'
import { nowUs } from './payload.ts'
import { Scan } from './scan.ts'
import { Stream } from './stream.ts'
import type { SubscribeWire } from './wire.ts'

export interface StormOpen {
  /** The peer that will be lost. */
  readonly first: SubscribeWire
  /** Where to go on, in turn. */
  readonly others: readonly SubscribeWire[]
  /** Sequence each stream stands behind, one number a stream; sequences are offsets here. */
  readonly places: readonly number[]
  readonly incarnation: number
  /** Sequence of the last event there is. */
  readonly last: number
}

export interface StormState {
  readonly streams: number
  /** Streams that have had the last event. */
  readonly complete: number
  /** Streams that go on elsewhere. */
  readonly moved: number
  readonly events: number
  readonly jumps: number
  readonly garbled: number
  /** When the last stream became complete, in microseconds of `nowUs`; 0 before. */
  readonly completeUs: number
}

const RETRY_MS = 100
const OPENING = 100

/**
 * Streams that go on at another peer behind the last event they had, as EventSource does. At first they stand: what the
 * peer sends fills their sockets and is left there, so that they are far behind when it is lost.
 */
export class StormReaders {
  #streams: Resuming[] = []

  async open(options: StormOpen): Promise<void> {
    this.#streams = options.places.map((place, at) => new Resuming(options, place, at))
    for (let first = 0; first < this.#streams.length; first += OPENING) {
      await Promise.all(this.#streams.slice(first, first + OPENING).map(stream => stream.begin()))
    }
  }

  /** They read again: first what their sockets still hold, then the end of the connection. */
  resume(): void {
    for (const stream of this.#streams) stream.resume()
  }

  state(): StormState {
    const all = this.#streams
    const sum = (of: (stream: Resuming) => number) => all.reduce((total, stream) => total + of(stream), 0)
    const complete = sum(({ completeUs }) => (completeUs > 0 ? 1 : 0))
    return {
      streams: all.length,
      complete,
      moved: sum(({ isMoved }) => (isMoved ? 1 : 0)),
      events: sum(({ scan }) => scan.count),
      jumps: sum(({ scan }) => scan.jumps),
      garbled: sum(({ scan }) => scan.garbled),
      completeUs:
        complete === all.length ? all.reduce((latest, one) => Math.max(latest, one.completeUs), 0) : 0,
    }
  }

  close(): void {
    for (const stream of this.#streams) stream.close()
    this.#streams = []
  }
}

class Resuming {
  readonly scan: Scan
  isMoved = false
  completeUs = 0
  readonly #options: StormOpen
  #stream: Stream | undefined
  #turn: number
  #isClosed = false

  constructor(options: StormOpen, place: number, turn: number) {
    this.#options = options
    this.#turn = turn
    const { last } = options
    const onTime = (_: number, sequence: number) => {
      if (sequence === last && this.completeUs === 0) this.completeUs = nowUs()
    }
    this.scan = new Scan({ after: place, onTime })
  }

  /** Opens the stream at the first peer and stops reading; resolves when it is open. */
  async begin(): Promise<void> {
    const stream = this.#connect(this.#options.first)
    await stream.open
    stream.pause()
    void stream.closed.then(() => this.#goOn())
  }

  resume(): void {
    this.#stream?.resume()
  }

  close(): void {
    this.#isClosed = true
    this.#stream?.close()
  }

  async #goOn(): Promise<void> {
    this.isMoved = true
    const { others } = this.#options
    while (!this.#isClosed) {
      const stream = this.#connect(others[this.#turn % others.length]!)
      this.#turn += 1
      await stream.closed
      await delay(RETRY_MS)
    }
  }

  #connect(wire: SubscribeWire): Stream {
    const { incarnation } = this.#options
    this.#stream = new Stream(wire, this.scan, `Last-Event-ID: ${this.scan.last}-${incarnation}\r\n`)
    return this.#stream
  }
}
