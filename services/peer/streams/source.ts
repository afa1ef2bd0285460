import type { SlotLogs } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { SlotNotice, StoredEvent } from '../topics/types.ts'
import type { SlotWatch } from './watch.ts'

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
  /** The source is the wrong one from now on; the target closes it and goes on with another. */
  move(): void
}

/** A piece of the log: events from the offset asked for, and what there was when it was read. */
export interface Slice {
  readonly events: readonly StoredEvent[]
  readonly earliest: number
  readonly latest: number
}

/** Where the events of one life of one topic come from: the replica here, or one elsewhere. */
export interface TopicSource {
  /** A replica has left this peer, or come to it: another source would be chosen now. */
  readonly misplaced: boolean
  /** Puts everything behind `target.head` into the target, from now on until `close`. */
  start(target: SourceTarget): void
  /** Reads the log from `from` on. Null: it cannot be read now; try again. Never rejects. */
  read(from: number): Promise<Slice | null>
  /** Whether the replica behind it follows a primary, and the first offset it keeps. */
  state(): { readonly earliest: number; readonly led: boolean }
  close(): void
}

export interface LocalSourceOptions {
  readonly slots: SlotLogs
  readonly watch: SlotWatch
  readonly slot: number
  readonly topic: string
  readonly incarnation: number
  /** Events read at a time. */
  readonly replayEvents: number
}

/** The topic's events from this peer's own replica, which may be behind others. */
export class LocalSource implements TopicSource {
  readonly #slots: SlotLogs
  readonly #watch: SlotWatch
  readonly #slot: number
  readonly #topic: string
  readonly #incarnation: number
  readonly #replayEvents: number
  #stop: (() => void) | undefined

  constructor(options: LocalSourceOptions) {
    this.#slots = options.slots
    this.#watch = options.watch
    this.#slot = options.slot
    this.#topic = options.topic
    this.#incarnation = options.incarnation
    this.#replayEvents = options.replayEvents
  }

  start(target: SourceTarget): void {
    this.#stop = this.#watch.watch(this.#slot, this.#topic, notice => this.#take(target, notice))
    this.#level(target)
  }

  get misplaced(): boolean {
    return !this.#slots.holds(this.#slot)
  }

  async read(from: number): Promise<Slice | null> {
    if (this.misplaced) return null
    const row = this.#slots.topic(this.#slot, this.#topic)
    if (row?.incarnation !== this.#incarnation) return null
    try {
      const events = this.#slots.read(
        this.#slot,
        this.#incarnation,
        from,
        this.#replayEvents,
        LIMITS.REPLAY_BYTES,
      )
      return { events, earliest: row.earliest, latest: row.latest }
    } catch {
      // A bad record: the engine says so and repairs the replica; readers wait.
      return null
    }
  }

  state(): { readonly earliest: number; readonly led: boolean } {
    if (this.misplaced) return { earliest: 1, led: false }
    const row = this.#slots.topic(this.#slot, this.#topic)
    const earliest = row?.incarnation === this.#incarnation ? row.earliest : 1
    return { earliest, led: this.#slots.status(this.#slot).primary !== null }
  }

  close(): void {
    this.#stop?.()
    this.#stop = undefined
  }

  #take(target: SourceTarget, notice: SlotNotice): void {
    switch (notice.kind) {
      case 'published':
        if (notice.run.incarnation === this.#incarnation) target.publish(storedEvents(notice))
        break
      case 'deleted':
        if (notice.incarnation === this.#incarnation) target.end(notice.latest)
        break
      case 'created':
      case 'restored':
        this.#level(target)
        break
      case 'gone':
        target.move()
        break
      default:
        break
    }
  }

  /** Compares the target with the replica's state: after a snapshot its notices did not say what it skipped. */
  #level(target: SourceTarget): void {
    const row = this.#slots.topic(this.#slot, this.#topic)
    if (row?.incarnation === this.#incarnation) {
      if (row.latest > target.head) target.jump(row.latest)
      return
    }
    if ((row?.incarnation ?? this.#slots.incarnation(this.#slot)) >= this.#incarnation) target.end(null)
  }
}

function storedEvents(notice: SlotNotice & { kind: 'published' }): StoredEvent[] {
  const { run, events } = notice
  return events.map((event, at) => ({
    ...event,
    offset: run.first + at,
    incarnation: run.incarnation,
    sequence: run.sequence + at,
    timeMs: run.timeMs,
  }))
}
