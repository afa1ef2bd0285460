import type { SlotPosition } from '../topics/positions.ts'
import type { StoredEvent } from '../topics/types.ts'

/** What is known of a topic at some place of its slot. */
export interface TopicGlance {
  readonly incarnation: number
  readonly earliest: number
  readonly latest: number
}

/**
 * Somebody on this peer who is told what happens in one slot. What it is told of may lie at or below its own place: that
 * is to be ignored.
 */
export interface SlotTap {
  /** Topics and patterns; fixed for the tap's life. */
  readonly wants: readonly string[]
  /**
   * From now on every matching event behind `position` is told; what lies between the tap's own place and it must be read
   * from the log. Comes first, and again whenever the order of events was interrupted. `rows`: what is known there of
   * each topic that is wanted by its name; null: there was none when `incarnation` was the last one the slot had given out
   * there.
   */
  covered(position: SlotPosition, rows: ReadonlyMap<string, TopicGlance | null>, incarnation: number): void
  /** The next events of one topic, all of the log entry at `index`. */
  events(topic: string, events: readonly StoredEvent[], index: number): void
  /** This life of the topic is over, by the log entry at `index`. */
  ended(topic: string, incarnation: number, latest: number, index: number): void
  /** All matching events up to `position` were told. */
  passed(position: SlotPosition): void
  /** The order is broken: nothing is told until `covered`. Only whoever passes events on needs to know. */
  interrupted?(): void
}

/** The live events of every slot, wherever they come from. */
export interface SlotTaps {
  /** Begins to tell `tap`, perhaps before this returns. Returns the way to stop. */
  tap(slot: number, tap: SlotTap): () => void
}
