import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { parseCursor, type TopicCursor } from '../../../services/peer/topics/cursor.ts'
import { type Frame, FrameReader } from './frames.ts'
import type { Random } from './random.ts'
import type { Recorder } from './recorder.ts'
import { idOf, topicUrl } from './requests.ts'

export interface SubscriberOptions {
  readonly recorder: Recorder
  readonly random: Random
  readonly client: string
  readonly topic: string
  /** Base URLs of all peers, living or dead. */
  readonly urls: () => readonly string[]
}

/** A peer sends something at least this often, if only a comment. */
export const HEARTBEAT_MS = 1_000
/** Silence after which a subscriber moves on to another peer. */
const SILENCE_MS = 4_000
/** A stream that nothing ends is dropped by its client after so long, more or less, and resumed elsewhere. */
const STAY_MS = 12_000
const RECONNECT_MS = 400

/**
 * A subscriber as `EventSource` is one: it remembers the last id and resumes with it as `Last-Event-ID`, at another
 * peer when its own is gone or silent, and now and then without any reason.
 */
export class Subscriber {
  /** How far it was given events. */
  place: TopicCursor | undefined
  connections = 0
  delivered = 0
  readonly client: string
  readonly topic: string
  readonly #options: SubscriberOptions
  readonly #done: Promise<void>
  #asked: ClientRequest | undefined
  #lastId = ''
  #closed = false
  #stays = false

  constructor(options: SubscriberOptions) {
    this.#options = options
    this.client = options.client
    this.topic = options.topic
    this.#done = this.#run()
  }

  /** Drops no more streams of its own accord. */
  stay(): void {
    this.#stays = true
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#asked?.destroy()
    await this.#done
  }

  async #run(): Promise<void> {
    const { random, urls } = this.#options
    while (!this.#closed) {
      await this.#connect(random.pick(urls())).catch(() => {})
      if (!this.#closed) await delay(RECONNECT_MS * random.next())
    }
  }

  /** One stream from its opening to its end; rejects when none was opened. */
  async #connect(base: string): Promise<void> {
    const { recorder, client, topic, random } = this.#options
    const after = this.#lastId === '' ? undefined : parseCursor(this.#lastId)
    const url = `${topicUrl(base, topic)}/events${after ? '' : '?from=earliest'}`
    const headers = { accept: 'text/event-stream', ...(after && { 'last-event-id': this.#lastId }) }
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      this.#asked = request(url, { agent: false, headers, timeout: SILENCE_MS }, resolve)
      this.#asked.on('timeout', () => this.#asked?.destroy())
      this.#asked.on('error', reject)
      this.#asked.end()
    })
    if (response.statusCode !== 200) {
      // Whatever a peer lacks, a stream of a topic that exists waits; an error would end an EventSource for good.
      recorder.oddAnswer(`${client} after ${this.#lastId || 'nothing'} at ${base}: ${response.statusCode}`)
      response.resume()
      return
    }
    this.connections += 1
    recorder.add({ kind: 'open', client, topic, atMs: performance.now(), ...(after && { after }) })
    const timer = setTimeout(
      () => !this.#stays && this.#asked?.destroy(),
      STAY_MS * (0.25 + 1.5 * random.next()),
    )
    await this.#read(response).catch(() => {})
    clearTimeout(timer)
    if (!this.#closed) recorder.add({ kind: 'close', client, topic, atMs: performance.now() })
  }

  async #read(response: IncomingMessage): Promise<void> {
    const frames = new FrameReader()
    response.setEncoding('utf8')
    for await (const text of response) {
      if (this.#closed) return
      this.#take(frames.push(text as string))
    }
  }

  /** Frames that came together are one delivery, or several where something else stands between the events. */
  #take(frames: readonly Frame[]): void {
    const { recorder, client, topic } = this.#options
    const atMs = performance.now()
    let incarnation = 0
    let events: { offset: number; id: string }[] = []
    const flush = () => {
      if (events.length > 0) recorder.add({ kind: 'poll', client, topic, atMs, incarnation, events })
      this.delivered += events.length
      events = []
    }
    for (const { event, data, id } of frames) {
      if (id !== '') this.#lastId = id
      const place = parseCursor(this.#lastId)
      if (place && id !== '') this.place = place
      if (event === '' && data !== '' && place) {
        if (place.incarnation !== incarnation) flush()
        incarnation = place.incarnation
        events.push({ offset: place.offset, id: idOf(data) })
      } else if (event === 'gap' && place) {
        flush()
        const { to } = JSON.parse(data) as { to: number }
        recorder.add({ kind: 'gap', client, topic, atMs, incarnation: place.incarnation, to })
      } else if (event === 'end') {
        flush()
        recorder.add({ kind: 'end', client, topic, atMs })
      } else if (event !== '') recorder.oddAnswer(`${client} was given a frame ${event}: ${data}`)
    }
    flush()
  }
}
