import { Connection } from './connection.ts'
import type { Done, Events, Lane } from './lanes.ts'
import { command, type Reply, RespError, RespReader } from './resp.ts'
import type { RedisWire } from './wire.ts'

/** One connection: WAIT blocks it until the replicas have what was written on it. */
export class RedisLane implements Lane {
  readonly connected: Promise<void>
  readonly #wire: RedisWire
  readonly #connection: Connection
  #awaited = 0
  #failure: string | undefined
  #done: Done | undefined

  constructor(wire: RedisWire) {
    this.#wire = wire
    const replies = new RespReader(reply => this.#replied(reply))
    this.#connection = new Connection(
      wire.port,
      bytes => replies.take(bytes),
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
    this.#awaited = events.count + 1
    this.#connection.write(redisRequest(this.#wire, topic, events))
  }

  close(): void {
    this.#connection.close()
  }

  /** The last reply is WAIT's. */
  #replied(reply: Reply): void {
    this.#awaited -= 1
    if (reply instanceof RespError) this.#failure = `Redis answered ${reply.message}`
    if (this.#awaited > 0) return
    if (typeof reply === 'number' && reply < this.#wire.replicas)
      this.#failure = `WAIT answered ${reply} of ${this.#wire.replicas} replicas`
    this.#end()
  }

  #end(): void {
    const done = this.#done
    this.#done = undefined
    done?.(this.#failure)
  }
}

const WAIT_MS = 10_000

/** The bytes (latin1) of one publish. */
export function redisRequest(wire: RedisWire, topic: number, { count, payload }: Events): string {
  const add = command('XADD', wire.topics[topic]!, '*', 'd', payload)
  return `${add.repeat(count)}${command('WAIT', wire.replicas, WAIT_MS)}`
}
