import { Connection } from './connection.ts'
import type { Done, Events, Lane } from './lanes.ts'
import { NatsReader } from './nats-reader.ts'
import type { NatsWire } from './wire.ts'

/** Says who connects: no +OK for each line, no headers. */
export const CONNECT = 'CONNECT {"verbose":false,"pedantic":false,"lang":"bench","version":"1"}\r\n'
const INBOX = '_INBOX.bench.'

/** Lanes over one connection: each acknowledgement comes to an inbox that is named after its lane. */
export class NatsLanes {
  /** Resolves when the server has read the subscription to the inboxes. */
  readonly connected: Promise<void>
  readonly lanes: readonly Lane[]
  readonly #wire: NatsWire
  readonly #connection: Connection
  readonly #waiting: { done: Done | undefined; left: number; failure: string | undefined }[]
  /** What the next write holds: all that comes about in one turn goes in one. */
  #unsent = ''

  constructor(wire: NatsWire, count: number) {
    this.#wire = wire
    this.#waiting = Array.from({ length: count }, () => ({ done: undefined, left: 0, failure: undefined }))
    let subscribed = (): void => {}
    const pong = new Promise<void>(resolve => {
      subscribed = resolve
    })
    const reader = new NatsReader({
      onMessage: (subject, payload) => this.#acknowledged(Number(subject.slice(INBOX.length)), payload),
      onPing: () => this.#connection.write('PONG\r\n'),
      onPong: () => subscribed(),
      onError: text => {
        throw new Error(text)
      },
    })
    this.#connection = new Connection(
      wire.port,
      bytes => reader.take(bytes),
      why => this.#lose(why),
    )
    this.#connection.write(`${CONNECT}SUB ${INBOX}* 1\r\nPING\r\n`)
    this.connected = this.#connection.connected.then(() => pong)
    this.lanes = this.#waiting.map((_, lane) => ({
      publish: (topic: number, events: Events, done: Done) => this.#publish(lane, topic, events, done),
    }))
  }

  close(): void {
    this.#connection.close()
  }

  #publish(lane: number, topic: number, { count, payload }: Events, done: Done): void {
    if (this.#connection.lost !== undefined) {
      queueMicrotask(() => done(this.#connection.lost))
      return
    }
    const waiting = this.#waiting[lane]!
    waiting.done = done
    waiting.left = count
    waiting.failure = undefined
    if (this.#unsent === '') queueMicrotask(() => this.#send())
    const one = `PUB ${this.#wire.topics[topic]} ${INBOX}${lane} ${payload.length}\r\n${payload}\r\n`
    this.#unsent += count === 1 ? one : one.repeat(count)
  }

  #send(): void {
    const text = this.#unsent
    this.#unsent = ''
    this.#connection.write(text)
  }

  /** `payload`: `{"stream":…,"seq":…}`, or `{"error":…}` in it. */
  #acknowledged(lane: number, payload: string): void {
    const waiting = this.#waiting[lane]!
    if (payload.includes('"error"')) waiting.failure = `JetStream answered ${payload}`
    waiting.left -= 1
    if (waiting.left > 0) return
    const { done } = waiting
    waiting.done = undefined
    done?.(waiting.failure)
  }

  #lose(why: string): void {
    for (const waiting of this.#waiting) {
      const { done } = waiting
      waiting.done = undefined
      done?.(why)
    }
  }
}
