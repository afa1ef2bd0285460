import {
  type BatchPublished,
  PeerClient,
  type PublishEventOptions,
  type Published,
  type PublishOptions,
} from './client.ts'
import type { BatchEvent, EventData } from './payload.ts'
import type { RequestOptions } from './requests.ts'

/** Publishes to one topic. */
export class Publisher {
  readonly topic: string
  readonly client: PeerClient

  /** @param peers a client, or the base URL of one peer or of several */
  constructor(peers: PeerClient | string | readonly string[], topic: string, options: RequestOptions = {}) {
    this.client = peers instanceof PeerClient ? peers : new PeerClient(peers, options)
    this.topic = topic
  }

  /**
   * Publishes one event: a string as text, bytes as they are, anything else as JSON.
   * Calls that overlap may be ordered either way; wait for one before the next to keep their order.
   */
  publish(data: EventData, options: PublishEventOptions = {}): Promise<Published> {
    return this.client.publish(this.topic, data, options)
  }

  /** Publishes many events, all or nothing, next to each other. */
  publishBatch(events: readonly BatchEvent[], options: PublishOptions = {}): Promise<BatchPublished> {
    return this.client.publishBatch(this.topic, events, options)
  }
}
