import type { SlotPosition } from '../topics/positions.ts'
import type { StoredEvent } from '../topics/types.ts'
import type { TopicGlance } from './taps.ts'

/** What a source tells of its slot; a slot's feed is one who listens. */
export interface SlotNews {
  /** Whether anybody here wants events of this topic. */
  wanted(topic: string): boolean
  /**
   * Every event that matches `wants` behind `position` is told from now on; also anew when some were left out.
   * @param rows topics among `wants` that exist there
   */
  covered(
    wants: readonly string[],
    position: SlotPosition,
    incarnation: number,
    rows: ReadonlyMap<string, TopicGlance>,
  ): void
  events(topic: string, events: readonly StoredEvent[], index: number): void
  ended(topic: string, incarnation: number, latest: number, index: number): void
  /** All up to `position` was told. */
  passed(position: SlotPosition): void
  /** Events may be left out from now on, until everything is covered anew. */
  interrupted(): void
  /** Nothing more comes from this source: another one is to be chosen. */
  lost(): void
}

/** Where the events of one slot come from: the replica here, or another peer. */
export interface SlotSource {
  /** Peers between this one and the replica; 0 for a replica here. */
  readonly depth: number
  /** The replica follows a primary; false: what comes may be old. */
  readonly led: boolean
  /** The slot has come to this peer, or left it: another source would be chosen now. */
  readonly misplaced: boolean
  want(want: string): void
  unwant(want: string): void
  /** The peers below this one, itself included, have changed. */
  below(): void
  /** To be called now and then. */
  beat(): void
  close(): void
}
