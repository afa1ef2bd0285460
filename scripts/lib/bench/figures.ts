import { build, decodeFromCompressedBase64, type Histogram } from 'hdr-histogram-js'

/** Percentiles of latencies, in milliseconds; NaN when there are none. */
export interface Latencies {
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** Puts together what processes of the load, or rounds, measured; each as hdr-histogram-js encodes microseconds. */
export function latencies(encoded: readonly string[]): Latencies {
  const all: Histogram = build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 })
  for (const one of encoded) all.add(decodeFromCompressedBase64(one))
  const { totalCount: count } = all
  const ms = (us: number) => (count === 0 ? Number.NaN : us / 1_000)
  return {
    count,
    p50Ms: ms(all.getValueAtPercentile(50)),
    p99Ms: ms(all.getValueAtPercentile(99)),
    maxMs: ms(all.maxValue),
  }
}

/** The middle one, of two the mean; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  const half = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}

/** Slope of the line of least squares through the points; 0 of fewer than two places. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const meanX = mean(points.map(([x]) => x))
  const meanY = mean(points.map(([, y]) => y))
  let above = 0
  let below = 0
  for (const [x, y] of points) {
    above += (x - meanX) * (y - meanY)
    below += (x - meanX) ** 2
  }
  return below === 0 ? 0 : above / below
}

/** Cumulative counts of a Prometheus histogram by upper bound (ascending, the last infinite), over all its series. */
export type Buckets = ReadonlyMap<number, number>

/** Reads the buckets of the histogram `name` from the text of /metrics. */
export function buckets(text: string, name: string): Buckets {
  const found = new Map<number, number>()
  for (const line of text.split('\n')) {
    if (!line.startsWith(`${name}_bucket{`)) continue
    const bound = /le="([^"]+)"/.exec(line)![1]!
    const upTo = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound)
    found.set(upTo, (found.get(upTo) ?? 0) + Number(line.slice(line.lastIndexOf(' ') + 1)))
  }
  return found
}

/**
 * The quantile of what was added between `before` and `after`, in the unit of the bounds: straight within its bucket, the
 * highest finite bound beyond that. NaN when nothing was added.
 */
export function bucketQuantile(before: readonly Buckets[], after: readonly Buckets[], q: number): number {
  const bounds = [...(after[0]?.keys() ?? [])]
  const sum = (all: readonly Buckets[], bound: number) =>
    all.reduce((total, one) => total + (one.get(bound) ?? 0), 0)
  const counts = bounds.map(bound => sum(after, bound) - sum(before, bound))
  const total = counts.at(-1) ?? 0
  if (total === 0) return Number.NaN
  const at = counts.findIndex(count => count >= q * total)
  const lower = at === 0 ? 0 : bounds[at - 1]!
  if (bounds[at] === Number.POSITIVE_INFINITY) return lower
  const below = at === 0 ? 0 : counts[at - 1]!
  return lower + ((bounds[at]! - lower) * (q * total - below)) / (counts[at]! - below)
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
