import type { TopicRow } from './types.ts'

/** The topics of one slot by name, also in order of name, and which of them changed. */
export class TopicTable {
  readonly #rows = new Map<string, TopicRow>()
  /** Sorted by code unit. */
  readonly #names: string[]
  #dirty = new Set<string>()
  /** No row's floor lies behind this log index. */
  #trimmedIndex = 0

  constructor(rows: readonly TopicRow[]) {
    for (const row of rows) {
      this.#rows.set(row.name, row)
      this.#noteFloor(row)
    }
    this.#names = [...this.#rows.keys()].sort()
  }

  get size(): number {
    return this.#rows.size
  }

  get(name: string): TopicRow | undefined {
    return this.#rows.get(name)
  }

  /** Adds or replaces a row. */
  set(row: TopicRow): void {
    if (!this.#rows.has(row.name)) this.#names.splice(this.#firstAfter(row.name), 0, row.name)
    this.#rows.set(row.name, row)
    this.#dirty.add(row.name)
    this.#noteFloor(row)
  }

  /** Removes a row that is there. */
  delete(name: string): void {
    this.#names.splice(this.#firstAfter(name) - 1, 1)
    this.#rows.delete(name)
    this.#dirty.add(name)
  }

  /** Rows whose names sort behind `after` by code unit, ascending, at most `limit`. */
  page(after: string, limit: number): TopicRow[] {
    const from = this.#firstAfter(after)
    return this.#names.slice(from, from + limit).map(name => this.#rows.get(name)!)
  }

  /** Rows that match and lost events to a trim behind log index `index`. */
  trimmedBehind(index: number, matches: (name: string) => boolean): TopicRow[] {
    if (this.#trimmedIndex <= index) return []
    return this.matching(matches, ({ floor }) => floor !== undefined && floor.index > index)
  }

  /** Rows whose names match, in order of name; `isMeant` is asked first. */
  matching(matches: (name: string) => boolean, isMeant = (_: TopicRow) => true): TopicRow[] {
    const rows = this.#names.map(name => this.#rows.get(name)!)
    return rows.filter(row => isMeant(row) && matches(row.name))
  }

  /** Rows that changed since the last call, null for a deleted one. */
  drain(): ReadonlyMap<string, TopicRow | null> {
    const changes = new Map<string, TopicRow | null>()
    for (const name of this.#dirty) changes.set(name, this.#rows.get(name) ?? null)
    this.#dirty = new Set()
    return changes
  }

  #noteFloor({ floor }: TopicRow): void {
    if (floor !== undefined) this.#trimmedIndex = Math.max(this.#trimmedIndex, floor.index)
  }

  /** Place of the first name that sorts behind `name`. */
  #firstAfter(name: string): number {
    let low = 0
    let high = this.#names.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#names[middle]! <= name) low = middle + 1
      else high = middle
    }
    return low
  }
}
