/** A place in one topic: the event at `offset` in the life `incarnation` of the topic's name was received. */
export interface TopicCursor {
  /** 0 stands before the first event. */
  readonly offset: number
  readonly incarnation: number
}

const CURSOR = /^(0|[1-9][0-9]{0,15})-([1-9][0-9]{0,15})$/

/** The SSE `id` of one topic's stream: `<offset>-<incarnation>`, for example `42-1`. */
export function formatCursor(offset: number, incarnation: number): string {
  return `${offset}-${incarnation}`
}

/**
 * Reads what `formatCursor` wrote, and nothing else: no sign, blank, leading zero or unsafe integer.
 * @returns undefined for anything else
 */
export function parseCursor(text: string): TopicCursor | undefined {
  const match = CURSOR.exec(text)
  if (match === null) return undefined
  const offset = Number(match[1])
  const incarnation = Number(match[2])
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(incarnation)) return undefined
  return { offset, incarnation }
}
