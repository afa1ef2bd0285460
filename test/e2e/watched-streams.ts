import type { Random } from '../../scripts/lib/chaos/random.ts'
import { History } from '../../scripts/lib/history.ts'
import { eventsPath, Listener, offsetOf, type Received, severalPath } from '../../scripts/lib/listener.ts'
import { SteadyPublisher } from '../../scripts/lib/steady.ts'
import type { TestCube } from '../../scripts/lib/test-cube.ts'
import { matchesWant } from '../../services/peer/topics/wants.ts'
import { bounded, cloudEvent } from './streams.ts'

/** A stream that is watched: one topic's by its name, or one over several topics and patterns. */
export interface Watcher {
  readonly name: string
  /** The peer it began at; it goes on at others when that one is gone. */
  readonly peer: string
  /** Topics whose events it is due. */
  readonly topics: readonly string[]
  readonly listener: Listener
}

export interface WatchedStreamsOptions {
  readonly cube: TestCube
  readonly topics: readonly string[]
  /** Each peer has a stream of each: a single name is a topic's own stream. */
  readonly selections: readonly (readonly string[])[]
  readonly random: Random
  /** Of each topic. */
  readonly ratePerS: number
}

/**
 * Several topics under a steady publish through peers of chance, and streams of one and of several of them at every peer.
 * What each stream is given is kept by topic, to be checked against what was acknowledged.
 */
export class WatchedStreams {
  readonly watchers: readonly Watcher[]
  /** Frames that are no event, with who was given them. */
  readonly others: string[] = []
  readonly #options: WatchedStreamsOptions
  readonly #histories: ReadonlyMap<string, History>
  readonly #publishers: ReadonlyMap<string, SteadyPublisher>

  private constructor(options: WatchedStreamsOptions) {
    const { cube, topics, selections, random, ratePerS } = options
    this.#options = options
    this.#histories = new Map(topics.map(topic => [topic, new History()]))
    this.watchers = cube.ids.flatMap(peer => selections.map(wants => this.#watch(peer, wants)))
    const through = () => cube.url(random.pick(cube.running))
    this.#publishers = new Map(
      topics.map(topic => [
        topic,
        new SteadyPublisher({
          history: this.#histories.get(topic)!,
          topic,
          ratePerS,
          through,
          prefix: topic,
        }),
      ]),
    )
  }

  /** Creates the topics, opens the streams and begins to publish. */
  static async start(options: WatchedStreamsOptions): Promise<WatchedStreams> {
    await Promise.all(options.topics.map(topic => options.cube.createTopic(topic)))
    const watched = new WatchedStreams(options)
    await Promise.all(watched.watchers.map(({ listener }) => listener.open))
    await watched.reachesAll()
    return watched
  }

  /** Resolves when one more event of each topic is acknowledged; of some topics only, where it is said which. */
  async nextAcknowledged(topics: readonly string[] = this.#options.topics): Promise<void> {
    await Promise.all(topics.map(topic => this.#publishers.get(topic)!.nextAcknowledged()))
  }

  /** Resolves when an event of each topic that is published from now on has come to every stream that is due it. */
  async reachesAll(topics: readonly string[] = this.#options.topics): Promise<void> {
    await bounded(this.nextAcknowledged(topics), `a publish to each of ${topics}`)
    await this.#level(topics)
  }

  /** Publishes no more, waits until all streams are level, closes them and returns every violation, in words. */
  async finish(): Promise<string[]> {
    await Promise.all([...this.#publishers.values()].map(publisher => publisher.stop()))
    const missing = await this.#level(this.#options.topics).catch((error: Error) => [error.message])
    await this.close()
    const violations = [...this.#histories].flatMap(([topic, history]) =>
      history.check(this.#dueTo(topic).map(({ name }) => name)).map(what => `${topic}: ${what}`),
    )
    return [...(missing ?? []), ...violations, ...this.others]
  }

  async close(): Promise<void> {
    await Promise.all([...this.#publishers.values()].map(publisher => publisher.stop()))
    await Promise.all(this.watchers.map(({ listener }) => listener.close()))
  }

  /** Events acknowledged so far, of all topics. */
  get acknowledged(): number {
    return [...this.#histories.values()].reduce((sum, { acknowledged }) => sum + acknowledged.length, 0)
  }

  /** Resolves when everything that is acknowledged has come to everybody who is due it; rejects with who lacks what. */
  async #level(topics: readonly string[]): Promise<undefined> {
    for (const topic of topics) {
      const history = this.#histories.get(topic)!
      const last = history.lastOffset
      for (const { name, listener } of this.#dueTo(topic)) {
        const latest = () => history.deliveries(name).at(-1)?.offset ?? 0
        const what = () => `${name} to have offset ${last} of ${topic}: it has ${latest()}`
        await bounded(
          listener.until(() => latest() >= last),
          what,
        )
      }
    }
  }

  #dueTo(topic: string): Watcher[] {
    return this.watchers.filter(({ topics }) => topics.includes(topic))
  }

  #watch(peer: string, wants: readonly string[]): Watcher {
    const { cube, topics, random } = this.#options
    const name = `a stream of ${wants.join(' and ')} at ${peer}`
    const isOne = wants.length === 1 && topics.includes(wants[0]!)
    const others = cube.ids.filter(id => id !== peer).sort(() => random.next() - 0.5)
    const listener = new Listener({
      path: isOne ? eventsPath(wants[0]!) : severalPath(wants),
      urls: cube.urls([peer, ...others]),
      query: 'from=earliest',
      onEvent: received => {
        if (received.event !== 'message') {
          this.others.push(`${name}: ${received.event} ${received.data}`)
          return
        }
        const { topic, offset, payload } = isOne ? single(wants[0]!, received) : cloudEvent(received)
        const history = this.#histories.get(topic)
        if (history) history.delivered(name, { offset, payload })
        else this.others.push(`${name}: an event of ${topic}`)
      },
    })
    const due = topics.filter(topic => wants.some(want => matchesWant(want, topic)))
    return { name, peer, topics: due, listener }
  }
}

function single(topic: string, { id, data }: Received) {
  return { topic, offset: offsetOf(id), payload: data }
}
