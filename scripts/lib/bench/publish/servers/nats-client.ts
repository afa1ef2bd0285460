import { Connection } from '../load/connection.ts'
import { CONNECT } from '../load/nats-lanes.ts'
import { NatsReader } from '../load/nats-reader.ts'

const INBOX = '_INBOX.ask.'
const DEFAULT_TIMEOUT_MS = 5_000

/** Asks a server of NATS for JSON, as JetStream's interface is used (https://docs.nats.io/reference/reference-protocols/nats_api_reference). */
export class NatsClient {
  readonly #connection: Connection
  readonly #waiting = new Map<number, (payload: string) => void>()
  #asked = 0

  private constructor(port: number) {
    const reader = new NatsReader({
      onMessage: (subject, payload) => this.#waiting.get(Number(subject.slice(INBOX.length)))?.(payload),
      onPing: () => this.#connection.write('PONG\r\n'),
      onError: text => {
        throw new Error(text)
      },
    })
    this.#connection = new Connection(
      port,
      bytes => reader.take(bytes),
      () => {},
    )
    this.#connection.write(`${CONNECT}SUB ${INBOX}* 1\r\n`)
  }

  static async connect(port: number): Promise<NatsClient> {
    const client = new NatsClient(port)
    await client.#connection.connected
    return client
  }

  /** Rejects when no answer comes in time, and with the server's words when it is an error. */
  async ask<T>(subject: string, body: unknown = '', timeoutMs = DEFAULT_TIMEOUT_MS): Promise<T> {
    const id = this.#asked++
    const text = body === '' ? '' : JSON.stringify(body)
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const timer = setTimeout(() => reject(new Error(`${subject} was not answered in time`)), timeoutMs)
    this.#waiting.set(id, resolve)
    try {
      this.#connection.write(`PUB ${subject} ${INBOX}${id} ${text.length}\r\n${text}\r\n`)
      const answer = JSON.parse(await promise) as T & { error?: { description: string } }
      if (answer.error) throw new Error(`${subject}: ${answer.error.description}`)
      return answer
    } finally {
      clearTimeout(timer)
      this.#waiting.delete(id)
    }
  }

  close(): void {
    this.#connection.close()
  }
}
