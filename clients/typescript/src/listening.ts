import { type End, type FeedOptions, type Item, isEvent, isFinal } from './feed.ts'
import { Peers } from './peers.ts'
import type { ReceivedEvent } from './received.ts'
import { isNotice, type Notice } from './received.ts'
import { Selection, type Start } from './selection.ts'
import type { EventHandler } from './subscription.ts'

/** Where a stream begins and how it is kept up. */
export interface SubscriberOptions extends Start, FeedOptions {
  /** Ends the subscription. */
  readonly signal?: AbortSignal
  /** Told of offsets that are missing. */
  readonly onGap?: (gap: Extract<Notice, { kind: 'gap' }>) => void
  /** Told of a topic's end. */
  readonly onEnd?: (end: End) => void
}

/** How events are handed out, one by one, wherever they come from. */
export abstract class Listening<Options extends SubscriberOptions = SubscriberOptions> {
  readonly peers: Peers
  /** The topic or pattern, or several of them separated by commas. */
  readonly topic: string
  protected readonly selection: Selection
  protected readonly options: Options
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
    options: Options = {} as Options,
  ) {
    this.peers = peers instanceof Peers ? peers : new Peers(peers)
    this.selection = new Selection(topics)
    this.topic = this.selection.topics.join(',')
    this.options = options
    this.#cursor = options.cursor ?? ''
    // What cannot be asked for is refused here already.
    this.selection.url(options)
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
  async subscribeAndListen(handler: EventHandler): Promise<End | undefined> {
    for await (const { cursor, read } of this.#told()) {
      if (isFinal(read, this.selection)) return read
      if (isEvent(read)) await handler(read)
      this.#cursor = cursor
    }
    return undefined
  }

  /** Each event in turn. Reading on is what asks for more: a slow reader is not buffered for beyond a bound. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ReceivedEvent, void, undefined> {
    for await (const { cursor, read } of this.#told()) {
      this.#cursor = cursor
      if (isEvent(read)) yield read
    }
  }

  /**
   * What is new behind `start`, in order, until the signal is aborted or all has ended.
   * @throws ProblemError, StreamError for what trying again does not mend
   */
  protected abstract items(start: Start, signal: AbortSignal): AsyncGenerator<Item, void, undefined>

  async *#told(): AsyncGenerator<Item, void, undefined> {
    if (this.#isListening) throw new Error('This subscriber is listening already; make another one.')
    this.#isListening = true
    const ended = new AbortController()
    const end = () => ended.abort()
    const signals = [this.#closing.signal, this.options.signal]
    for (const signal of signals) signal?.addEventListener('abort', end)
    if (signals.some(signal => signal?.aborted)) end()
    try {
      for await (const item of this.items({ ...this.options, cursor: this.#cursor }, ended.signal)) {
        if (item.read !== undefined && isNotice(item.read)) this.#tell(item.read)
        yield item
        // The consumer may have ended the subscription while it had this item.
        if (ended.signal.aborted) return
      }
    } finally {
      end()
      for (const signal of signals) signal?.removeEventListener('abort', end)
      this.#isListening = false
    }
  }

  #tell(notice: Notice): void {
    const { onNotice, onGap, onEnd } = this.options
    onNotice?.(notice)
    if (notice.kind === 'gap') onGap?.(notice)
    if (notice.kind === 'end') onEnd?.(notice)
  }
}
