import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import { Block, Blocks, type Stretch } from './blocks.ts'
import type { Feed } from './feed.ts'
import type { Encoding } from './frames.ts'
import type { Slice } from './source.ts'

/** Frames that bring a subscriber to the offset `to`, with so many events in them. */
export interface Batch {
  readonly bytes: Buffer
  readonly to: number
  readonly count: number
}

/** A read of the log under way. */
interface Reading extends Stretch {
  readonly feed: Feed
  readonly encoding: string
  readonly done: Promise<unknown>
}

/**
 * Gives subscribers that are behind what comes next: of what was read and framed for another as much as there is, else by
 * a read of the log. A read begins at the place it is for, or before it where somebody comes by who needs that, too.
 */
export class SharedReads {
  readonly #blocks: Blocks<Feed>
  readonly #readings = new Set<Reading>()
  /** Mean payload of the events last read. */
  readonly #eventBytes = new WeakMap<Feed, number>()

  /** @param blockEvents as many as are read at a time */
  constructor(clock: Clock, blockEvents: number) {
    this.#blocks = new Blocks(clock, blockEvents)
  }

  /** The offsets that an offset is read with. */
  stretch(offset: number): Stretch {
    return this.#blocks.stretch(offset)
  }

  /** Frames from `from` on, gaps included; null when nothing of it can be read now. Never rejects. */
  async next(feed: Feed, encoding: Encoding, from: number): Promise<Batch | null> {
    // As many as can be under way; each of them may end before it reaches the place.
    for (let waits = 0; waits < LIMITS.MAX_REPLAY_READS; waits += 1) {
      const held = this.#held(feed, encoding, from)
      if (held) return held
      const reading = this.#reading(feed, encoding, from)
      if (reading === undefined) break
      await reading.done
    }
    for (const start of new Set([this.#startFor(feed, encoding, from), from])) {
      const slice = await this.#read(feed, encoding, start)
      if (slice === null) return null
      const batch = this.#held(feed, encoding, from) ?? makeBatch(feed.incarnation, slice, encoding, from)
      if (batch) return batch
    }
    return null
  }

  #held(feed: Feed, encoding: Encoding, from: number): Batch | undefined {
    const block = this.#blocks.find(feed, encoding, from)
    return block && { bytes: block.from(from), to: block.last, count: block.last - from + 1 }
  }

  /** One under way that should give the event at `from`. */
  #reading(feed: Feed, encoding: Encoding, from: number): Reading | undefined {
    return [...this.#readings].find(
      one =>
        one.feed === feed &&
        one.encoding === encoding.name &&
        from >= one.first &&
        from <= one.last &&
        this.#reaches(feed, one.first, from),
    )
  }

  /**
   * Where a read for the place `from` begins: at the first event of its stretch that is not held, if somebody behind will
   * come by that and one read gives both; else at the place itself.
   */
  #startFor(feed: Feed, encoding: Encoding, from: number): number {
    let start = Math.max(this.stretch(from).first, feed.view().earliest)
    while (start < from) {
      const held = this.#blocks.find(feed, encoding, start)
      if (held === undefined) break
      start = held.last + 1
    }
    // What events of this topic are like is seen from a read that nobody need have made in vain.
    const isKnown = this.#eventBytes.has(feed)
    const isShared = start < from && isKnown && this.#reaches(feed, start, from)
    return isShared && feed.hasBefore(from, encoding) ? start : from
  }

  /** Whether one read from `first` on gives the event at `to`, too, if the events are as those before. */
  #reaches(feed: Feed, first: number, to: number): boolean {
    return (to - first + 1) * (this.#eventBytes.get(feed) ?? 0) <= LIMITS.REPLAY_BYTES
  }

  /** Reads from `first` to the end of its stretch, as far as one read goes, and keeps the frames. */
  async #read(feed: Feed, encoding: Encoding, first: number): Promise<Slice | null> {
    const { last } = this.stretch(first)
    const done = feed.slice(first, last - first + 1)
    const reading = { feed, encoding: encoding.name, first, last, done }
    this.#readings.add(reading)
    const slice = await done
    this.#readings.delete(reading)
    const events = slice?.events ?? []
    if (events.length === 0) return slice
    const bytes = events.reduce((sum, { data }) => sum + data.length, 0)
    this.#eventBytes.set(feed, bytes / events.length)
    const [{ offset }] = events as [(typeof events)[0]]
    const isBlock = events.every((event, at) => event.offset === offset + at) && events.at(-1)!.offset <= last
    if (isBlock) this.#blocks.put(feed, encoding, new Block(encoding, events))
    return slice
  }
}

/** Frames of a slice from `from` on, gaps included; null when the slice says nothing about `from`. */
function makeBatch(incarnation: number, slice: Slice, encoding: Encoding, from: number): Batch | null {
  const frames: Buffer[] = []
  let next = from
  const skipTo = (offset: number) => {
    if (offset > next) frames.push(encoding.gap(incarnation, next, offset - 1))
    next = Math.max(next, offset)
  }
  skipTo(slice.earliest)
  let count = 0
  for (const event of slice.events) {
    if (event.offset < next) continue
    skipTo(event.offset)
    frames.push(encoding.event(event))
    next = event.offset + 1
    count += 1
  }
  return next === from ? null : { bytes: Buffer.concat(frames), to: next - 1, count }
}
