import { type End, Feed, type FeedOptions, type Item, isEvent, isFinal } from './feed.ts'
import { Peers } from './peers.ts'
import { Progress } from './progress.ts'
import { isNotice, type Notice, type ReceivedEvent } from './received.ts'
import { Selection, type Start } from './selection.ts'

/** Where a stream begins and how it is kept up. */
export interface SubscriberOptions extends Start, FeedOptions {
  /** Ends the subscription. */
  readonly signal?: AbortSignal
  /** Told of offsets that are missing. */
  readonly onGap?: (gap: Extract<Notice, { kind: 'gap' }>) => void
  /** Told of a topic's end. */
  readonly onEnd?: (end: End) => void
}

/**
 * Follows one topic, or several topics and patterns together, over any peer of a list: each event once, ascending in
 * its topic. When a stream breaks it resumes behind the last event on the next peer.
 *
 * Listening throws ProblemError for what trying again does not mend, such as an unknown topic; it ends quietly when
 * its only topic ends, the signal is aborted or `close()` is called.
 */
export class Subscriber {
  readonly peers: Peers
  /** The topic or pattern, or several of them separated by commas. */
  readonly topic: string
  readonly #selection: Selection
  readonly #options: SubscriberOptions
  readonly #closing = new AbortController()
  #cursor: string
  #isListening = false

  /**
   * @param peers base URL of one peer, or of several
   * @param topics a topic, a pattern such as `sports/*` or `sports/**`, or a list of both
   * @throws TypeError for what is no list of http(s) URLs, for no topic, and for `from` together with `last`
   */
  constructor(
    peers: string | readonly string[] | Peers,
    topics: string | readonly string[],
    options: SubscriberOptions = {},
  ) {
    this.peers = peers instanceof Peers ? peers : new Peers(peers)
    this.#selection = new Selection(topics)
    this.topic = this.#selection.topics.join(',')
    this.#options = options
    this.#cursor = options.cursor ?? ''
    this.#selection.url(options)
  }

  /**
   * Where listening resumes, at any peer: behind the last event that was handed out (to a handler: that it is done
   * with). Undefined before the stream has a position. Keep it to go on later with `options.cursor`.
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
   * @returns how it ended; undefined when the subscription was ended
   * @throws what the handler throws; its event comes again when listening is taken up again
   */
  async subscribeAndListen(
    handler: (event: ReceivedEvent) => void | Promise<void>,
  ): Promise<End | undefined> {
    for await (const { cursor, read } of this.#items()) {
      if (isFinal(read, this.#selection)) return read
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
      yield* this.#fresh(ended.signal)
    } finally {
      end()
      for (const signal of signals) signal?.removeEventListener('abort', end)
      this.#isListening = false
    }
  }

  /** What was not received since listening began. */
  async *#fresh(signal: AbortSignal): AsyncGenerator<Item, void, undefined> {
    const { onNotice, onGap, onEnd } = this.#options
    const start = { ...this.#options, cursor: this.#cursor }
    const feed = new Feed(this.peers, this.#selection, start, this.#options)
    const progress = new Progress()
    for await (const batch of feed.batches(signal)) {
      for (const { cursor, read } of batch) {
        const reads = read === undefined ? [undefined] : progress.take(read, this.#cursor)
        for (const fresh of reads) {
          if (fresh !== undefined && isNotice(fresh)) {
            onNotice?.(fresh)
            if (fresh.kind === 'gap') onGap?.(fresh)
            if (fresh.kind === 'end') onEnd?.(fresh)
          }
          // Whoever is told of a gap before an event has not had the event.
          yield { cursor: fresh === reads.at(-1) ? cursor : this.#cursor, read: fresh }
          // The consumer may have ended the subscription while it had this item.
          if (signal.aborted) return
        }
        if (reads.length === 0) yield { cursor, read: undefined }
      }
    }
  }
}
