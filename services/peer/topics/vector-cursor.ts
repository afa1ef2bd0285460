import type { SlotPosition } from './positions.ts'

/** Where a stream stands in a slot that nobody could be asked about yet: before the first event stamped then or later. */
export interface Since {
  readonly sinceMs: number
}

/** Where a stream over several topics stands in one slot. */
export type SlotPlace = SlotPosition | Since

/** Base 36, of a safe integer: no sign, no leading zero, lower case. */
const NUMBER = '(?:0|[1-9a-z][0-9a-z]{0,10})'
const PLACE = new RegExp(`^(${NUMBER})\\.(?:t(${NUMBER})|(${NUMBER})\\.(${NUMBER}))$`)
/** A slot, a sequence and an index of eleven digits at most, their dots, and the tilde before the next place. */
const MAX_PLACE_CHARACTERS = 36

/** True when the slot is not decided yet. */
export function isSince(place: SlotPlace): place is Since {
  return 'sinceMs' in place
}

/** One slot's part of a cursor: `<slot>.<sequence>.<index>` or `<slot>.t<ms>`, numbers in base 36. */
export function formatPlace(slot: number, place: SlotPlace): string {
  const where = isSince(place)
    ? `t${place.sinceMs.toString(36)}`
    : `${place.sequence.toString(36)}.${place.index.toString(36)}`
  return `${slot.toString(36)}.${where}`
}

/**
 * The SSE `id` of a stream over several topics: the places joined by `~`, for example `1.2s.4f~u.0.0~v.tmhx3k9a2`.
 * @param places by slot, slots ascending, at least one
 */
export function formatVectorCursor(places: Iterable<readonly [slot: number, place: SlotPlace]>): string {
  return [...places].map(([slot, place]) => formatPlace(slot, place)).join('~')
}

/**
 * Reads what `formatVectorCursor` wrote, and nothing else. A single topic's cursor is never one: it has no dot.
 * @param maxPlaces slots that a cursor can speak of
 * @returns places by slot, ascending; undefined for anything else
 */
export function parseVectorCursor(text: string, maxPlaces: number): Map<number, SlotPlace> | undefined {
  if (text.length > maxPlaces * MAX_PLACE_CHARACTERS) return undefined
  const parts = text.split('~')
  if (parts.length > maxPlaces) return undefined
  const places = new Map<number, SlotPlace>()
  let before = -1
  for (const part of parts) {
    const [, slotText, sinceText, sequenceText, indexText] = PLACE.exec(part) ?? []
    const slot = readNumber(slotText)
    const place = readPlace(sinceText, sequenceText, indexText)
    if (slot === undefined || slot <= before || place === undefined) return undefined
    places.set(slot, place)
    before = slot
  }
  return places
}

function readPlace(
  sinceText: string | undefined,
  sequenceText: string | undefined,
  indexText: string | undefined,
): SlotPlace | undefined {
  if (sinceText !== undefined) {
    const sinceMs = readNumber(sinceText)
    return sinceMs === undefined ? undefined : { sinceMs }
  }
  const sequence = readNumber(sequenceText)
  const index = readNumber(indexText)
  return sequence === undefined || index === undefined ? undefined : { sequence, index }
}

function readNumber(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const number = Number.parseInt(text, 36)
  return Number.isSafeInteger(number) ? number : undefined
}
