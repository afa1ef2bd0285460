import { Answers } from '../../load/answers.ts'
import { requestHead } from '../../load/wire.ts'
import { Connection } from './connection.ts'
import type { Done, Events, Lane } from './lanes.ts'
import type { HttpWire } from './wire.ts'

const MAX_SAID_CHARACTERS = 200

/** One kept connection of HTTP/1.1. */
export class HttpLane implements Lane {
  readonly connected: Promise<void>
  readonly #wire: HttpWire
  readonly #connection: Connection
  /** The last request, since it often is the next one, too. */
  #last: { readonly topic: number; readonly of: Events; readonly text: string } | undefined
  #awaited = 0
  #failure: string | undefined
  #done: Done | undefined

  constructor(wire: HttpWire) {
    this.#wire = wire
    const answers = new Answers((status, body) => this.#answered(status, body))
    this.#connection = new Connection(
      wire.port,
      bytes => answers.take(bytes),
      why => {
        this.#failure = why
        this.#end()
      },
    )
    this.connected = this.#connection.connected
  }

  publish(topic: number, events: Events, done: Done): void {
    if (this.#connection.lost !== undefined) {
      queueMicrotask(() => done(this.#connection.lost))
      return
    }
    this.#failure = undefined
    this.#done = done
    this.#awaited = this.#wire.batch ? 1 : events.count
    this.#connection.write(this.#request(topic, events))
  }

  close(): void {
    this.#connection.close()
  }

  #request(topic: number, events: Events): string {
    if (this.#last?.topic === topic && this.#last.of === events) return this.#last.text
    const text = httpRequest(this.#wire, topic, events)
    this.#last = { topic, of: events, text }
    return text
  }

  #answered(status: number, body: string): void {
    if (status < 200 || status > 299)
      this.#failure = `a publish was answered ${status}: ${body.slice(0, MAX_SAID_CHARACTERS)}`
    this.#awaited -= 1
    if (this.#awaited === 0) this.#end()
  }

  #end(): void {
    const done = this.#done
    this.#done = undefined
    done?.(this.#failure)
  }
}

/** The bytes (latin1) of one publish. */
export function httpRequest(wire: HttpWire, topic: number, { count, payload }: Events): string {
  const { port, before, single, batch } = wire
  const path = `${before}${wire.topics[topic]}`
  if (count > 1 && batch) {
    const body = `${batch.open}${payload}${batch.close}`.repeat(count)
    const headers = { 'Content-Type': batch.contentType, 'Content-Length': body.length }
    return `${requestHead('POST', `${path}${batch.behind}`, port, headers)}\r\n${body}`
  }
  const headers = { 'Content-Type': 'text/plain', 'Content-Length': payload.length }
  return `${requestHead('POST', `${path}${single}`, port, headers)}\r\n${payload}`.repeat(count)
}
