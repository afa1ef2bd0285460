import { setTimeout as delay } from 'node:timers/promises'
import { keepAliveAgent } from '../http.ts'
import type { Random } from './random.ts'
import type { Recorder } from './recorder.ts'
import { publishOnce } from './requests.ts'

export interface PublishersOptions {
  readonly recorder: Recorder
  readonly random: Random
  readonly topics: readonly string[]
  /** Base URLs of all peers, living or dead: clients do not know. */
  readonly urls: () => readonly string[]
  readonly clients: number
  /** Requests a second of all of them together, when the cube keeps up. */
  readonly ratePerS: number
}

/** Of the events: those that go in a batch, and the most one batch holds. */
const BATCHES = 0.1
const MAX_BATCH = 8
/** Of the events: those with a payload of some size. */
const LARGE = 0.05
const LARGE_CHARACTERS = 8_192
const MAX_TRIES = 12
const RETRY_PAUSE_MS = 300

/**
 * Clients that publish, each one thing after the other. Every second one uses an Idempotency-Key and tries again
 * through another peer until it knows the outcome; the others never try again.
 */
export class Publishers {
  readonly #options: PublishersOptions
  readonly #agent = keepAliveAgent()
  readonly #clients: Promise<void>[] = []
  #stopped = false

  constructor(options: PublishersOptions) {
    this.#options = options
    for (let number = 0; number < options.clients; number += 1) this.#clients.push(this.#run(number))
  }

  /** Resolves when each has the outcome of its last publish. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#clients)
    this.#agent.destroy()
  }

  async #run(number: number): Promise<void> {
    const { topics, clients, ratePerS } = this.#options
    const client = `publisher ${number}`
    const random = this.#options.random.fork(client)
    const paceMs = (clients * 1_000) / ratePerS
    for (let count = 1; !this.#stopped; count += 1) {
      await delay(paceMs * (0.5 + random.next()))
      const size = random.chance(BATCHES) ? random.whole(2, MAX_BATCH) : 1
      const name = `p${number}.${count}`
      const event = {
        client,
        topic: random.pick(topics),
        ids: Array.from({ length: size }, (_, index) => (size === 1 ? name : `${name}.${index + 1}`)),
        padding: random.chance(LARGE) ? 'x'.repeat(random.whole(1, LARGE_CHARACTERS)) : '',
      }
      if (number % 2 === 0) await this.#once(event, random)
      else await this.#untilKnown(event, random)
    }
  }

  async #once(event: Event, random: Random, key?: string): Promise<boolean> {
    const { recorder, urls } = this.#options
    const { outcome } = await publishOnce({
      ...event,
      ...(key !== undefined && { key }),
      recorder,
      agent: this.#agent,
      base: random.pick(urls()),
    })
    return outcome === 'acknowledged'
  }

  async #untilKnown(event: Event, random: Random): Promise<void> {
    const key = `key-${event.ids[0]}`
    for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
      if (await this.#once(event, random, key)) return
      await delay(RETRY_PAUSE_MS * random.next())
    }
  }
}

interface Event {
  readonly client: string
  readonly topic: string
  readonly ids: readonly string[]
  readonly padding: string
}
