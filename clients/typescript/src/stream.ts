import { silence } from './attempt.ts'
import { LIMITS } from './limits.ts'
import { readProblem } from './problem.ts'
import { StreamError } from './received.ts'
import { type SseFrame, SseParser } from './sse.ts'

/** How long a stream may be silent, and what fetches it. */
export interface StreamOptions {
  readonly attemptTimeoutMs?: number
  readonly silenceMs?: number
  readonly fetch?: typeof fetch
}

type Failed = { readonly kind: 'failed'; readonly error: unknown }

/** One event stream from one peer: opened once, read until it breaks, closed. */
export class EventStream {
  readonly #signal: AbortSignal
  readonly #options: StreamOptions
  readonly #controller = new AbortController()
  #parser = new SseParser()
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined

  /** @param signal closes the stream when it is aborted */
  constructor(signal: AbortSignal, options: StreamOptions) {
    this.#signal = signal
    this.#options = options
    signal.addEventListener('abort', this.close)
    if (signal.aborted) this.close()
  }

  get closed(): boolean {
    return this.#controller.signal.aborted
  }

  /** Reconnection time the peer asked for. */
  get retryMs(): number | undefined {
    return this.#parser.retryMs
  }

  /** Lets the connection go. May be called again. */
  readonly close = (): void => {
    this.#signal.removeEventListener('abort', this.close)
    this.#controller.abort()
  }

  /**
   * Asks for the stream; `ended` is the answer 204: nothing will ever come.
   * @param cursor what to resume behind; empty for none
   */
  async open(url: string, cursor: string): Promise<{ readonly kind: 'open' | 'ended' } | Failed> {
    const { attemptTimeoutMs, fetch: send = globalThis.fetch } = this.#options
    const headers: Record<string, string> = { accept: 'text/event-stream' }
    if (cursor !== '') headers['last-event-id'] = cursor
    this.#parser = new SseParser(cursor)
    try {
      return await this.#timed(attemptTimeoutMs ?? LIMITS.ATTEMPT_TIMEOUT_MS, async signal => {
        const response = await send(url, { headers, signal, cache: 'no-store' })
        if (response.status === 204) return { kind: 'ended' }
        if (!response.ok) return { kind: 'failed', error: await readProblem(response) }
        const contentType = response.headers.get('content-type') ?? ''
        if (!/^text\/event-stream\b/i.test(contentType) || response.body === null) {
          return { kind: 'failed', error: new Error(`the answer is no event stream but "${contentType}"`) }
        }
        this.#reader = response.body.getReader()
        return { kind: 'open' }
      })
    } catch (error) {
      return { kind: 'failed', error }
    }
  }

  /** Frames as they come, perhaps none. */
  async next(): Promise<{ readonly kind: 'frames'; readonly frames: readonly SseFrame[] } | Failed> {
    const reader = this.#reader
    if (reader === undefined) return { kind: 'failed', error: new Error('the stream is not open') }
    try {
      const { done, value } = await this.#timed(this.#options.silenceMs ?? LIMITS.SILENCE_MS, () =>
        reader.read(),
      )
      if (done) return { kind: 'failed', error: new Error('the peer ended the stream') }
      return { kind: 'frames', frames: this.#parser.push(value) }
    } catch (error) {
      return { kind: 'failed', error: error instanceof RangeError ? new StreamError(error.message) : error }
    }
  }

  /** Runs `work`, which rejects when the controller is aborted: by `close()` or by silence. */
  async #timed<T>(timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.#controller.abort(silence(timeoutMs)), timeoutMs)
    try {
      return await work(this.#controller.signal)
    } finally {
      clearTimeout(timer)
    }
  }
}
