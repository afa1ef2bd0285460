import createClient, { type Client } from 'openapi-fetch'
import type { SubscriberOptions } from './listening.ts'
import type { components, paths } from './openapi.ts'
import {
  type BatchEvent,
  type EventData,
  type EventOptions,
  encodeAttribute,
  encodeBatch,
  encodeData,
  randomKey,
} from './payload.ts'
import { Peers } from './peers.ts'
import { type RequestOptions, requestAny } from './requests.ts'
import { Subscriber } from './subscriber.ts'
import { type CallbackOptions, Subscription } from './subscription.ts'

type Schemas = components['schemas']
/** A topic, where it lives and what it holds. */
export type Topic = Schemas['Topic']
/** How long a topic keeps its events; null is without limit. */
export type TopicSettings = Schemas['TopicSettings']
/** An event that is kept. */
export type Published = Schemas['Published']
/** A batch that is kept, all of it. */
export type BatchPublished = Schemas['BatchPublished']
/** The topology as one peer sees it. */
export type Cube = Schemas['Cube']

/** What may go with any call. */
export interface CallOptions {
  /** Ends the call; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** What may go with a publish. */
export interface PublishOptions extends CallOptions {
  /**
   * Within five minutes, the same key gives the first answer again and no second event. Default: a new random one,
   * so that the client's own attempts never make two events of one.
   */
  readonly idempotencyKey?: string
}

/** What may go with a publish of one event. */
export interface PublishEventOptions extends PublishOptions, EventOptions {
  /** CloudEvents attributes by name, such as `source` and `subject`. */
  readonly attributes?: Readonly<Record<string, string>>
}

/** A request as `sendRequest` takes it. */
export interface SendOptions extends CallOptions {
  readonly headers?: HeadersInit
  /** A string is sent as it is. */
  readonly body?: string | Uint8Array
}

/** Stands for whichever peer is asked, where a URL has to be whole. */
const ANY_PEER = 'http://any-peer.invalid'

/**
 * A client of the whole cube: it asks one peer and, when that one is gone, the next of its list.
 *
 * Every method rejects with ProblemError when a peer refuses, with NoPeerError when none answers in time.
 */
export class PeerClient {
  readonly peers: Peers
  /** All operations of openapi.yaml, typed. Rejects like the methods here; `error` is never set. */
  readonly api: Client<paths>
  readonly #options: RequestOptions

  /**
   * @param peers base URL of one peer, or of several
   * @throws TypeError for what is no list of http(s) URLs
   */
  constructor(peers: string | readonly string[] | Peers, options: RequestOptions = {}) {
    this.peers = peers instanceof Peers ? peers : new Peers(peers)
    this.#options = options
    this.api = createClient<paths>({ baseUrl: ANY_PEER, fetch: request => this.#forward(request) })
  }

  /**
   * Sends any request.
   * @param path path and query from the peer's URL on, percent-encoded, such as `/v1/topics`
   */
  sendRequest(method: string, path: string, options: SendOptions = {}): Promise<Response> {
    const { body, signal } = options
    const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
    const headers = new Headers(options.headers)
    return requestAny(
      this.peers,
      { method: method.toUpperCase(), path, headers, body: bytes, signal },
      this.#options,
    )
  }

  /** Creates a topic; that it exists with the same settings is as good. */
  async createTopic(
    topic: string,
    settings?: Partial<TopicSettings>,
    options: CallOptions = {},
  ): Promise<Topic> {
    const body = settings === undefined ? {} : { body: settings }
    const { data } = await this.api.PUT('/v1/topics/{topic}', {
      params: { path: { topic } },
      ...body,
      ...signalOf(options),
    })
    return data!
  }

  /** A topic as it is now. */
  async describeTopic(topic: string, options: CallOptions = {}): Promise<Topic> {
    const { data } = await this.api.GET('/v1/topics/{topic}', {
      params: { path: { topic } },
      ...signalOf(options),
    })
    return data!
  }

  /** Deletes a topic and its events. */
  async deleteTopic(topic: string, options: CallOptions = {}): Promise<void> {
    try {
      await this.api.DELETE('/v1/topics/{topic}', { params: { path: { topic } }, ...signalOf(options) })
    } catch (error) {
      // An attempt before this one may have deleted it: gone is what was asked for.
      if (!isUnknownAfterDoubt(error)) throw error
    }
  }

  /** Publishes one event; it is on disk at a majority of its replicas when this resolves. */
  async publish(topic: string, data: EventData, options: PublishEventOptions = {}): Promise<Published> {
    const { body, contentType } = encodeData(data, options.contentType)
    const headers = { ...keyHeader(options), ...contextHeaders(options), 'content-type': contentType }
    const { data: published } = await this.api.POST('/v1/topics/{topic}/publish', {
      params: { path: { topic } },
      ...rawBody(body, headers),
      ...signalOf(options),
    })
    // The other answer is for a batch of CloudEvents, which this is not.
    return published as Published
  }

  /** Publishes many events, all or nothing, next to each other. */
  async publishBatch(
    topic: string,
    events: readonly BatchEvent[],
    options: PublishOptions = {},
  ): Promise<BatchPublished> {
    const headers = { ...keyHeader(options), 'content-type': 'application/x-ndjson' }
    const { data: published } = await this.api.POST('/v1/topics/{topic}/batch', {
      params: { path: { topic } },
      ...rawBody(encodeBatch(events), headers),
      ...signalOf(options),
    })
    return published!
  }

  /**
   * Follows a topic, a pattern such as `sports/*` or `sports/**`, or a list of both.
   * @returns with `onEvent` a subscription that runs, else a Subscriber to iterate over
   * @throws TypeError for no topic, and for `from` together with `last`
   */
  subscribe(topics: string | readonly string[], options: CallbackOptions): Subscription
  subscribe(topics: string | readonly string[], options?: SubscriberOptions): Subscriber
  subscribe(
    topics: string | readonly string[],
    options: SubscriberOptions | CallbackOptions = {},
  ): Subscriber | Subscription {
    const { retryMinMs, retryMaxMs, random, attemptTimeoutMs, fetch } = this.#options
    const own = Object.entries({ retryMinMs, retryMaxMs, random, attemptTimeoutMs, fetch })
    const defaults = Object.fromEntries(own.filter(([, value]) => value !== undefined))
    // A list of its own: a peer that lost a stream may still be the one to publish through.
    const subscriber = new Subscriber(this.peers.urls, topics, { ...defaults, ...options })
    return 'onEvent' in options && options.onEvent !== undefined
      ? new Subscription(subscriber, options.onEvent)
      : subscriber
  }

  /** The topology as the peer that is asked sees it. */
  async cube(options: CallOptions = {}): Promise<Cube> {
    const { data } = await this.api.GET('/v1/cube', signalOf(options))
    return data!
  }

  /** openapi-fetch's way to the cube. The body is read whole, so that it can be sent again. */
  async #forward(request: Request): Promise<Response> {
    const bytes = new Uint8Array(await request.arrayBuffer())
    const body = bytes.length > 0 ? bytes : undefined
    const { method, headers, signal } = request
    const path = request.url.slice(ANY_PEER.length)
    return requestAny(this.peers, { method, path, headers, body, signal }, this.#options)
  }
}

function signalOf({ signal }: CallOptions): { signal?: AbortSignal } {
  return signal ? { signal } : {}
}

/** A body as it is: openapi-fetch would write a string as JSON. */
function rawBody(body: Uint8Array, headers: Record<string, string>) {
  return { body: body as never, bodySerializer: (bytes: unknown) => bytes, headers }
}

function keyHeader({ idempotencyKey }: PublishOptions): Record<string, string> {
  const key = idempotencyKey ?? randomKey()
  return { 'idempotency-key': `"${key.replace(/["\\]/g, '\\$&')}"` }
}

function contextHeaders({ id, type, attributes }: PublishEventOptions): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries({ ...attributes, id, type })) {
    if (value !== undefined) headers[`ce-${name}`] = encodeAttribute(value)
  }
  return headers
}

function isUnknownAfterDoubt(error: unknown): boolean {
  const { code, definite } = (error ?? {}) as { code?: unknown; definite?: unknown }
  return code === 'UNKNOWN_TOPIC' && definite === false
}
