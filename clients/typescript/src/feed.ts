import { Backoff, type BackoffOptions, pause } from './backoff.ts'
import { LIMITS } from './limits.ts'
import type { Peers } from './peers.ts'
import { ProblemError } from './problem.ts'
import { isNotice, type Notice, type ReceivedEvent, readFrame, StreamError } from './received.ts'
import type { Selection, Start } from './selection.ts'
import type { SseFrame } from './sse.ts'
import { EventStream, type StreamOptions } from './stream.ts'

/** How a stream is kept up. */
export interface FeedOptions extends BackoffOptions, StreamOptions {
  /** Told of gaps, of ends, and of each stream opened and lost. */
  readonly onNotice?: (notice: Notice) => void
}

/** One frame with the cursor behind it; `read` is undefined for one that only moves the cursor. */
export interface Item {
  readonly cursor: string
  readonly read: ReceivedEvent | Notice | undefined
}

/** The end of a topic, or of all. */
export type End = Extract<Notice, { kind: 'end' }>

/**
 * The frames of a selection from any peer of a list, one stream after the other: each resumes behind the last batch
 * that was taken.
 */
export class Feed {
  readonly #peers: Peers
  readonly #selection: Selection
  readonly #options: FeedOptions
  readonly #firstUrl: string
  #cursor: string

  /** @throws TypeError for a start that cannot be asked for */
  constructor(peers: Peers, selection: Selection, start: Start, options: FeedOptions) {
    this.#peers = peers
    this.#selection = selection
    this.#options = options
    this.#firstUrl = selection.url(start)
    this.#cursor = start.cursor ?? ''
  }

  /**
   * Frames as they come, in batches; asking for the next batch says that this one is done with. Returns after the end
   * of all and when the signal is aborted.
   * @throws ProblemError, StreamError for what trying again does not mend
   */
  async *batches(signal: AbortSignal): AsyncGenerator<readonly Item[], void, undefined> {
    const backoff = new Backoff(this.#peers.urls.length, this.#options)
    while (!signal.aborted) {
      const peer = this.#peers.current
      const openedMs = performance.now()
      const stream = new EventStream(signal, this.#options)
      let error: unknown
      try {
        error = yield* this.#follow(stream, peer, backoff)
      } finally {
        stream.close()
      }
      if (error === 'end' || signal.aborted) return
      if (isPermanent(error)) throw error
      this.#peers.failed(peer)
      if (performance.now() - openedMs > (this.#options.retryMaxMs ?? LIMITS.RETRY_MAX_MS)) backoff.reset()
      const retryInMs = backoff.nextMs(error instanceof ProblemError ? error.retryAfterMs : 0)
      this.#options.onNotice?.({ kind: 'lost', peer, error, retryInMs })
      await pause(retryInMs, signal)
    }
  }

  /** Gives out what one stream brings. Returns `end`, or the error that the stream broke with. */
  async *#follow(
    stream: EventStream,
    peer: string,
    backoff: Backoff,
  ): AsyncGenerator<readonly Item[], unknown, undefined> {
    const url = this.#cursor === '' ? this.#firstUrl : this.#selection.url({})
    const opened = await stream.open(`${peer}${url}`, this.#cursor)
    if (opened.kind === 'ended') {
      yield [{ cursor: this.#cursor, read: { kind: 'end', reason: 'ended' } }]
      return 'end'
    }
    if (opened.kind === 'failed') return opened.error
    this.#options.onNotice?.({ kind: 'open', peer })
    for (;;) {
      const received = await stream.next()
      if (stream.retryMs !== undefined) backoff.minMs = stream.retryMs
      if (received.kind === 'failed') return received.error
      const { items, error } = this.#read(received.frames)
      if (items.some(({ read }) => read !== undefined)) backoff.reset()
      if (items.length > 0) yield items
      // What follows the last item of a batch is asked for only once all of the batch is done with.
      this.#cursor = items.at(-1)?.cursor ?? this.#cursor
      if (error !== undefined) return error
      if (items.some(({ read }) => isFinal(read, this.#selection))) return 'end'
      if (stream.closed) return undefined
    }
  }

  /** What comes before a frame that cannot be read, or behind the end of all, is handed out all the same. */
  #read(frames: readonly SseFrame[]): { items: Item[]; error?: unknown } {
    const items: Item[] = []
    for (const frame of frames) {
      try {
        const read = frame.data === undefined ? undefined : readFrame(frame, this.#selection.single)
        items.push({ cursor: frame.lastEventId, read })
        if (isFinal(read, this.#selection)) break
      } catch (error) {
        return { items, error }
      }
    }
    return { items }
  }
}

/** True for an event. */
export function isEvent(read: Item['read']): read is ReceivedEvent {
  return read !== undefined && !isNotice(read)
}

/** True for an end behind which nothing comes in this stream. */
export function isFinal(read: Item['read'], selection: Selection): read is End {
  if (read === undefined || !isNotice(read) || read.kind !== 'end') return false
  return selection.single !== undefined || read.topic === undefined
}

/** True for errors that the next peer would give too. */
function isPermanent(error: unknown): boolean {
  if (!(error instanceof ProblemError)) return error instanceof StreamError
  return error.status < 500 && ![408, 425, 429].includes(error.status)
}
