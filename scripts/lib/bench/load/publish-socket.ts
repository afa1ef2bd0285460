import type { Socket } from 'node:net'
import { Answers } from './answers.ts'
import { payload } from './payload.ts'
import { connectTo } from './sockets.ts'
import { type PublishWire, requestHead } from './wire.ts'

/** One kept connection that publishes, one publish at a time. */
export class PublishSocket {
  /** Body of the last answer. */
  lastBody = ''
  readonly #wire: PublishWire
  readonly #socket: Socket
  #awaited = 0
  #failure: string | undefined
  #isLost = false
  #done: (() => void) | undefined

  constructor(wire: PublishWire) {
    this.#wire = wire
    const answers = new Answers((status, body) => this.#answered(status, body))
    this.#socket = connectTo(wire.port, bytes => answers.take(bytes))
    this.#socket.on('error', () => {})
    this.#socket.on('close', () => {
      this.#isLost = true
      this.#failure = 'the connection of a publisher was lost'
      this.#done?.()
    })
  }

  /**
   * Publishes `count` events from `first` on, all with the same time (µs). Resolves when they are answered: with nothing,
   * or with what went wrong in words. Never rejects.
   */
  async publish(first: number, count: number, timeUs: number): Promise<string | undefined> {
    if (this.#isLost) return this.#failure
    const text = this.#request(first, count, timeUs)
    this.#failure = undefined
    await new Promise<void>(resolve => {
      this.#done = resolve
      this.#socket.write(text, 'latin1')
    })
    this.#done = undefined
    return this.#failure
  }

  close(): void {
    this.#socket.destroy()
  }

  #request(first: number, count: number, timeUs: number): string {
    const { single, batch, port } = this.#wire
    const payloads = Array.from({ length: count }, (_, at) => payload(first + at, timeUs))
    this.#awaited = 1
    if (count === 1) return `${single}${payloads[0]}`
    if (batch.kind === 'pipelined') {
      this.#awaited = count
      return payloads.map(one => `${single}${one}`).join('')
    }
    const body = payloads.map(one => `${batch.before}${one}${batch.after}`).join('')
    const headers = { 'Content-Type': batch.contentType, 'Content-Length': body.length }
    return `${requestHead('POST', batch.path, port, headers)}\r\n${body}`
  }

  #answered(status: number, body: string): void {
    this.lastBody = body
    this.#awaited -= 1
    if (status < 200 || status > 299)
      this.#failure = `a publish was answered ${status}: ${body.slice(0, 200)}`
    if (this.#awaited === 0) this.#done?.()
  }
}
