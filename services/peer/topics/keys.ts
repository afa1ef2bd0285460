import type { KeyRow } from './types.ts'

/** Keys forgotten while one command is applied: a command adds at most one, so old ones never gather. */
const PURGE_SLICE = 64

/** Where a key's row lies in `SlotChanges.keys`. A topic's name holds no NUL, so this is unambiguous. */
export function keyId(topic: string, key: string): string {
  return `${topic}\u0000${key}`
}

/**
 * Clients' idempotency keys of one slot, oldest first. A key leaves by age alone, also when space is short
 * (P3), and it outlives its topic: a retry that arrives after a deletion must not publish into the next life.
 * The order is that of the events' sequences, so a copy made from rows in any order ages its keys alike.
 */
export class Keys {
  readonly #maxKeys: number
  readonly #windowMs: number
  readonly #rows = new Map<string, KeyRow>()
  #changes = new Map<string, KeyRow | null>()

  constructor(rows: readonly KeyRow[], maxKeys: number, windowMs: number) {
    this.#maxKeys = maxKeys
    this.#windowMs = windowMs
    const byAge = [...rows].sort((one, other) => one.result.sequence - other.result.sequence)
    for (const row of byAge) this.#rows.set(keyId(row.topic, row.key), row)
  }

  get(topic: string, key: string): KeyRow | undefined {
    return this.#rows.get(keyId(topic, key))
  }

  get full(): boolean {
    return this.#rows.size >= this.#maxKeys
  }

  /** Remembers a key that is not there yet; its result's sequence is above that of all others. */
  add(row: KeyRow): void {
    const id = keyId(row.topic, row.key)
    this.#rows.set(id, row)
    this.#changes.set(id, row)
  }

  /** Forgets keys older than the window at `timeMs`, from the oldest on, a bounded number of them. */
  purge(timeMs: number): void {
    let left = PURGE_SLICE
    for (const [id, row] of this.#rows) {
      if (row.timeMs >= timeMs - this.#windowMs || left-- === 0) return
      this.#rows.delete(id)
      this.#changes.set(id, null)
    }
  }

  /** Rows that changed since the last call, null for a forgotten one. */
  drain(): ReadonlyMap<string, KeyRow | null> {
    const changes = this.#changes
    this.#changes = new Map()
    return changes
  }

  /** All rows, oldest first. */
  rows(): KeyRow[] {
    return [...this.#rows.values()]
  }
}
