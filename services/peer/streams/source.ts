import type { StoredEvent } from '../topics/types.ts'

/** Where a source puts what it learns; a feed is one. */
export interface SourceTarget {
  /** Last offset the target has heard of. */
  readonly head: number
  /** The next events, ascending; those the target has already are ignored. */
  publish(events: readonly StoredEvent[]): void
  /** Events up to `latest` exist and will not come by: whoever needs them reads the log. */
  jump(latest: number): void
  /** This life of the topic is over; `latest` is its last offset where that is known. */
  end(latest: number | null): void
}

/** A piece of the log: events from the offset asked for, and what there was when it was read. */
export interface Slice {
  readonly events: readonly StoredEvent[]
  readonly earliest: number
  readonly latest: number
}

/** Where the events of one life of one topic come from. */
export interface TopicSource {
  /** Puts everything behind `target.head` into the target, from now on until `close`. */
  start(target: SourceTarget): void
  /** Reads the log from `from` on, at most `maxEvents`, and perhaps fewer. Null: it cannot be read now; try again. Never rejects. */
  read(from: number, maxEvents: number): Promise<Slice | null>
  /** The first offset kept, as far as known here. */
  earliest(): number
  close(): void
}
