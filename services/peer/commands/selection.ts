import { LIMITS } from '../limits.ts'
import { parseCursor } from '../topics/cursor.ts'
import { topicNameProblem } from '../topics/names.ts'
import { parseVectorCursor } from '../topics/vector-cursor.ts'
import { isPattern, patternProblem } from '../topics/wants.ts'

/** Which topics `hypercast sub` prints: by their names, and by patterns. */
export interface Selection {
  /** Each once, in their order; at least one. */
  readonly wants: readonly string[]
  /** True for anything but one plain name: such events say of which topic they are, and their cursor is a vector. */
  readonly several: boolean
}

/** The selection of these names and patterns. */
export function selectionOf(wants: readonly string[]): Selection {
  const unique = [...new Set(wants)]
  return { wants: unique, several: unique.length > 1 || isPattern(unique[0]!) }
}

/** What is wrong with a topic's name, or with a pattern; undefined for nothing. */
export function wantProblem(want: string): string | undefined {
  const [what, problem] = isPattern(want)
    ? ['the pattern', patternProblem(want)]
    : ['the name', topicNameProblem(want)]
  return problem === undefined ? undefined : `${what} ${problem}`
}

/** Path and query of the selection's stream, to which `&name=value` may be added. */
export function streamPath({ wants, several }: Selection): string {
  if (!several) return `${topicPath(wants[0]!)}/events?format=cloudevents`
  return `/v1/events?${wants.map(want => `topic=${encodeURIComponent(want)}`).join('&')}`
}

/** Path of one topic. */
export function topicPath(topic: string): string {
  return `/v1/topics/${encodeURIComponent(topic)}`
}

/** The selection in words: all of it when it is short. */
export function describeSelection({ wants }: Pick<Selection, 'wants'>): string {
  const shown = wants.slice(0, SHOWN).map(want => `"${want}"`)
  const more = wants.length - shown.length
  if (more > 0) return `${shown.join(', ')} and ${more} more`
  return [shown.slice(0, -1).join(', '), shown.at(-1)].filter(Boolean).join(' and ')
}

/** True when both name the same topics, in whatever order. */
export function sameWants(one: readonly string[], other: readonly string[]): boolean {
  const [left, right] = [new Set(one), new Set(other)]
  return left.size === right.size && one.every(want => right.has(want))
}

/** The form of a cursor: that of one topic is `<offset>-<incarnation>`, that of several a vector; undefined for none. */
export function cursorForm(cursor: string): 'one' | 'several' | undefined {
  if (parseCursor(cursor) !== undefined) return 'one'
  return parseVectorCursor(cursor, LIMITS.MAX_STREAM_SLOTS) === undefined ? undefined : 'several'
}

/** True when a stream of the selection can be resumed behind the cursor. */
export function fits(cursor: string, { several }: Selection): boolean {
  return cursorForm(cursor) === (several ? 'several' : 'one')
}

const SHOWN = 3
