import type { ServerResponse } from 'node:http'
import type { CubeEvent } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { PeerApi } from './api.ts'
import { rosterOf, shownId } from './views.ts'

/**
 * The open streams of GET /v1/cube/events: what happens to the cube from now on, one JSON object an event. A reader
 * that does not keep up is cut off; it reconnects and reads GET /v1/cube for the present state.
 */
export class CubeStreams {
  readonly #api: PeerApi
  readonly #open = new Set<ServerResponse>()
  #stop: () => void = () => {}
  #cancelPulse: () => void = () => {}

  constructor(api: PeerApi) {
    this.#api = api
  }

  get size(): number {
    return this.#open.size
  }

  add(stream: ServerResponse): void {
    if (this.#open.size === 0) this.#begin()
    this.#open.add(stream)
    stream.once('close', () => {
      if (this.#open.delete(stream) && this.#open.size === 0) this.#end()
    })
    this.#write(stream, `retry: ${this.#api.settings.sseRetryMs}\n\n`)
  }

  /** Ends every stream. */
  close(): void {
    for (const stream of this.#open) stream.end()
    this.#open.clear()
    this.#end()
  }

  #begin(): void {
    this.#stop = this.#api.slots.onCubeEvent(event => this.#send(this.#frame(event)))
    this.#pulse()
  }

  #end(): void {
    this.#stop()
    this.#cancelPulse()
  }

  #pulse(): void {
    this.#cancelPulse = this.#api.clock.after(this.#api.settings.sseHeartbeatMs, () => {
      this.#send(':\n\n')
      this.#pulse()
    })
  }

  #frame({ timeMs, ...event }: CubeEvent): string {
    const roster = rosterOf(this.#api)
    const shown = {
      time: new Date(timeMs).toISOString(),
      ...event,
      ...('peer' in event ? { peer: shownId(roster, event.peer) } : {}),
      ...('from' in event ? { from: shownId(roster, event.from) } : {}),
    }
    return `data: ${JSON.stringify(shown)}\n\n`
  }

  #send(text: string): void {
    for (const stream of this.#open) this.#write(stream, text)
  }

  #write(stream: ServerResponse, text: string): void {
    if (stream.writableLength > LIMITS.MAX_SUBSCRIBER_BUFFER_BYTES) stream.destroy()
    else stream.write(text)
  }
}
