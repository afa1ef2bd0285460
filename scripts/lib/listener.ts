import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

/** One Server-Sent Event as it came; `event` is `message` where the stream names none. */
export interface Received {
  readonly event: string
  readonly data: string
  readonly id: string
}

export interface ListenerOptions {
  /** Of the stream: `eventsPath` of a topic, or `severalPath` of topics and patterns. */
  readonly path: string
  /** Base URLs, tried in turn when a connection ends. */
  readonly urls: readonly string[]
  /** Query of the first connection, such as `from=earliest`. */
  readonly query?: string
  readonly onEvent: (received: Received) => void
  readonly reconnectMs?: number
}

/** Path of one topic's stream. */
export function eventsPath(topic: string): string {
  return `/v1/topics/${encodeURIComponent(topic)}/events`
}

/** Path and query of the stream over topics and patterns. */
export function severalPath(wants: readonly string[]): string {
  return `/v1/events?${wants.map(want => `topic=${encodeURIComponent(want)}`).join('&')}`
}

/**
 * A subscriber as plain as can be, written apart from the client so that it can judge both client and service:
 * it remembers the last id, and when its connection ends for whatever reason it reconnects with it to the next URL.
 */
export class Listener {
  /** Resolves when the first stream has told where it begins. */
  readonly open: Promise<void>
  /** The last id received: the place from which the next connection resumes. */
  lastEventId = ''
  connections = 0
  readonly #options: ListenerOptions
  readonly #opened = Promise.withResolvers<void>()
  readonly #waiters = new Set<() => void>()
  readonly #done: Promise<void>
  #asked: ClientRequest | undefined
  #closed = false

  constructor(options: ListenerOptions) {
    this.#options = options
    this.open = this.#opened.promise
    this.#done = this.#run()
  }

  /** Resolves when `condition` holds after some event. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>(wake => this.#waiters.add(wake))
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#asked?.destroy()
    await this.#done
  }

  async #run(): Promise<void> {
    for (let attempt = 0; !this.#closed; attempt += 1) {
      const base = this.#options.urls[attempt % this.#options.urls.length]!
      const ended = await this.#connect(base).catch(() => false)
      if (ended) return
      if (!this.#closed) await delay(this.#options.reconnectMs ?? 50)
    }
  }

  /** Resolves true when nothing will ever come any more. */
  async #connect(base: string): Promise<boolean> {
    const { path } = this.#options
    const first = this.lastEventId === '' && this.#options.query
    const url = `${base}${path}${first ? `${path.includes('?') ? '&' : '?'}${first}` : ''}`
    const headers = {
      accept: 'text/event-stream',
      ...(this.lastEventId && { 'last-event-id': this.lastEventId }),
    }
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      this.#asked = request(url, { agent: false, headers }, resolve).on('error', reject)
      this.#asked.end()
    })
    if (response.statusCode === 204) return true
    if (response.statusCode !== 200) throw new Error(`${url} answered ${response.statusCode}`)
    this.connections += 1
    await this.#read(response)
    return false
  }

  async #read(response: IncomingMessage): Promise<void> {
    let rest = ''
    response.setEncoding('utf8')
    for await (const part of response) {
      const frames = (rest + part).split('\n\n')
      rest = frames.pop()!
      for (const frame of frames) this.#frame(frame)
      for (const wake of this.#waiters) wake()
      this.#waiters.clear()
    }
  }

  #frame(frame: string): void {
    let event = 'message'
    const data: string[] = []
    for (const line of frame.split('\n')) {
      const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line)!
      if (field === 'id') this.lastEventId = value!
      if (field === 'event') event = value!
      if (field === 'data') data.push(value!)
    }
    // A frame that only tells how long to wait says nothing of where the stream begins.
    if (this.lastEventId !== '') this.#opened.resolve()
    if (data.length > 0) this.#options.onEvent({ event, data: data.join('\n'), id: this.lastEventId })
  }
}

/** The offset of a cursor `<offset>-<incarnation>`. */
export function offsetOf(cursor: string): number {
  return Number(cursor.split('-')[0])
}
