import type { Clock } from '../engine/types.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Outlet, OutletOptions } from './outlet.ts'
import { Pulse } from './pulse.ts'
import type { OpenedStream, Sink } from './types.ts'

export interface ClientsOptions {
  readonly clock: Clock
  readonly log: { info(fields: object, message: string): void }
  /** A comment at least this often. */
  readonly heartbeatMs: number
  /** A socket that takes no byte for this long while bytes wait is closed. */
  readonly stallTimeoutMs: number
  /** Bytes waiting in a socket from which on it is not fed. */
  readonly bufferBytes: number
}

/** The open streams to the clients of one peer, whatever they show: how many there are, that they live, and their end. */
export class Clients {
  readonly #options: ClientsOptions
  readonly #streams: Pulse<Outlet>
  readonly #tally = { deliveries: 0 }
  /** Streams that were let in and are not attached yet. */
  #admitted = 0
  #isClosing = false
  #onEmpty: (() => void) | undefined

  constructor(options: ClientsOptions) {
    this.#options = options
    const { clock, heartbeatMs, stallTimeoutMs } = options
    const pulseMs = Math.min(heartbeatMs, stallTimeoutMs) / 2
    this.#streams = new Pulse(clock, pulseMs, one => this.#beat(one))
  }

  get size(): number {
    return this.#streams.size
  }

  get isClosing(): boolean {
    return this.#isClosing
  }

  /** Events written to clients since the start. */
  get deliveries(): number {
    return this.#tally.deliveries
  }

  /**
   * Finds out how a stream is attached, undefined for one that has ended; its place counts as taken from now on. Rejects
   * with HypercastError OVERLOADED, STOPPING, and what `find` rejects with.
   */
  async admit(find: () => Promise<((sink: Sink) => void) | undefined>): Promise<OpenedStream> {
    if (this.#isClosing) throw new HypercastError('STOPPING')
    if (this.size + this.#admitted >= LIMITS.MAX_STREAMS) {
      throw new HypercastError('OVERLOADED', `This peer serves ${LIMITS.MAX_STREAMS} streams already`)
    }
    this.#admitted += 1
    let isHeld = true
    const abandon = () => {
      if (isHeld) this.#admitted -= 1
      isHeld = false
    }
    try {
      const begin = await find()
      if (begin !== undefined) {
        const attach = (sink: Sink) => {
          abandon()
          begin(sink)
        }
        return { kind: 'open', attach, abandon }
      }
    } catch (error) {
      abandon()
      throw error
    }
    abandon()
    return { kind: 'ended' }
  }

  /** What a stream to this socket is made with. */
  outlet(sink: Sink): OutletOptions {
    const { clock, bufferBytes } = this.#options
    return { sink, bufferBytes, now: () => clock.monotonicMs(), tally: this.#tally }
  }

  /** Takes a stream. False: it is over already, or ends with the peer. */
  add(stream: Outlet): boolean {
    if (!stream.open) return false
    this.#streams.add(stream)
    if (this.#isClosing) stream.close()
    return !this.#isClosing
  }

  /** To be told of each stream whose sink is gone. */
  delete(stream: Outlet): void {
    this.#streams.delete(stream)
    if (this.size === 0) this.#onEmpty?.()
  }

  /** How many get the topic's events, those that still wait for it included. */
  listeners(topic: string): number {
    let count = 0
    for (const one of this.#streams.members()) if (one.open && one.listensTo(topic)) count += 1
    return count
  }

  /** From now on no stream is taken. */
  stop(): void {
    this.#isClosing = true
  }

  /** Ends every stream behind what was written to it; resolves when all sockets are done or were given up. */
  async close(): Promise<void> {
    this.stop()
    if (this.size === 0) return
    const empty = new Promise<void>(resolve => {
      this.#onEmpty = resolve
    })
    for (const one of this.#streams.members()) one.close()
    const cancel = this.#options.clock.after(LIMITS.STREAM_CLOSE_MS, () => {
      for (const one of this.#streams.members()) one.destroy()
    })
    if (this.size > 0) await empty
    cancel()
  }

  #beat(stream: Outlet): void {
    const { clock, log, heartbeatMs, stallTimeoutMs } = this.#options
    if (stream.stalled(stallTimeoutMs)) {
      log.info(stream.label, 'a stream is closed: its socket takes nothing')
      stream.destroy()
      return
    }
    if (stream.open) stream.heartbeat(clock.monotonicMs() - heartbeatMs / 2)
  }
}
