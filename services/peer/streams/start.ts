import { HypercastError } from '../errors.ts'
import type { StreamStart } from './types.ts'

/** What somebody knows of a topic: this peer's replica, a feed, another replica, or the primary by a linearizable read. */
export interface Knowledge {
  readonly topic:
    | { readonly incarnation: number; readonly earliest: number; readonly latest: number }
    | undefined
  /** Last incarnation the slot has given out. */
  readonly incarnation: number
  /** It was so at some time after the question was asked; otherwise it may be old. */
  readonly linearizable: boolean
}

/** Where a stream begins, or why it does not. `undecided`: only newer knowledge can tell. */
export type Decision =
  | {
      readonly kind: 'start'
      readonly incarnation: number
      /** Offset of the first event; above `latest + 1` it waits for that. */
      readonly next: number
      readonly earliest: number
      readonly latest: number
      /** The position before `next` exists, so that a cursor may name it. */
      readonly positioned: boolean
    }
  | { readonly kind: 'ended' }
  | { readonly kind: 'refused'; readonly error: HypercastError }
  | { readonly kind: 'undecided' }

/** A start that needs no look at the log: times have become offsets. */
export type PlainStart = Exclude<StreamStart, { kind: 'time' }>

/**
 * Decides where a stream begins. What is known may be old, and then only what cannot become untrue is said: that the
 * topic does not exist, that its life has ended, and that a cursor is from the future need linearizable knowledge.
 */
export function decide(topic: string, start: PlainStart, knowledge: Knowledge): Decision {
  if (start.kind === 'cursor') return decideCursor(topic, start, knowledge)
  const row = knowledge.topic
  if (row === undefined) {
    if (!knowledge.linearizable) return { kind: 'undecided' }
    return refused('UNKNOWN_TOPIC', `There is no topic ${JSON.stringify(topic)}`)
  }
  const next = firstOffset(start, row)
  return begin(row, next, next <= row.latest + 1)
}

function firstOffset(
  start: Exclude<PlainStart, { kind: 'cursor' }>,
  row: NonNullable<Knowledge['topic']>,
): number {
  switch (start.kind) {
    case 'latest':
      return row.latest + 1
    case 'earliest':
      return row.earliest
    case 'offset':
      return Math.max(1, start.offset)
    case 'last':
      return Math.max(row.earliest, row.latest + 1 - start.count)
  }
}

function decideCursor(
  topic: string,
  cursor: PlainStart & { kind: 'cursor' },
  knowledge: Knowledge,
): Decision {
  const row = knowledge.topic
  if (row?.incarnation === cursor.incarnation) {
    if (cursor.offset <= row.latest) return begin(row, cursor.offset + 1, true)
    if (!knowledge.linearizable) return { kind: 'undecided' }
    return fromFuture(topic, cursor)
  }
  if (!knowledge.linearizable) return { kind: 'undecided' }
  // A life that the slot has given out and that is over, unless it was another topic's.
  const newest = row?.incarnation ?? knowledge.incarnation
  return cursor.incarnation <= newest ? { kind: 'ended' } : fromFuture(topic, cursor)
}

function begin(row: NonNullable<Knowledge['topic']>, next: number, positioned: boolean): Decision {
  const { incarnation, earliest, latest } = row
  return { kind: 'start', incarnation, next, earliest, latest, positioned }
}

function fromFuture(
  topic: string,
  cursor: { readonly offset: number; readonly incarnation: number },
): Decision {
  const name = `${cursor.offset}-${cursor.incarnation}`
  return refused(
    'CURSOR_FROM_FUTURE',
    `The cursor ${name} names an event of ${JSON.stringify(topic)} that was never published`,
  )
}

function refused(code: 'UNKNOWN_TOPIC' | 'CURSOR_FROM_FUTURE', detail: string): Decision {
  return { kind: 'refused', error: new HypercastError(code, detail) }
}
