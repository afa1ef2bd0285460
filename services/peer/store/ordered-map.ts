import type { Key, RangeOptions } from './kv.ts'

/** Keys are grouped by table and slot (keys.ts), and so are almost all ranges. */
const PREFIX_CHARS = 3

interface Bucket<V> {
  readonly values: Map<Key, V>
  /** Every key of `values`, and perhaps some that were deleted; ascending unless `dirty`. */
  order: Key[]
  dirty: boolean
}

/** A map whose keys can be walked in order. Cheap where keys mostly arrive ascending, as log rows do. */
export class OrderedMap<V> {
  readonly #buckets = new Map<string, Bucket<V>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(key: Key): V | undefined {
    return this.#buckets.get(key.slice(0, PREFIX_CHARS))?.values.get(key)
  }

  has(key: Key): boolean {
    return this.#buckets.get(key.slice(0, PREFIX_CHARS))?.values.has(key) ?? false
  }

  set(key: Key, value: V): void {
    const prefix = key.slice(0, PREFIX_CHARS)
    let bucket = this.#buckets.get(prefix)
    if (!bucket) {
      bucket = { values: new Map(), order: [], dirty: false }
      this.#buckets.set(prefix, bucket)
    }
    if (!bucket.values.has(key)) {
      const last = bucket.order.at(-1)
      if (last !== undefined && key <= last) bucket.dirty = true
      bucket.order.push(key)
      this.#size++
    }
    bucket.values.set(key, value)
  }

  delete(key: Key): void {
    const prefix = key.slice(0, PREFIX_CHARS)
    const bucket = this.#buckets.get(prefix)
    if (!bucket?.values.delete(key)) return
    this.#size--
    if (bucket.values.size === 0) {
      this.#buckets.delete(prefix)
      return
    }
    const { order, values } = bucket
    while (order.length > 0 && !values.has(order.at(-1)!)) order.pop()
    if (order.length > 2 * values.size + 32) tidy(bucket)
  }

  /** Entries from `from` (inclusive) to `to` (exclusive), in order. */
  range(from: Key, to: Key, options: RangeOptions = {}): [Key, V][] {
    const limit = options.limit ?? Number.POSITIVE_INFINITY
    const prefixes = this.#prefixes(from, to)
    if (options.reverse) prefixes.reverse()
    const found: [Key, V][] = []
    for (const prefix of prefixes) {
      if (found.length >= limit) break
      collect(this.#buckets.get(prefix)!, from, to, limit, options.reverse ?? false, found)
    }
    return found
  }

  clone(): OrderedMap<V> {
    const copy = new OrderedMap<V>()
    for (const [prefix, bucket] of this.#buckets) {
      copy.#buckets.set(prefix, {
        values: new Map(bucket.values),
        order: bucket.order.slice(),
        dirty: bucket.dirty,
      })
    }
    copy.#size = this.#size
    return copy
  }

  #prefixes(from: Key, to: Key): string[] {
    const first = from.slice(0, PREFIX_CHARS)
    const last = to.slice(0, PREFIX_CHARS)
    if (first === last) return this.#buckets.has(first) ? [first] : []
    return [...this.#buckets.keys()].filter(prefix => prefix >= first && prefix <= last).sort()
  }
}

function tidy<V>(bucket: Bucket<V>): void {
  bucket.order = [...bucket.values.keys()].sort(compare)
  bucket.dirty = false
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function collect<V>(
  bucket: Bucket<V>,
  from: Key,
  to: Key,
  limit: number,
  reverse: boolean,
  found: [Key, V][],
): void {
  if (bucket.dirty) tidy(bucket)
  const { order, values } = bucket
  const low = lowerBound(order, from)
  const high = lowerBound(order, to)
  for (let i = low; i < high && found.length < limit; i++) {
    const key = order[reverse ? high - 1 - (i - low) : i]!
    const value = values.get(key)
    if (value !== undefined || values.has(key)) found.push([key, value as V])
  }
}

/** Place of the first element that is not below `key`. */
function lowerBound(order: readonly Key[], key: Key): number {
  let low = 0
  let high = order.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (order[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}
