import { History } from './history.ts'
import { eventsPath, Listener, offsetOf } from './listener.ts'
import { SteadyPublisher } from './steady.ts'
import type { TestCube } from './test-cube.ts'

/**
 * One topic under a steady publish through one peer, with a subscriber on every peer. A subscriber whose peer is
 * gone goes on at the next one, with its cursor.
 */
export class WatchedTopic {
  readonly topic: string
  readonly history = new History()
  readonly publisher: SteadyPublisher
  readonly subscribers: readonly string[]
  readonly #listeners: readonly Listener[]

  private constructor(cube: TestCube, topic: string, through: string, ratePerS: number) {
    this.topic = topic
    this.subscribers = cube.ids.map(id => `subscriber on ${id}`)
    this.#listeners = cube.ids.map((id, index) => {
      const others = cube.ids.filter(other => other !== id)
      return new Listener({
        path: eventsPath(topic),
        urls: cube.urls([id, ...others.slice(index), ...others.slice(0, index)]),
        query: 'from=earliest',
        onEvent: ({ event, id: cursor, data }) => {
          const payload = event === 'message' ? data : `${event}: ${data}`
          this.history.delivered(this.subscribers[index]!, { offset: offsetOf(cursor), payload })
        },
      })
    })
    const url = cube.url(through)
    this.publisher = new SteadyPublisher({ history: this.history, topic, ratePerS, through: () => url })
  }

  /** Creates the topic, subscribes on every peer and begins to publish `through` one. */
  static async start(
    cube: TestCube,
    topic: string,
    through: string,
    ratePerS: number,
  ): Promise<WatchedTopic> {
    await cube.createTopic(topic)
    const watched = new WatchedTopic(cube, topic, through, ratePerS)
    await Promise.all(watched.#listeners.map(listener => listener.open))
    await watched.publisher.nextAcknowledged()
    return watched
  }

  /** Stops publishing, waits until every subscriber has the last acknowledged event, and returns all violations. */
  async finish(timeoutMs = 30_000): Promise<string[]> {
    await this.publisher.stop()
    const last = this.history.lastOffset
    const level = this.#listeners.map((listener, index) =>
      listener.until(() => (this.history.deliveries(this.subscribers[index]!).at(-1)?.offset ?? 0) >= last),
    )
    const timer = new Promise<void>(resolve => setTimeout(resolve, timeoutMs).unref())
    await Promise.race([Promise.all(level), timer])
    await Promise.all(this.#listeners.map(listener => listener.close()))
    return this.history.check(this.subscribers)
  }
}
