import type { SlotLogs } from '../engine/types.ts'
import type { SlotNotice, StoredEvent } from '../topics/types.ts'
import { isPattern } from '../topics/wants.ts'
import type { SlotNews, SlotSource } from './slot-source.ts'
import type { TopicGlance } from './taps.ts'

/** A slot's events from this peer's own replica, which may be behind others. */
export class LocalSlot implements SlotSource {
  readonly depth = 0
  readonly #slots: SlotLogs
  readonly #slot: number
  readonly #news: SlotNews
  readonly #wants = new Set<string>()
  readonly #stop: () => void
  #isClosed = false

  constructor(slots: SlotLogs, slot: number, news: SlotNews) {
    this.#slots = slots
    this.#slot = slot
    this.#news = news
    this.#stop = slots.follow(slot, notice => this.#take(notice))
  }

  get led(): boolean {
    return !this.misplaced && this.#slots.status(this.#slot).primary !== null
  }

  get misplaced(): boolean {
    return !this.#slots.holds(this.#slot)
  }

  /** At once: whatever was applied and not told yet comes again, at or below the position. */
  want(want: string): void {
    this.#wants.add(want)
    this.#cover(want)
  }

  unwant(want: string): void {
    this.#wants.delete(want)
  }

  below(): void {}

  /** Between two turns of the event loop all that is applied has been told. */
  beat(): void {
    if (!this.misplaced) this.#news.passed(this.#slots.position(this.#slot))
  }

  close(): void {
    this.#isClosed = true
    this.#stop()
  }

  /** Nobody tells what a snapshot passed over. A new source would be told of the same snapshot once more. */
  #restart(): void {
    this.#news.interrupted()
    if (this.misplaced) this.#news.lost()
    else for (const want of [...this.#wants]) if (this.#wants.has(want)) this.#cover(want)
  }

  #cover(want: string): void {
    const slot = this.#slot
    const rows = new Map<string, TopicGlance>()
    const row = isPattern(want) ? undefined : this.#slots.topic(slot, want)
    if (row) rows.set(want, row)
    this.#news.covered([want], this.#slots.position(slot), this.#slots.incarnation(slot), rows)
  }

  #take(notice: SlotNotice): void {
    if (this.#isClosed) return
    switch (notice.kind) {
      case 'published':
        if (this.#news.wanted(notice.topic)) {
          this.#news.events(notice.topic, storedEvents(notice), notice.run.logIndex)
        }
        break
      case 'deleted':
        this.#news.ended(notice.topic, notice.incarnation, notice.latest, notice.index)
        break
      case 'restored':
        this.#restart()
        break
      case 'gone':
        // A peer that stops keeps its slots, and its streams are ended next: they must not go elsewhere first.
        if (this.misplaced) this.#news.lost()
        break
      default:
        break
    }
  }
}

function storedEvents({ run, events }: SlotNotice & { kind: 'published' }): StoredEvent[] {
  return events.map((event, at) => ({
    ...event,
    offset: run.first + at,
    incarnation: run.incarnation,
    sequence: run.sequence + at,
    timeMs: run.timeMs,
  }))
}
