import type { Placed } from '../links/slot-operations.ts'
import type { SlotPlace } from '../topics/vector-cursor.ts'

/**
 * Where a stream begins that shows the `count` newest events of several slots.
 * @param placed by slot: its last events, at least `count` if there are so many; undefined where nobody said
 * @param nowMs from when on slots of which nobody said are shown if no event is known at all
 */
export function newest(placed: readonly (Placed | undefined)[], count: number, nowMs: number): SlotPlace[] {
  // Along a slot stamps never fall, so that what is kept of it is its end: only the ends are compared. With as many
  // slots and events as there may be, a list of all would take a long turn.
  const kept = placed.map(() => 0)
  const stamps = placed.map(one => one?.tail.at(-1)?.[1] ?? Number.NEGATIVE_INFINITY)
  let firstMs = nowMs
  for (let left = count; left > 0; left -= 1) {
    const at = latestOf(stamps)
    if (at === undefined) break
    firstMs = stamps[at]!
    kept[at]! += 1
    const { tail } = placed[at]!
    stamps[at] = tail[tail.length - 1 - kept[at]!]?.[1] ?? Number.NEGATIVE_INFINITY
  }
  return placed.map((one, at) => {
    if (one === undefined) return { sinceMs: firstMs }
    const { position, tail } = one
    const { index } = position
    if (kept[at]! > 0) return { sequence: tail[tail.length - kept[at]!]![0] - 1, index }
    const last = tail.at(-1)
    return last === undefined ? position : { sequence: last[0], index }
  })
}

/** Where the highest stamp is, of several the last; undefined when there is none. */
function latestOf(stamps: readonly number[]): number | undefined {
  let found: number | undefined
  let highest = Number.NEGATIVE_INFINITY
  for (let at = stamps.length - 1; at >= 0; at -= 1) {
    if (stamps[at]! <= highest) continue
    highest = stamps[at]!
    found = at
  }
  return found
}
