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
   * Every violation, in words; empty when all is well. `from` is the offset at which every subscriber began.
   */
  check(subscribers: readonly string[], from = 1): string[] {
    const faults = this.#checkAnswers()
    for (const subscriber of subscribers) faults.push(...this.#checkSubscriber(subscriber, from))
    return faults
  }

  #checkAnswers(): string[] {
    const faults: string[] = []
    const byOffset = new Map<number, string>()
    for (const { offset, payload } of this.acknowledged) {
      if (offset === undefined) faults.push(`${payload} was acknowledged without an offset`)
      else if (byOffset.has(offset))
        faults.push(`offset ${offset} was given to ${byOffset.get(offset)} and ${payload}`)
      else byOffset.set(offset, payload)
    }
    return faults
  }

  #checkSubscriber(subscriber: string, from: number): string[] {
    const faults: string[] = []
    const seen = this.deliveries(subscriber)
    const atOffset = new Map(seen.map(({ offset, payload }) => [offset, payload]))
    const payloads = new Map<string, number>()
    let expected = from
    for (const { offset, payload } of seen) {
      if (offset !== expected)
        faults.push(`${subscriber} received offset ${offset} where ${expected} was next`)
      expected = offset + 1
      const before = payloads.get(payload)
      if (before !== undefined)
        faults.push(`${subscriber} received ${payload} at ${before} and again at ${offset}`)
      payloads.set(payload, offset)
    }
    for (const { outcome, offset, payload } of this.publishes) {
      if (outcome === 'acknowledged' && offset! >= from && atOffset.get(offset!) !== payload) {
        const got = atOffset.get(offset!) ?? 'nothing'
        faults.push(`${subscriber} received ${got} at ${offset} where ${payload} was acknowledged`)
      }
      if (outcome === 'refused' && payloads.has(payload)) {
        faults.push(`${subscriber} received ${payload}, whose publish was refused`)
      }
    }
    return faults
  }
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
