import { LIMITS } from '../limits.ts'
import { PatternTree } from '../topics/pattern-tree.ts'
import type { SlotPosition } from '../topics/positions.ts'
import type { StoredEvent } from '../topics/types.ts'
import { isPattern } from '../topics/wants.ts'
import type { SlotNews, SlotSource } from './slot-source.ts'
import type { SlotTap, TopicGlance } from './taps.ts'

/** A tap and what of it is not covered yet; it is told nothing before it is. */
interface Entry {
  readonly tap: SlotTap
  readonly missing: Set<string>
  isLive: boolean
}

/** A topic or pattern that somebody here wants. */
interface Want {
  readonly entries: Set<Entry>
  isCovered: boolean
  /** Last incarnation that the slot had given out when it was known whether the topic exists. */
  incarnation: number
}

export interface SlotFeedOptions {
  readonly slot: number
  /** The source to go on with, by where the slot is now. */
  readonly source: (feed: SlotFeed) => SlotSource
  /** The last tap has gone. */
  readonly onIdle: (feed: SlotFeed) => void
}

/**
 * What happens in one slot, for everybody on this peer who wants some of it: streams here and the peers below. From
 * where it comes may change at any time; each tap is then covered anew, and by sequences nothing is missed or doubled.
 */
export class SlotFeed implements SlotNews {
  readonly slot: number
  readonly #options: SlotFeedOptions
  readonly #wants = new Map<string, Want>()
  readonly #entries = new Set<Entry>()
  readonly #patterns = new PatternTree()
  /** Topics wanted by name, as of the position; null for one that does not exist. */
  readonly #rows = new Map<string, TopicGlance | null>()
  /** Who gets the events of a topic, as last found out. */
  readonly #audiences = new Map<string, readonly Entry[]>()
  #source: SlotSource
  #position: SlotPosition = { sequence: 0, index: 0 }
  /** What everybody live was told to have passed since the last interruption. */
  #passed: SlotPosition | undefined
  #isClosed = false

  constructor(options: SlotFeedOptions) {
    this.#options = options
    this.slot = options.slot
    this.#source = options.source(this)
  }

  get source(): SlotSource {
    return this.#source
  }

  /** What was told up to here, where the slot is covered. */
  get position(): SlotPosition {
    return this.#position
  }

  /** What is known of a topic that somebody here wants by its name; undefined when nobody does, or nothing is known. */
  row(topic: string): TopicGlance | null | undefined {
    return this.#wants.get(topic)?.isCovered === true ? (this.#rows.get(topic) ?? null) : undefined
  }

  /** Begins to tell `tap`; returns the way to stop. */
  add(tap: SlotTap): () => void {
    const entry: Entry = { tap, missing: new Set(tap.wants), isLive: false }
    this.#entries.add(entry)
    this.#audiences.clear()
    const fresh: string[] = []
    for (const want of entry.missing) {
      const known = this.#wants.get(want)
      if (known) known.entries.add(entry)
      else {
        this.#wants.set(want, { entries: new Set([entry]), isCovered: false, incarnation: 0 })
        if (isPattern(want)) this.#patterns.add(want)
        fresh.push(want)
      }
      if (known?.isCovered) entry.missing.delete(want)
    }
    if (entry.missing.size === 0) this.#cover(entry)
    for (const want of fresh) this.#source.want(want)
    return () => this.#remove(entry)
  }

  /** Goes over to the source that would be chosen now, if it is another. */
  relocate(): void {
    if (this.#source.misplaced) this.lost()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#source.close()
  }

  wanted(topic: string): boolean {
    return this.#audience(topic).length > 0
  }

  covered(
    wants: readonly string[],
    position: SlotPosition,
    incarnation: number,
    rows: ReadonlyMap<string, TopicGlance>,
  ): void {
    this.#position = position
    const affected = new Set<Entry>()
    for (const name of wants) {
      const want = this.#wants.get(name)
      if (!want) continue
      want.isCovered = true
      want.incarnation = incarnation
      if (!isPattern(name)) this.#rows.set(name, rows.get(name) ?? null)
      for (const entry of want.entries) {
        entry.missing.delete(name)
        affected.add(entry)
      }
    }
    for (const entry of affected) if (entry.missing.size === 0) this.#cover(entry)
  }

  events(topic: string, events: readonly StoredEvent[], index: number): void {
    const last = events.at(-1)
    if (last === undefined) return
    this.#position = { sequence: last.sequence, index }
    const { incarnation } = last
    const row = this.#rows.get(topic)
    if (row !== undefined) {
      const earliest = row?.incarnation === incarnation ? row.earliest : 1
      this.#rows.set(topic, { incarnation, earliest, latest: last.offset })
    }
    for (const { isLive, tap } of this.#audience(topic)) if (isLive) tap.events(topic, events, index)
  }

  ended(topic: string, incarnation: number, latest: number, index: number): void {
    this.#position = { ...this.#position, index }
    const want = this.#wants.get(topic)
    if (want && this.#rows.get(topic)?.incarnation === incarnation) {
      this.#rows.set(topic, null)
      want.incarnation = Math.max(want.incarnation, incarnation)
    }
    for (const { isLive, tap } of this.#audience(topic)) {
      if (isLive) tap.ended(topic, incarnation, latest, index)
    }
  }

  passed(position: SlotPosition): void {
    // The place may have been told by an event, or a cover, of which most taps know nothing.
    if (position.sequence === this.#passed?.sequence && position.index === this.#passed.index) return
    this.#position = position
    this.#passed = position
    for (const { isLive, tap } of [...this.#entries]) if (isLive) tap.passed(position)
  }

  interrupted(): void {
    this.#passed = undefined
    for (const want of this.#wants.values()) want.isCovered = false
    for (const entry of [...this.#entries]) {
      for (const want of entry.tap.wants) entry.missing.add(want)
      if (!entry.isLive) continue
      entry.isLive = false
      entry.tap.interrupted?.()
    }
  }

  lost(): void {
    if (this.#isClosed) return
    this.#source.close()
    this.interrupted()
    this.#source = this.#options.source(this)
    // Whoever is covered by one of them may end, and with it another.
    for (const want of [...this.#wants.keys()]) if (this.#wants.has(want)) this.#source.want(want)
  }

  #remove(entry: Entry): void {
    // It may be among those who are being told of something just now.
    entry.isLive = false
    this.#entries.delete(entry)
    this.#audiences.clear()
    for (const name of entry.tap.wants) {
      const want = this.#wants.get(name)
      if (!want?.entries.delete(entry) || want.entries.size > 0) continue
      this.#wants.delete(name)
      if (isPattern(name)) this.#patterns.delete(name)
      this.#rows.delete(name)
      this.#source.unwant(name)
    }
    if (this.#wants.size === 0 && !this.#isClosed) this.#options.onIdle(this)
  }

  #cover(entry: Entry): void {
    entry.isLive = true
    const rows = new Map<string, TopicGlance | null>()
    let incarnation = Number.POSITIVE_INFINITY
    for (const name of entry.tap.wants) {
      if (!isPattern(name)) rows.set(name, this.#rows.get(name) ?? null)
      // A topic that was created since is not known before its first event.
      incarnation = Math.min(incarnation, this.#wants.get(name)!.incarnation)
    }
    entry.tap.covered(this.#position, rows, incarnation)
  }

  #audience(topic: string): readonly Entry[] {
    const known = this.#audiences.get(topic)
    if (known) return known
    const found = new Set(this.#wants.get(topic)?.entries)
    for (const pattern of this.#patterns.matching(topic)) {
      for (const entry of this.#wants.get(pattern)!.entries) found.add(entry)
    }
    const audience = [...found]
    if (this.#audiences.size >= LIMITS.MAX_AUDIENCES) this.#audiences.clear()
    this.#audiences.set(topic, audience)
    return audience
  }
}
