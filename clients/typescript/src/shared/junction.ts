import type { Item } from '../feed.ts'
import { LIMITS } from '../limits.ts'
import { covers, merge, type Place, readPlace, settle } from '../place.ts'
import { Progress } from '../progress.ts'
import { isNotice, StreamError } from '../received.ts'

interface Batch {
  readonly before: Place
  readonly items: readonly Item[]
}

/**
 * Joins a tab's own stream and the shared one, so that the tab hands out each event once and in order.
 *
 * A tab is level when it has passed all that came before the next shared batch; it then takes the batch. Else it is
 * behind: shared batches are kept while a stream of its own, begun at its place, comes up to one of them.
 */
export class Junction {
  /** Passed: handed out, or before the beginning. Undefined until there is a beginning. */
  #place: Place | undefined
  /** Where this tab began. What the shared stream brings from before it is not for this tab. */
  #start: Place | undefined
  readonly #progress = new Progress()
  #isLevel: boolean
  /** True when this tab is ahead of the shared stream in some topics. */
  #isAhead = false
  #kept: Batch[] = []
  #keptItems = 0

  /** @param isLive true to begin where the shared stream is, false to begin with a stream of its own */
  constructor(isLive: boolean) {
    this.#isLevel = isLive
  }

  /** False: a stream of its own has to bring this tab on from `cursor`. */
  get isLevel(): boolean {
    return this.#isLevel
  }

  /** Behind what was handed out; empty before there is a beginning. */
  get cursor(): string {
    return this.#place?.text ?? ''
  }

  /** Begins at a cursor that was given. @throws StreamError when it cannot be read */
  begin(cursor: string): void {
    this.#start = placeOf(cursor)
    this.#place = this.#start
  }

  /** Takes a shared batch. @returns what is to be handed out now, with this tab's cursors */
  shared(before: string, items: readonly Item[]): Item[] {
    // The end of all may come before there is any place.
    if (before === '') return [...items]
    // A mere mark is news only where nothing is known.
    if (items.length === 0 && this.#kept.length > 0) return []
    this.#kept.push({ before: placeOf(before), items })
    this.#keptItems += items.length
    const out: Item[] = []
    this.#meet(out)
    // An old batch is no loss: its events come by the stream of its own, which may join at a later batch.
    while (this.#kept.length > 1 && this.#keptItems > LIMITS.MAX_SHARED_KEPT) this.#drop()
    return out
  }

  /** Takes a batch of the tab's own stream. @returns what is to be handed out now */
  own(items: readonly Item[]): Item[] {
    const out: Item[] = []
    for (const item of items) {
      if (item.cursor === '') return [item]
      // Every stream opens with where it begins.
      if (this.#start === undefined) this.begin(item.cursor)
      this.#give(item, out)
      this.#start = settle(this.#start!, placeOf(item.cursor))
    }
    this.#meet(out)
    return out
  }

  /**
   * Nothing came by the tab's own stream for a while: it joins the shared one if it has all events up to there, although
   * it was not told that nothing else happened.
   */
  idle(): Item[] {
    const out: Item[] = []
    this.#meet(out, false)
    return out
  }

  /** Leaves the shared stream, as this tab cannot keep up with it. */
  fallBehind(): void {
    if (this.#place !== undefined) this.#isLevel = false
  }

  /** Goes on without a shared stream. */
  standAlone(): void {
    this.#isLevel = false
  }

  /** Hands out kept batches from the first one that this tab has come up to. */
  #meet(out: Item[], isStrict = true): void {
    for (let batch = this.#kept[0]; batch !== undefined; batch = this.#kept[0]) {
      if (this.#place === undefined) {
        if (!this.#isLevel) return
        this.#start = batch.before
        this.#place = batch.before
        out.push({ cursor: this.cursor, read: undefined })
      }
      const isBehindStart = !covers(batch.before, this.#start!, false)
      if (!isBehindStart && !covers(this.#place, batch.before, isStrict)) {
        this.#isLevel = false
        return
      }
      this.#drop()
      this.#isLevel = !isBehindStart
      if (isBehindStart) continue
      this.#isAhead ||= this.#place.text !== batch.before.text
      this.#place = merge(this.#place, batch.before)
      for (const item of batch.items) this.#give(item, out)
    }
  }

  #drop(): void {
    this.#keptItems -= this.#kept.shift()!.items.length
  }

  #give(item: Item, out: Item[]): void {
    const before = this.cursor
    const there = placeOf(item.cursor)
    const isNext = !this.#isAhead
    // An end has no offset to tell a double by. (What else has none, a gap, stands before what is missing.)
    const isPassed = this.#isAhead && isEnd(item.read) && covers(this.#place!, there)
    this.#place = this.#isAhead ? merge(this.#place!, there) : there
    if (this.#place.text === there.text) this.#isAhead = false
    const cursor = this.#place.text
    const isNothing = item.read === undefined || isPassed
    const reads = isNothing ? [] : this.#progress.take(item.read!, before, isNext)
    for (const read of reads.slice(0, -1)) out.push({ cursor: before, read })
    const last = reads.at(-1)
    const read = last !== undefined && 'cursor' in last ? { ...last, cursor } : last
    out.push({ cursor, read })
  }
}

function isEnd(read: Item['read']): boolean {
  return read !== undefined && isNotice(read) && read.kind === 'end'
}

function placeOf(cursor: string): Place {
  const place = readPlace(cursor)
  if (place === undefined) throw new StreamError(`"${cursor}" is no cursor`)
  return place
}
