import { Connection } from '../load/connection.ts'
import { command, type Reply, RespError, RespReader } from '../load/resp.ts'

const TIMEOUT_MS = 10_000

/** Asks Redis one command after the other. */
export class RedisClient {
  readonly #connection: Connection
  readonly #waiting: ((reply: Reply) => void)[] = []

  private constructor(port: number) {
    const replies = new RespReader(reply => this.#waiting.shift()?.(reply))
    this.#connection = new Connection(
      port,
      bytes => replies.take(bytes),
      () => {},
    )
  }

  static async connect(port: number): Promise<RedisClient> {
    const client = new RedisClient(port)
    await client.#connection.connected
    return client
  }

  /** Rejects when no reply comes in time, and with Redis's words when it is an error. */
  async ask(...words: readonly (string | number)[]): Promise<Reply> {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    const timer = setTimeout(() => reject(new Error(`Redis did not answer ${words[0]}`)), TIMEOUT_MS)
    this.#waiting.push(resolve)
    this.#connection.write(command(...words))
    try {
      const reply = await promise
      if (reply instanceof RespError) throw reply
      return reply
    } finally {
      clearTimeout(timer)
    }
  }

  close(): void {
    this.#connection.close()
  }
}
