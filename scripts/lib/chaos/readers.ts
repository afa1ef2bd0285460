import { setTimeout as delay } from 'node:timers/promises'
import { formatCursor, parseCursor } from '../../../services/peer/topics/cursor.ts'
import { ask, askJson } from '../http.ts'
import type { Random } from './random.ts'
import type { Recorder } from './recorder.ts'
import { CLIENT_TIMEOUT_MS, idOf, problemCode, readBarrier, topicUrl } from './requests.ts'

interface Page {
  readonly events: readonly { readonly offset: number; readonly cursor: string; readonly data: string }[]
  readonly next: string
  readonly gap?: { readonly from: number; readonly to: number }
  readonly earliest: number
  readonly latest: number
}

export interface ReadersOptions {
  readonly recorder: Recorder
  readonly random: Random
  readonly topics: readonly string[]
  readonly urls: () => readonly string[]
}

const PAUSE_MS = 400
const PAGE = 200
const PAGES_IN_A_ROW = 3
const FINAL_PAGE = 1_000
const FINAL_TRIES = 20
const FINAL_RETRY_MS = 250
const DURING_FAULTS = new Set(['NO_PRIMARY', 'UNREACHABLE', 'OVERLOADED', 'STOPPING', 'NOT_FOUNDED'])

/** Two clients that read now and then through any peer: one where a topic ends, one some pages of its events. */
export class Readers {
  readonly #options: ReadersOptions
  readonly #clients: readonly Promise<void>[]
  #stopped = false

  constructor(options: ReadersOptions) {
    this.#options = options
    this.#clients = [this.#readEnds(), this.#readPages()]
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#clients)
  }

  async #readEnds(): Promise<void> {
    const { recorder, topics, urls } = this.#options
    const random = this.#options.random.fork('ends')
    for (; !this.#stopped; await delay(PAUSE_MS * random.next())) {
      await readBarrier(recorder, 'reader of ends', random.pick(topics), random.pick(urls()))
    }
  }

  async #readPages(): Promise<void> {
    const { topics, urls } = this.#options
    const random = this.#options.random.fork('pages')
    for (let count = 1; !this.#stopped; count += 1) {
      const topic = random.pick(topics)
      // Each walk is a client of its own, since it begins wherever it likes; each page may come from another peer.
      const client = `reader of pages ${count}`
      let cursor: string | undefined
      for (let pages = 0; pages < PAGES_IN_A_ROW; pages += 1) {
        cursor = await this.#readPage(client, topic, random.pick(urls()), cursor)
        if (cursor === undefined) break
      }
      await delay(PAUSE_MS * random.next())
    }
  }

  /** Where the next page begins; undefined when no page came. */
  async #readPage(
    client: string,
    topic: string,
    base: string,
    cursor: string | undefined,
  ): Promise<string | undefined> {
    const { recorder } = this.#options
    const start = cursor === undefined ? 'from=earliest' : `lastEventId=${cursor}`
    const answer = await ask(`${topicUrl(base, topic)}/events?limit=${PAGE}&${start}`, {
      headers: { accept: 'application/json' },
      timeoutMs: CLIENT_TIMEOUT_MS,
    }).catch(() => undefined)
    if (answer === undefined) return undefined
    if (answer.status !== 200) {
      const code = problemCode(answer.body)
      if (code === undefined || !DURING_FAULTS.has(code)) {
        recorder.oddAnswer(`${client} read ${topic} after ${cursor ?? 'nothing'} at ${base}: ${answer.body}`)
      }
      return undefined
    }
    const { events, gap, next } = JSON.parse(answer.body) as Page
    const atMs = performance.now()
    const after = cursor === undefined ? undefined : parseCursor(cursor)!
    const { incarnation } = parseCursor(next)!
    recorder.add({ kind: 'open', client, topic, atMs, ...(after && { after }) })
    if (gap) recorder.add({ kind: 'gap', client, topic, atMs, incarnation, to: gap.to })
    if (events.length > 0) {
      const given = events.map(({ offset, data }) => ({ offset, id: idOf(data) }))
      recorder.add({ kind: 'poll', client, topic, atMs, incarnation, events: given })
    }
    recorder.add({ kind: 'close', client, topic, atMs })
    return next
  }
}

/**
 * Reads all of a topic through one peer, when nobody publishes any more. Tries again while the peer gives no answer,
 * and throws after that.
 */
export async function readFinal(
  recorder: Recorder,
  peer: string,
  base: string,
  topic: string,
): Promise<void> {
  const events: { offset: number; id: string }[] = []
  let cursor: string | undefined
  for (;;) {
    const start = cursor === undefined ? 'from=earliest' : `lastEventId=${cursor}`
    const page = await untilAnswered<Page>(`${topicUrl(base, topic)}/events?limit=${FINAL_PAGE}&${start}`)
    for (const { offset, data } of page.events) events.push({ offset, id: idOf(data) })
    const { incarnation, offset } = parseCursor(page.next)!
    if (offset >= page.latest || page.events.length === 0) {
      const { earliest, latest } = page
      recorder.add({ kind: 'final', client: peer, topic, found: { incarnation, earliest, latest, events } })
      return
    }
    cursor = formatCursor(offset, incarnation)
  }
}

async function untilAnswered<T>(url: string): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await askJson<T>(url, {
        headers: { accept: 'application/json' },
        timeoutMs: CLIENT_TIMEOUT_MS,
      })
    } catch (error) {
      if (tries >= FINAL_TRIES) throw error
    }
    await delay(FINAL_RETRY_MS)
  }
}
