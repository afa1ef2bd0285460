import { checkHistory } from './checker/check.ts'
import type { Operation, Send } from './checker/operations.ts'

/** What became of one publish, as its client saw it. */
export interface PublishRecord {
  readonly payload: string
  readonly outcome: 'acknowledged' | 'refused' | 'unknown'
  readonly offset?: number
  /** Monotonic milliseconds. */
  readonly sentMs: number
  readonly answeredMs: number
}

export interface Delivery {
  readonly offset: number
  readonly payload: string
}

/** What descriptions call the topic; a history of this kind has one only, which lives once. */
const TOPIC = 'the topic'
const INCARNATION = 1

/**
 * The clients' histories of one topic, checked for the promises P1, P2 and P4. Every payload is published once
 * only, so that a double shows.
 */
export class History {
  readonly publishes: PublishRecord[] = []
  readonly #deliveries = new Map<string, Delivery[]>()

  published(record: PublishRecord): void {
    this.publishes.push(record)
  }

  delivered(subscriber: string, delivery: Delivery): void {
    const seen = this.#deliveries.get(subscriber)
    if (seen) seen.push(delivery)
    else this.#deliveries.set(subscriber, [delivery])
  }

  deliveries(subscriber: string): readonly Delivery[] {
    return this.#deliveries.get(subscriber) ?? []
  }

  get acknowledged(): PublishRecord[] {
    return this.publishes.filter(publish => publish.outcome === 'acknowledged')
  }

  /** Highest offset acknowledged so far; 0 before the first. */
  get lastOffset(): number {
    return this.acknowledged.reduce((highest, { offset = 0 }) => Math.max(highest, offset), 0)
  }

  /**
   * Every violation, in words; empty when all is well. `from` is the offset at which every subscriber began. Each must
   * have received all that was acknowledged: nobody publishes any more and no delivery is under way.
   */
  check(subscribers: readonly string[], from = 1): string[] {
    const operations = [...this.#sends(subscribers), ...this.#streams(subscribers, from)]
    if (subscribers.length > 0) operations.push(this.#whole(subscribers, from))
    return checkHistory(operations, { isTrimmed: () => from > 1 }).map(({ kind, what }) => `${kind}: ${what}`)
  }

  /** A payload that was delivered and whose publish was not recorded has an unknown outcome. */
  #sends(subscribers: readonly string[]): Operation[] {
    const sends: Operation[] = this.publishes.map(
      ({ payload, outcome, offset, sentMs, answeredMs }, index) => {
        const times = { fromMs: sentMs, toMs: answeredMs }
        const place = offset !== undefined && { incarnation: INCARNATION, first: offset, last: offset }
        return { ...sendOf(payload, `publish ${index + 1}`), ...times, outcome, ...place }
      },
    )
    const recorded = new Set(this.publishes.map(({ payload }) => payload))
    for (const subscriber of subscribers) {
      for (const { payload } of this.deliveries(subscriber)) {
        if (!recorded.has(payload)) sends.push(sendOf(payload, 'somebody'))
        recorded.add(payload)
      }
    }
    return sends
  }

  *#streams(subscribers: readonly string[], from: number): Iterable<Operation> {
    const after = { incarnation: INCARNATION, offset: from - 1 }
    for (const client of subscribers) {
      const stream = { client, topic: TOPIC, atMs: 0 }
      yield { kind: 'open', ...stream, after }
      for (const { offset, payload } of this.deliveries(client)) {
        yield { kind: 'poll', ...stream, incarnation: INCARNATION, events: [{ offset, id: payload }] }
      }
    }
  }

  /** The log as far as anybody was told of it. */
  #whole(subscribers: readonly string[], from: number): Operation {
    const log = new Map<number, string>()
    for (const { offset, payload } of this.acknowledged) {
      if (offset !== undefined && offset >= from && !log.has(offset)) log.set(offset, payload)
    }
    for (const subscriber of subscribers) {
      for (const { offset, payload } of this.deliveries(subscriber)) {
        if (offset >= from && !log.has(offset)) log.set(offset, payload)
      }
    }
    const events = [...log].map(([offset, id]) => ({ offset, id })).sort((a, b) => a.offset - b.offset)
    const latest = events.at(-1)?.offset ?? from - 1
    const found = { incarnation: INCARNATION, earliest: from, latest, events }
    return { kind: 'final', client: 'the log', topic: TOPIC, found }
  }
}

function sendOf(payload: string, client: string): Send {
  return { kind: 'send', client, topic: TOPIC, ids: [payload], outcome: 'unknown', fromMs: 0, toMs: 0 }
}

/** Longest time between two acknowledgements that follow each other within [fromMs, toMs]. */
export function longestGapMs(history: History, fromMs: number, toMs: number): number {
  const times = history.acknowledged.map(record => record.answeredMs).sort((a, b) => a - b)
  let longest = 0
  for (let index = 1; index < times.length; index += 1) {
    const [before, after] = [times[index - 1]!, times[index]!]
    if (after >= fromMs && before <= toMs) longest = Math.max(longest, after - before)
  }
  return longest
}

/** Median and other quantiles by the nearest rank; NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}
