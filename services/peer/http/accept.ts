/** Media types `GET …/events` gives, in the order preferred where the client has no preference. */
export const EVENT_TYPES = ['text/event-stream', 'application/json', 'application/x-ndjson'] as const
export type EventsType = (typeof EVENT_TYPES)[number]

/** Ranges looked at in one Accept header: browsers send about eight. */
const MAX_RANGES = 32

interface Range {
  readonly type: string
  readonly q: number
}

/**
 * The best of `types` for an Accept header (RFC 9110, section 12.5.1): highest q, where the most specific range
 * names a type's q; the order of `types` breaks ties, so that a missing header and every wildcard mean SSE.
 * @returns undefined when none is acceptable
 */
export function negotiate(
  accept: string | undefined,
  types: readonly EventsType[] = EVENT_TYPES,
): EventsType | undefined {
  if (accept === undefined || accept.trim() === '') return 'text/event-stream'
  const ranges = accept.split(',').slice(0, MAX_RANGES).map(readRange)
  let best: EventsType | undefined
  let bestQ = 0
  for (const type of types) {
    const q = quality(type, ranges)
    if (q > bestQ) {
      best = type
      bestQ = q
    }
  }
  return best
}

function readRange(text: string): Range {
  const [type = '', ...parameters] = text.split(';')
  let q = 1
  for (const parameter of parameters) {
    const match = /^\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*$/i.exec(parameter)
    if (match) q = Math.min(1, Number(match[1]))
  }
  return { type: type.trim().toLowerCase(), q }
}

function quality(type: EventsType, ranges: readonly Range[]): number {
  const family = `${type.slice(0, type.indexOf('/'))}/*`
  for (const wanted of [type, family, '*/*']) {
    const found = ranges.find(range => range.type === wanted)
    if (found) return found.q
  }
  return 0
}
