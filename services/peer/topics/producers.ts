import type { ApplyResult, ProducerRow, ProducerStamp } from './types.ts'

/** What a stamp says about its command: do it, answer as before, or nobody waits for the answer any more. */
export type Admission =
  | { readonly kind: 'new' }
  | { readonly kind: 'again'; readonly result: ApplyResult }
  | { readonly kind: 'stale' }

interface Producer {
  readonly uid: string
  readonly boot: number
  low: number
  usedIndex: number
  readonly results: Map<number, ApplyResult>
}

/**
 * The peers as idempotent producers of one slot (Kafka's KIP-98): what their unanswered requests came to, so
 * that a request sent again over another path is answered, not done again. Ordered by last use.
 */
export class Producers {
  readonly #maxProducers: number
  readonly #maxResults: number
  readonly #producers = new Map<string, Producer>()
  #dirty = new Set<string>()

  /** @param maxResults results of one producer; beyond it the lowest is given up, its request becomes stale */
  constructor(rows: readonly ProducerRow[], maxProducers: number, maxResults: number) {
    this.#maxProducers = maxProducers
    this.#maxResults = maxResults
    const byUse = [...rows].sort((one, other) => one.usedIndex - other.usedIndex)
    for (const row of byUse) this.#producers.set(row.uid, { ...row, results: new Map(row.results) })
  }

  /** Judges a stamp. Changes nothing. */
  admit(stamp: ProducerStamp): Admission {
    const known = this.#producers.get(stamp.uid)
    if (stamp.sequence < stamp.low) return { kind: 'stale' }
    if (known === undefined || stamp.boot > known.boot) return { kind: 'new' }
    if (stamp.boot < known.boot || stamp.sequence < known.low) return { kind: 'stale' }
    const result = known.results.get(stamp.sequence)
    return result === undefined ? { kind: 'new' } : { kind: 'again', result }
  }

  /** Keeps the result of a command that was admitted as new and applied at log index `index`. */
  remember(stamp: ProducerStamp, index: number, result: ApplyResult): void {
    const known = this.#producers.get(stamp.uid)
    const producer: Producer =
      known !== undefined && known.boot === stamp.boot
        ? known
        : { uid: stamp.uid, boot: stamp.boot, low: stamp.low, usedIndex: index, results: new Map() }
    producer.usedIndex = index
    producer.results.set(stamp.sequence, result)
    raiseLow(producer, stamp.low)
    if (producer.results.size > this.#maxResults) raiseLow(producer, Math.min(...producer.results.keys()) + 1)
    // Put last: the map's order is the order of use.
    this.#producers.delete(stamp.uid)
    this.#producers.set(stamp.uid, producer)
    this.#dirty.add(stamp.uid)
    if (this.#producers.size > this.#maxProducers) this.#forgetOldest()
  }

  #forgetOldest(): void {
    for (const uid of this.#producers.keys()) {
      this.#producers.delete(uid)
      this.#dirty.add(uid)
      return
    }
  }

  /** Rows that changed since the last call, null for a forgotten one. */
  drain(): ReadonlyMap<string, ProducerRow | null> {
    const changes = new Map<string, ProducerRow | null>()
    for (const uid of this.#dirty) {
      const producer = this.#producers.get(uid)
      changes.set(uid, producer === undefined ? null : toRow(producer))
    }
    this.#dirty = new Set()
    return changes
  }

  /** All rows, longest unused first. */
  rows(): ProducerRow[] {
    return [...this.#producers.values()].map(toRow)
  }
}

/** Drops the results below `low`, walking whichever is shorter: the sequences passed over or the results. */
function raiseLow(producer: Producer, low: number): void {
  if (low <= producer.low) return
  if (low - producer.low <= producer.results.size) {
    for (let sequence = producer.low; sequence < low; sequence++) producer.results.delete(sequence)
  } else {
    for (const sequence of producer.results.keys()) if (sequence < low) producer.results.delete(sequence)
  }
  producer.low = low
}

function toRow(producer: Producer): ProducerRow {
  const results = [...producer.results].sort(([one], [other]) => one - other)
  return { uid: producer.uid, boot: producer.boot, low: producer.low, usedIndex: producer.usedIndex, results }
}
