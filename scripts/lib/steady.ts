import type { History, PublishRecord } from './history.ts'
import { ask, keepAliveAgent } from './http.ts'

export interface SteadyOptions {
  readonly history: History
  readonly topic: string
  readonly ratePerS: number
  /** The base URL the next event goes to; called for each one. */
  readonly through: () => string
  /** Put before each payload's number. */
  readonly prefix?: string
}

/** Publishes at a steady pace, each event once: whatever its answer, it is not tried again. */
export class SteadyPublisher {
  readonly #options: SteadyOptions
  readonly #agent = keepAliveAgent()
  readonly #underway = new Set<Promise<void>>()
  readonly #startedMs = performance.now()
  #timer: NodeJS.Timeout
  #count = 0
  /** Base URL that is used instead of what the options say. */
  #through: string | undefined
  readonly #waiters = new Set<() => void>()

  constructor(options: SteadyOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#catchUp(), 1000 / options.ratePerS)
  }

  /** From now on the events go to this base URL. */
  goThrough(url: string): void {
    this.#through = url
  }

  /** Resolves when every event sent so far has its answer. */
  async settled(): Promise<void> {
    await Promise.all(this.#underway)
  }

  /** Resolves when one event that was sent after this call is acknowledged. */
  async nextAcknowledged(): Promise<void> {
    const sinceMs = performance.now()
    await this.until(record => record.outcome === 'acknowledged' && record.sentMs >= sinceMs)
  }

  /** Resolves when a record like this is in the history. */
  async until(wanted: (record: PublishRecord) => boolean): Promise<void> {
    while (!this.#options.history.publishes.some(wanted)) {
      await new Promise<void>(wake => this.#waiters.add(wake))
    }
  }

  /** Sends no more, and resolves when every event sent has its answer. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#underway)
    this.#agent.destroy()
  }

  #catchUp(): void {
    const due = ((performance.now() - this.#startedMs) * this.#options.ratePerS) / 1000
    while (this.#count < due) {
      const sent = this.#send().finally(() => this.#underway.delete(sent))
      this.#underway.add(sent)
    }
  }

  async #send(): Promise<void> {
    this.#count += 1
    const { history, topic, prefix = 'event', through } = this.#options
    const payload = `${prefix} ${this.#count}`
    const sentMs = performance.now()
    const url = `${this.#through ?? through()}/v1/topics/${encodeURIComponent(topic)}/publish`
    const result = await ask(url, { method: 'POST', body: payload, agent: this.#agent }).then(
      judge,
      () => UNKNOWN,
    )
    history.published({ payload, sentMs, answeredMs: performance.now(), ...result })
    for (const wake of this.#waiters) wake()
    this.#waiters.clear()
  }
}

const UNKNOWN = { outcome: 'unknown' } as const

function judge({
  status,
  body,
}: {
  status: number
  body: string
}): Pick<PublishRecord, 'outcome' | 'offset'> {
  if (status === 201)
    return { outcome: 'acknowledged', offset: (JSON.parse(body) as { offset: number }).offset }
  return { outcome: status === 504 ? 'unknown' : 'refused' }
}
