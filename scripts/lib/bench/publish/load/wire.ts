/** How to publish to topics of a server, for a process that knows nothing of it but how its protocol is spoken. */
export type PublishWire = HttpWire | NatsWire | RedisWire

interface Topics {
  readonly port: number
  /** By the server's own word: topics, subjects, streams. Publishes go to them in turn. */
  readonly topics: readonly string[]
}

/** POST of one event to `<before><topic><single>`. */
export interface HttpWire extends Topics {
  readonly kind: 'http'
  readonly before: string
  readonly single: string
  /** One request with many events; without it, that many requests one behind the other. */
  readonly batch?: {
    readonly behind: string
    readonly contentType: string
    readonly open: string
    readonly close: string
  }
}

/** PUB with an inbox for JetStream's acknowledgement. */
export interface NatsWire extends Topics {
  readonly kind: 'nats'
}

/** XADD for each event, and one WAIT behind them. */
export interface RedisWire extends Topics {
  readonly kind: 'redis'
  /** Replicas that WAIT waits for. */
  readonly replicas: number
}
