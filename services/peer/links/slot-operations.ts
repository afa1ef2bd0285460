import type { SlotLogs } from '../engine/types.ts'
import type { SlotPosition } from '../topics/positions.ts'
import type { StoredEvent } from '../topics/types.ts'

/** An event with the topic it belongs to. */
export interface SlotEvent {
  readonly topic: string
  readonly event: StoredEvent
}

/** Events of one life of a topic up to an offset are gone. */
export interface SlotGap {
  readonly topic: string
  readonly incarnation: number
  readonly to: number
  /** Log index of the trim that took the last of them. */
  readonly index: number
}

/** Where a stream over several topics begins in one slot. */
export type SlotStart =
  | { readonly kind: 'latest' }
  | { readonly kind: 'earliest' }
  | { readonly kind: 'time'; readonly timeMs: number }
  | { readonly kind: 'last'; readonly count: number }

/** What is asked of any replica of a slot that is new enough, but for a `fresh` place. A want is a topic's name or a pattern. */
export type SlotOperation =
  /** Events that match, behind `position`, ascending by sequence. */
  | {
      readonly kind: 'readSlot'
      readonly slot: number
      readonly wants: readonly string[]
      readonly position: SlotPosition
      readonly maxEvents: number
      readonly maxBytes: number
      /** Lives of topics of which the answer says whether they are over. */
      readonly shown?: readonly (readonly [topic: string, incarnation: number])[]
    }
  /** The place in the slot at which a stream of these wants begins. */
  | {
      readonly kind: 'placeSlot'
      readonly slot: number
      readonly wants: readonly string[]
      readonly start: SlotStart
      /** Linearizable: as the slot is now, by its primary. Otherwise any replica answers, which may be behind. */
      readonly fresh?: boolean
    }
  /** What the replica knows of a topic, which may be old; answered like `describe`. */
  | { readonly kind: 'glance'; readonly slot: number; readonly topic: string }

/** A part of a slot's order; see `readSlot`. */
export type Slice = SlotResult & { readonly kind: 'slice' }

/** A place in it; see `placeSlot`. */
export type Placed = SlotResult & { readonly kind: 'placed' }

export type SlotResult =
  | {
      readonly kind: 'slice'
      readonly events: readonly SlotEvent[]
      /** Topics of which events up to `to` are gone that the position had not passed; they come before the events. */
      readonly gaps: readonly SlotGap[]
      /** Where the reading got to, also without events. */
      readonly position: SlotPosition
      /** The slot's last sequence there. */
      readonly latest: number
      /** Incarnations of those that were `shown` and are over at `position`; absent when none were. */
      readonly over?: readonly number[]
    }
  | {
      readonly kind: 'placed'
      readonly position: SlotPosition
      /** For `last`: the last matching events, ascending. */
      readonly tail: readonly (readonly [sequence: number, timeMs: number])[]
    }

/** Which of the lives that a stream has shown are over, as applied here; one that is not known here yet is not. */
export function overOf(
  slots: Pick<SlotLogs, 'topic' | 'incarnation'>,
  slot: number,
  shown: readonly (readonly [topic: string, incarnation: number])[],
): number[] {
  const newest = slots.incarnation(slot)
  return shown
    .filter(([topic, incarnation]) => {
      const row = slots.topic(slot, topic)
      return row === undefined ? newest >= incarnation : row.incarnation > incarnation
    })
    .map(([, incarnation]) => incarnation)
}
