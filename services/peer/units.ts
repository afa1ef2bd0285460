/**
 * How durations and sizes are written by people: `250ms`, `10s`, `5m`, `7d`, `64KiB`, `1MiB`.
 * A bare number is milliseconds or bytes.
 */

const DURATIONS_MS: readonly (readonly [unit: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
]

const SIZES_BYTES: readonly (readonly [unit: string, bytes: number])[] = [
  ['TiB', 1_099_511_627_776],
  ['GiB', 1_073_741_824],
  ['MiB', 1_048_576],
  ['KiB', 1_024],
  ['B', 1],
]

/** Milliseconds of a written duration; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  return parseWithUnit(text, DURATIONS_MS)
}

/** Bytes of a written size; undefined when it is none. Units are powers of 1024 and may be in any case. */
export function parseSize(text: string): number | undefined {
  return parseWithUnit(text, SIZES_BYTES)
}

/** The shortest writing of so many milliseconds, e.g. `7d` or `1500ms`. */
export function formatDuration(ms: number): string {
  return formatWithUnit(ms, DURATIONS_MS)
}

/** The shortest writing of so many bytes, e.g. `8MiB`. */
export function formatSize(bytes: number): string {
  return formatWithUnit(bytes, SIZES_BYTES)
}

/** About so many bytes, for a person who waits: e.g. `12.4 MiB`. */
export function aboutSize(bytes: number): string {
  const [unit, factor] = SIZES_BYTES.find(([, each]) => bytes >= each) ?? SIZES_BYTES.at(-1)!
  const value = bytes / factor
  return `${value.toFixed(factor === 1 || value >= 100 ? 0 : 1)} ${unit}`
}

type Units = readonly (readonly [unit: string, factor: number])[]

function parseWithUnit(text: string, units: Units): number | undefined {
  const parts = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim())
  if (!parts) return undefined
  const unit = parts[2]!.toLowerCase()
  const factor = unit === '' ? 1 : units.find(([name]) => name.toLowerCase() === unit)?.[1]
  if (factor === undefined) return undefined
  const value = Number(parts[1]) * factor
  return Number.isSafeInteger(value) ? value : undefined
}

function formatWithUnit(value: number, units: Units): string {
  const [unit, factor] = units.find(([, each]) => value >= each && value % each === 0) ?? units.at(-1)!
  return `${value / factor}${unit}`
}
