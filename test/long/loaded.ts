import { History } from '../../scripts/lib/history.ts'
import { eventsPath, Listener, offsetOf } from '../../scripts/lib/listener.ts'
import { SteadyPublisher } from '../../scripts/lib/steady.ts'

const RATE_PER_S = 20
const SUBSCRIBER = 'the subscriber'

/** A topic under a steady publish through whichever peer is named at the moment, with one subscriber. */
export class Loaded {
  readonly history = new History()
  readonly publisher: SteadyPublisher
  readonly listener: Listener

  constructor(topic: string, through: () => string, urls: readonly string[]) {
    this.publisher = new SteadyPublisher({ history: this.history, topic, ratePerS: RATE_PER_S, through })
    this.listener = new Listener({
      path: eventsPath(topic),
      urls,
      query: 'from=earliest',
      onEvent: ({ event, id, data }) => {
        const payload = event === 'message' ? data : `${event}: ${data}`
        this.history.delivered(SUBSCRIBER, { offset: offsetOf(id), payload })
      },
    })
  }

  /** Stops, waits until the subscriber has all, and returns what is wrong. */
  async finish(): Promise<string[]> {
    await this.publisher.stop()
    const last = this.history.lastOffset
    await this.listener.until(() => (this.history.deliveries(SUBSCRIBER).at(-1)?.offset ?? 0) >= last)
    await this.listener.close()
    return this.history.check([SUBSCRIBER])
  }
}
