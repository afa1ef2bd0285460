import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { slotOf } from '../../../services/peer/cube/placement.ts'
import { ask } from '../http.ts'
import type { ChaosCube } from './cube.ts'
import { Probe } from './probe.ts'
import { Publishers } from './publishers.ts'
import type { Random } from './random.ts'
import { Readers, readFinal } from './readers.ts'
import type { Recorder } from './recorder.ts'
import { topicUrl } from './requests.ts'
import type { RosterView } from './roster-view.ts'
import { Subscriber } from './subscriber.ts'

export interface ClientsOptions {
  readonly cube: ChaosCube
  readonly random: Random
  readonly recorder: Recorder
  readonly topics: readonly string[]
  readonly publishers: number
  readonly ratePerS: number
  readonly subscribersPerTopic: number
}

const POLL_MS = 100

/** Names of topics, so many for each peer as its home; and the slot of each. */
export function topicsOf({ names, placements, slots }: RosterView, perPeer: number): Map<string, number> {
  const topics = new Map<string, number>()
  const room = new Map(names.map(name => [name, perPeer]))
  for (let number = 1; topics.size < names.length * perPeer; number += 1) {
    const topic = `topic-${number}`
    const slot = slotOf(createHash('sha256').update(topic).digest(), slots)
    const home = placements[slot]![0]!
    if (room.get(home) === 0) continue
    room.set(home, room.get(home)! - 1)
    topics.set(topic, slot)
  }
  return topics
}

/** All clients of a run. */
export class Clients {
  readonly probe: Probe
  readonly subscribers: readonly Subscriber[]
  readonly #options: ClientsOptions
  readonly #publishers: Publishers
  readonly #readers: Readers

  private constructor(options: ClientsOptions) {
    const { cube, random, recorder, topics, publishers, ratePerS, subscribersPerTopic } = options
    const urls = () => cube.urls
    const common = { recorder, topics, urls }
    this.#options = options
    this.probe = new Probe(recorder)
    this.#publishers = new Publishers({
      ...common,
      random: random.fork('publishers'),
      clients: publishers,
      ratePerS,
    })
    this.#readers = new Readers({ ...common, random: random.fork('readers') })
    this.subscribers = topics.flatMap(topic =>
      Array.from({ length: subscribersPerTopic }, (_, number) => {
        const client = `subscriber ${number + 1} of ${topic}`
        return new Subscriber({ recorder, random: random.fork(client), client, topic, urls })
      }),
    )
  }

  /** Creates the topics and lets the clients begin. */
  static async start(options: ClientsOptions): Promise<Clients> {
    const { cube, topics, recorder } = options
    for (const topic of topics) {
      const fromMs = performance.now()
      const { status, body } = await ask(topicUrl(cube.urls[0]!, topic), { method: 'PUT' })
      if (status !== 201) throw new Error(`${topic} could not be created: ${status} ${body}`)
      const { incarnation } = JSON.parse(body) as { incarnation: number }
      const toMs = performance.now()
      recorder.add({
        kind: 'create',
        client: 'creator',
        topic,
        fromMs,
        toMs,
        outcome: 'acknowledged',
        incarnation,
      })
    }
    return new Clients(options)
  }

  /** Publishes and reads no more; resolves when every answer is here. */
  async quiet(): Promise<void> {
    await Promise.all([this.probe.stop(), this.#publishers.stop(), this.#readers.stop()])
  }

  /** Reads every topic through each peer. */
  async readFinals(): Promise<void> {
    const { cube, recorder, topics } = this.#options
    for (const topic of topics) {
      for (const peer of cube.names) await readFinal(recorder, peer, cube.url(peer), topic)
    }
  }

  /**
   * Waits until every subscriber was given the last event of its topic, as the final reads found it, for at most
   * `timeoutMs`. Returns, in words, those that were not.
   */
  async level(timeoutMs: number): Promise<string[]> {
    const deadlineMs = performance.now() + timeoutMs
    for (;;) {
      const behind = this.#behind()
      if (behind.length === 0 || performance.now() > deadlineMs) return behind
      await delay(POLL_MS)
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.subscribers.map(subscriber => subscriber.close()))
  }

  #behind(): string[] {
    const { recorder } = this.#options
    const ends = new Map<string, number>()
    for (const operation of recorder.operations) {
      if (operation.kind !== 'final' || operation.found === null) continue
      ends.set(operation.topic, Math.max(ends.get(operation.topic) ?? 0, operation.found.latest))
    }
    return this.subscribers.flatMap(({ client, topic, place }) => {
      const end = ends.get(topic) ?? 0
      return (place?.offset ?? 0) >= end ? [] : [`${client} is at ${place?.offset ?? 0} of ${end}`]
    })
  }
}
