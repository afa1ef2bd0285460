import { Backoff, type BackoffOptions, pause } from './backoff.ts'
import { LIMITS } from './limits.ts'
import { Peers } from './peers.ts'
import { ProblemError } from './problem.ts'
import { isNotice, type Notice, type ReceivedEvent, readFrame, StreamError } from './received.ts'
import type { SseFrame } from './sse.ts'
import { EventStream } from './stream.ts'

/** Where a stream begins and how it is kept up. */
export interface SubscriberOptions extends BackoffOptions {
  /** Resumes behind the event with this cursor; beats `from` and `last`. */
  readonly cursor?: string
  /** `latest` (the default), `earliest`, an offset (inclusive), or a time. */
  readonly from?: 'latest' | 'earliest' | number | Date
  /** Begins with the last so many events. */
  readonly last?: number
  /** Ends the subscription. */
  readonly signal?: AbortSignal
  /** Told of gaps, of the end, and of each stream opened and lost. */
  readonly onNotice?: (notice: Notice) => void
  /** Time a peer has to begin its answer. Default 5,000. */
  readonly attemptTimeoutMs?: number
  /** Silence after which a stream counts as dead. Default 45,000, three heartbeats. */
  readonly silenceMs?: number
  /** Default: the global `fetch`. */
  readonly fetch?: typeof fetch
}

/** The end of a topic, as `subscribeAndListen` resolves with it. */
export type End = Extract<Notice, { kind: 'end' }>

/** One frame with the cursor behind it; `read` is undefined for one that only moves the cursor. */
interface Item {
  readonly cursor: string
  readonly read: ReceivedEvent | Notice | undefined
}

/**
 * Follows one topic over any peer of a list: each event once, ascending. When a stream breaks it resumes behind the
 * last event on the next peer.
 *
 * Listening throws ProblemError for what trying again does not mend, such as an unknown topic; it ends quietly when
 * the topic ends, the signal is aborted or `close()` is called.
 */
export class Subscriber {
  readonly peers: Peers
  readonly topic: string
  readonly #options: SubscriberOptions
  readonly #closing = new AbortController()
  readonly #path: string
  readonly #query: string
  #cursor: string
  #isListening = false

  /**
   * @param peers base URL of one peer, or of several
   * @throws TypeError for what is no list of http(s) URLs, and for `from` together with `last`
   */
  constructor(peers: string | readonly string[] | Peers, topic: string, options: SubscriberOptions = {}) {
    this.peers = peers instanceof Peers ? peers : new Peers(peers)
    this.topic = topic
    this.#options = options
    this.#cursor = options.cursor ?? ''
    this.#path = `/v1/topics/${encodeURIComponent(topic)}/events?format=cloudevents`
    this.#query = startQuery(options)
  }

  /**
   * Where listening resumes: behind the last event that was handed out (to a handler: that it is done with).
   * Undefined before the stream has a position. Keep it to go on later with `options.cursor`.
   */
  get cursor(): string | undefined {
    return this.#cursor || undefined
  }

  /** Ends the subscription for good. */
  close(): void {
    this.#closing.abort()
  }

  /**
   * Calls `handler` with each event, one after the other; a promise it returns is awaited before the next.
   * @returns how the topic ended; undefined when the subscription was ended
   * @throws what the handler throws; its event comes again when listening is taken up again
   */
  async subscribeAndListen(
    handler: (event: ReceivedEvent) => void | Promise<void>,
  ): Promise<End | undefined> {
    for await (const { cursor, read } of this.#items()) {
      if (isEnd(read)) return read
      if (isEvent(read)) await handler(read)
      this.#cursor = cursor
    }
    return undefined
  }

  /** Each event in turn. Reading on is what asks for more: a slow reader is not buffered for. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ReceivedEvent, void, undefined> {
    for await (const { cursor, read } of this.#items()) {
      this.#cursor = cursor
      if (isEvent(read)) yield read
    }
  }

  async *#items(): AsyncGenerator<Item, void, undefined> {
    if (this.#isListening) throw new Error('This subscriber is listening already; make another one.')
    this.#isListening = true
    const ended = new AbortController()
    const end = () => ended.abort()
    const signals = [this.#closing.signal, this.#options.signal]
    for (const signal of signals) signal?.addEventListener('abort', end)
    if (signals.some(signal => signal?.aborted)) end()
    try {
      yield* this.#streams(ended.signal)
    } finally {
      end()
      for (const signal of signals) signal?.removeEventListener('abort', end)
      this.#isListening = false
    }
  }

  async *#streams(signal: AbortSignal): AsyncGenerator<Item, void, undefined> {
    const { peers } = this
    const options = this.#options
    const backoff = new Backoff(peers.urls.length, options)
    while (!signal.aborted) {
      const peer = peers.current
      const openedMs = performance.now()
      const stream = new EventStream(signal, options)
      let error: unknown
      try {
        error = yield* this.#follow(stream, peer, backoff)
      } finally {
        stream.close()
      }
      if (error === 'end' || signal.aborted) return
      if (isPermanent(error)) throw error
      peers.failed(peer)
      if (performance.now() - openedMs > (options.retryMaxMs ?? LIMITS.RETRY_MAX_MS)) backoff.reset()
      const retryInMs = backoff.nextMs(error instanceof ProblemError ? error.retryAfterMs : 0)
      options.onNotice?.({ kind: 'lost', peer, error, retryInMs })
      await pause(retryInMs, signal)
    }
  }

  /** Gives out what one stream brings. Returns `end`, or the error that the stream broke with. */
  async *#follow(
    stream: EventStream,
    peer: string,
    backoff: Backoff,
  ): AsyncGenerator<Item, unknown, undefined> {
    const { onNotice } = this.#options
    const query = this.#cursor === '' ? this.#query : ''
    const opened = await stream.open(`${peer}${this.#path}${query}`, this.#cursor)
    if (opened.kind === 'ended') {
      yield this.#tell({ cursor: this.#cursor, read: { kind: 'end', reason: 'ended' } })
      return 'end'
    }
    if (opened.kind === 'failed') return opened.error
    onNotice?.({ kind: 'open', peer })
    for (;;) {
      const received = await stream.next()
      if (stream.retryMs !== undefined) backoff.minMs = stream.retryMs
      if (received.kind === 'failed') return received.error
      for (const frame of received.frames) {
        const item = this.#tell(this.#read(frame))
        if (item.read !== undefined) backoff.reset()
        yield item
        if (isEnd(item.read)) return 'end'
        // The consumer may have ended the subscription while it had this item.
        if (stream.closed) return undefined
      }
    }
  }

  #read(frame: SseFrame): Item {
    const read = frame.data === undefined ? undefined : readFrame(frame, this.topic)
    return { cursor: frame.lastEventId, read }
  }

  #tell(item: Item): Item {
    if (item.read !== undefined && isNotice(item.read)) this.#options.onNotice?.(item.read)
    return item
  }
}

function isEvent(read: Item['read']): read is ReceivedEvent {
  return read !== undefined && !isNotice(read)
}

function isEnd(read: Item['read']): read is End {
  return read !== undefined && isNotice(read) && read.kind === 'end'
}

/** True for errors that the next peer would give too. */
function isPermanent(error: unknown): boolean {
  if (!(error instanceof ProblemError)) return error instanceof StreamError
  return error.status < 500 && ![408, 425, 429].includes(error.status)
}

function startQuery({ from, last }: SubscriberOptions): string {
  if (from !== undefined && last !== undefined) throw new TypeError('Give either from or last, not both.')
  if (last !== undefined) return `&last=${last}`
  if (from === undefined) return ''
  return `&from=${encodeURIComponent(from instanceof Date ? from.toISOString() : from)}`
}
