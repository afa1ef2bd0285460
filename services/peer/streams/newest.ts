import type { Placed } from '../links/slot-operations.ts'
import type { SlotPlace } from '../topics/vector-cursor.ts'

/**
 * Where a stream begins that shows the `count` newest events of several slots.
 * @param placed by slot: its last events, at least `count` if there are so many; undefined where nobody said
 * @param nowMs from when on slots of which nobody said are shown if no event is known at all
 */
export function newest(placed: readonly (Placed | undefined)[], count: number, nowMs: number): SlotPlace[] {
  const all = placed.flatMap((one, at) =>
    (one?.tail ?? []).map(([, timeMs], place) => ({ at, place, timeMs })),
  )
  // Newest first. Along a slot stamps never fall, so that what is kept of it is its end.
  all.sort((one, other) => other.timeMs - one.timeMs || other.at - one.at || other.place - one.place)
  const kept = all.slice(0, count)
  const firstMs = kept.at(-1)?.timeMs ?? nowMs
  const first = new Map(kept.map(({ at, place }) => [at, place]))
  return placed.map((one, at) => {
    if (one === undefined) return { sinceMs: firstMs }
    const { index } = one.position
    const place = first.get(at)
    if (place !== undefined) return { sequence: one.tail[place]![0] - 1, index }
    const last = one.tail.at(-1)
    return last === undefined ? one.position : { sequence: last[0], index }
  })
}
