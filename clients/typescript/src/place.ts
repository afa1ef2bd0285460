/**
 * Where a stream is, read from a cursor. To users a cursor is opaque; tabs that share a stream must be able to tell
 * which of two is further.
 */
export interface Place {
  /** The cursor itself. */
  readonly text: string
  /** By slot, for several topics; under `SINGLE` the offset and incarnation of a single topic. */
  readonly parts: ReadonlyMap<number, Part>
}

/** One slot's place: everything up to `sequence` was passed, and what was deleted up to log index `index`. */
interface Decided {
  readonly sequence: number
  readonly index: number
}
/** A slot that could not be looked at yet: it begins with events stamped at or after `timeMs`. */
interface Undecided {
  readonly timeMs: number
}
type Part = Decided | Undecided

const SINGLE = -1
const BASE = 36

/** Reads `<offset>-<incarnation>` or `<slot>.<sequence>.<index>~<slot>.t<ms>…`. @returns undefined for anything else */
export function readPlace(text: string): Place | undefined {
  const single = /^(\d+)-(\d+)$/.exec(text)
  if (single) {
    const [, sequence, index] = single
    return { text, parts: new Map([[SINGLE, { sequence: Number(sequence), index: Number(index) }]]) }
  }
  const parts = new Map<number, Part>()
  for (const component of text.split('~')) {
    const found = /^([0-9a-z]+)\.(?:t([0-9a-z]+)|([0-9a-z]+)\.([0-9a-z]+))$/.exec(component)
    if (found === null) return undefined
    const [, slot = '', timeMs, sequence = '', index = ''] = found
    parts.set(
      numberOf(slot),
      timeMs === undefined
        ? { sequence: numberOf(sequence), index: numberOf(index) }
        : { timeMs: numberOf(timeMs) },
    )
  }
  return { text, parts }
}

/**
 * True when whoever is at `place` has passed all that lies before `other`. False also where that cannot be told.
 * @param isStrict false to ask for events only: a slot without news may stand at one index in one stream and at a
 *   later one in another, for as long as nothing happens to it
 */
export function covers(place: Place, other: Place, isStrict = true): boolean {
  if (place.text === other.text) return true
  for (const [slot, theirs] of other.parts) {
    const mine = place.parts.get(slot)
    if (mine === undefined || !partCovers(slot, mine, theirs, isStrict)) return false
  }
  return true
}

/** The place of one who has passed all that either has passed. */
export function merge(one: Place, other: Place): Place {
  if (covers(one, other)) return one
  if (covers(other, one)) return other
  const parts = new Map(one.parts)
  for (const [slot, theirs] of other.parts) {
    const mine = parts.get(slot)
    parts.set(slot, mine === undefined ? theirs : mergeParts(mine, theirs))
  }
  return { text: textOf(parts), parts }
}

/**
 * `start` with its undecided slots set to where `later`, a place of the same stream, has them: at or behind where the
 * stream really began there.
 */
export function settle(start: Place, later: Place): Place {
  const parts = new Map(start.parts)
  let hasChanged = false
  for (const [slot, part] of parts) {
    const decided = later.parts.get(slot)
    if (isDecided(part) || decided === undefined || !isDecided(decided)) continue
    parts.set(slot, decided)
    hasChanged = true
  }
  return hasChanged ? { text: textOf(parts), parts } : start
}

function isDecided(part: Part): part is Decided {
  return 'sequence' in part
}

function partCovers(slot: number, mine: Part, theirs: Part, isStrict: boolean): boolean {
  if (!isDecided(mine)) return !isDecided(theirs) && mine.timeMs === theirs.timeMs
  if (!isDecided(theirs)) return false
  // The offsets of a topic's next life begin again at 1.
  if (slot === SINGLE && mine.index !== theirs.index) return mine.index > theirs.index
  return mine.sequence >= theirs.sequence && (mine.index >= theirs.index || !isStrict)
}

function mergeParts(mine: Part, theirs: Part): Part {
  if (!isDecided(mine)) return isDecided(theirs) ? theirs : mine
  if (!isDecided(theirs)) return mine
  return {
    sequence: Math.max(mine.sequence, theirs.sequence),
    index: Math.max(mine.index, theirs.index),
  }
}

/** Base 36 as the peers write it. Slots, sequences and times are far below 2^53. */
function numberOf(text: string): number {
  return Number.parseInt(text, BASE)
}

function textOf(parts: ReadonlyMap<number, Part>): string {
  const single = parts.get(SINGLE)
  if (single && isDecided(single)) return `${single.sequence}-${single.index}`
  return [...parts]
    .sort(([one], [other]) => one - other)
    .map(([slot, part]) => {
      const name = slot.toString(BASE)
      if (!isDecided(part)) return `${name}.t${part.timeMs.toString(BASE)}`
      return `${name}.${part.sequence.toString(BASE)}.${part.index.toString(BASE)}`
    })
    .join('~')
}
