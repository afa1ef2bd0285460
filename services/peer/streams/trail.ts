import { LIMITS } from '../limits.ts'
import type { Slice } from '../links/slot-operations.ts'
import type { SlotPosition } from '../topics/positions.ts'
import { type ChannelGap, channelEnd, channelEvent, channelGap, channelPlace } from './channel-frames.ts'
import type { Batch, ChannelItem, ChannelLog, Chunk, Ended } from './channel-log.ts'
import type { ShownLife } from './shown-lives.ts'
import type { Vector } from './vector.ts'

/**
 * The way of a subscriber that does not stand where its channel does: its own place in each slot, and what it still
 * lacks there. In a slot that is neither `undecided` nor `behind` it has everything that the channel's items before its
 * own number brought, and gets the next ones from there.
 */
export class Trail {
  readonly vector: Vector
  /** Where a stream begins in these slots is not known yet. */
  readonly undecided: Set<number>
  /** In these slots events are missing that the channel's items have not brought, or may have brought too long ago. */
  readonly behind: Set<number>
  /**
   * Of those, slots that must be read: an event there is older than the state that was shown, so that it may be gone
   * in that state.
   */
  readonly hidden = new Set<number>()
  /** Slots of which the last read failed. */
  readonly failed: Set<number>
  /** A slot is being read; slots that failed are being tried again. */
  reading = false
  retrying = false
  /** The slot read last: they take turns. */
  lastRead = -1
  /** By slot: log index at which the trail began, by which all ends were told or are not to be. */
  #begun: number[]
  /** Ends told since. */
  readonly #told = new Set<string>()
  /** Last offset shown of some topics. */
  readonly #offsets = new Map<string, number>()

  constructor(vector: Vector, behind: Iterable<number>, undecided: Iterable<number> = []) {
    this.vector = vector
    this.#begun = vector.indexes()
    this.behind = new Set(behind)
    this.undecided = new Set(undecided)
    this.failed = new Set(undecided)
  }

  /** It is known now where the stream begins in a slot. */
  decide(at: number, position: SlotPosition): void {
    this.vector.set(at, position)
    this.#begun[at] = position.index
    this.undecided.delete(at)
    this.behind.add(at)
  }

  /** Items from `from` to `upTo` that are missing in slots of which `isWanted` is true, a bounded part of them. */
  take(log: ChannelLog, from: number, upTo: number, isWanted: (at: number) => boolean): Chunk {
    const frames: Buffer[] = []
    let sizeBytes = 0
    let count = 0
    let to = from - 1
    for (; to < upTo && sizeBytes < LIMITS.LIVE_CHUNK_BYTES; to += 1) {
      const item = log.item(to + 1)
      if (!isWanted(item.at) || !this.#isNew(item)) continue
      const frame = this.#frame(item)
      frames.push(frame)
      sizeBytes += frame.length
      if (item.kind === 'event') count += 1
    }
    return { bytes: Buffer.concat(frames), count, cursor: this.vector.text, to }
  }

  /** The next slot in turn that has to be read and can be. */
  nextToRead(log: ChannelLog): number | undefined {
    const open = [...this.behind].filter(at => !this.failed.has(at) && this.mustRead(log, at))
    if (open.length === 0) return undefined
    const later = open.filter(at => at > this.lastRead)
    return Math.min(...(later.length > 0 ? later : open))
  }

  /** Whether the channel's items will not bring what is missing in a slot. */
  mustRead(log: ChannelLog, at: number): boolean {
    if (!this.behind.has(at) || log.now(at) === undefined) return false
    return this.hidden.has(at) || !log.reaches(at, this.vector.position(at))
  }

  /**
   * Takes what was read of a slot. Subscribers on the same way share the frames.
   * @param shown lives of which the slice says whether they are over
   */
  read(log: ChannelLog, at: number, slice: Slice, shown: readonly ShownLife[]): Batch {
    const ends = this.#endsOf(log, at, slice, shown)
    log.learn(at, slice, shown)
    // What is gone is of the life after.
    for (const end of ends) this.#tell(end)
    const gaps = slice.gaps.map(gap => {
      const { topic, to } = gap
      const shown = this.#offsets.get(topic) ?? 0
      // The end of the life of which so much was shown may not be remembered.
      return { ...gap, from: shown < to ? shown + 1 : 1 }
    })
    const shared = batchesOf(slice)
    const key = `${this.vector.text} ${gaps.map(({ from }) => from)} ${ends.map(({ incarnation }) => incarnation)}`
    let batch = shared.get(key)
    if (batch === undefined) {
      batch = this.#batch(at, slice, gaps, ends)
      shared.set(key, batch)
    }
    this.vector.set(at, slice.position)
    this.hidden.delete(at)
    for (const { topic, event } of slice.events) this.#show(topic, event.offset)
    return batch
  }

  /** True when there is nothing that the channel's next items would not bring, and nothing shown that they will. */
  isLevel(log: ChannelLog): boolean {
    if (this.behind.size + this.undecided.size > 0 || !log.complete) return false
    return log.slots.every((_, at) => {
      const own = this.vector.position(at)
      const now = log.now(at)!
      return own.sequence <= now.sequence && own.index <= now.index
    })
  }

  /** Ends that come with a slice: those heard of before it, and those that only the replica knows of. */
  #endsOf(log: ChannelLog, at: number, { position, over = [] }: Slice, shown: readonly ShownLife[]): Ended[] {
    const heard = log.ends(at).filter(end => end.index <= position.index && this.#isUntold(end))
    const index = log.now(at)?.index ?? 0
    const found = shown
      .filter(life => over.includes(life.incarnation) && !log.hasEnded(at, life.incarnation))
      .map(({ topic, incarnation, aliveAt, isHeard }): Ended => {
        const after = isHeard ? Math.max(aliveAt, index) : aliveAt
        return { kind: 'ended', at, topic, incarnation, after, index: position.index }
      })
      .filter(end => this.#isUntold(end))
    return [...heard, ...found]
  }

  /** The topic still existed when the trail began; nothing is told of what was over by then. */
  #isUntold({ at, after, incarnation }: Ended): boolean {
    return after >= this.#begun[at]! && !this.#told.has(`${at}.${incarnation}`)
  }

  #tell({ at, topic, incarnation, index }: Ended): void {
    this.#offsets.delete(topic)
    this.#told.add(`${at}.${incarnation}`)
    if (this.#told.size <= LIMITS.MAX_KNOWN_ENDS) return
    // Rather one end too few is told than one too many.
    this.#told.clear()
    this.#begun = this.vector.indexes()
    // The vector does not stand behind it yet when it came with what was read.
    this.#begun[at] = Math.max(this.#begun[at]!, index)
  }

  #show(topic: string, offset: number): void {
    this.#offsets.set(topic, offset)
    if (this.#offsets.size > LIMITS.MAX_KNOWN_OFFSETS) this.#offsets.clear()
  }

  #isNew(item: ChannelItem): boolean {
    const own = this.vector.position(item.at)
    // It may have been passed over by a read of the log that did not know of it.
    if (item.kind === 'ended') return this.#isUntold(item)
    if (item.event.sequence <= own.sequence) return false
    if (item.index >= own.index) return true
    this.behind.add(item.at)
    this.hidden.add(item.at)
    return false
  }

  #frame(item: ChannelItem): Buffer {
    const { vector } = this
    if (item.kind === 'ended') {
      vector.advance(item.at, item.index)
      this.#tell(item)
      return channelEnd(vector.text, item.topic, item.incarnation)
    }
    vector.advance(item.at, item.index, item.event.sequence)
    this.#show(item.topic, item.event.offset)
    return channelEvent(vector.text, item.topic, item.event)
  }

  /**
   * What is over and what is gone, in the order in which that happened, then the events. Each has its own cursor, so that
   * a reconnect in between is told of what it has not been told, and of nothing twice.
   */
  #batch(
    at: number,
    { events, position }: Slice,
    gaps: readonly ChannelGap[],
    ends: readonly Ended[],
  ): Batch {
    const { vector } = this
    const before = vector.place(at)
    const frames = [...ends, ...gaps]
      .sort((one, other) => one.index - other.index)
      .map(one => {
        vector.advance(at, one.index)
        const isEnd = 'kind' in one
        return isEnd ? channelEnd(vector.text, one.topic, one.incarnation) : channelGap(vector.text, one)
      })
    for (const { topic, event } of events) {
      vector.set(at, { sequence: event.sequence, index: position.index })
      frames.push(channelEvent(vector.text, topic, event))
    }
    if (frames.length > 0 && events.length === 0) {
      vector.set(at, position)
      frames.push(channelPlace(vector.text))
    }
    const cursor = vector.text
    vector.set(at, before)
    return { bytes: Buffer.concat(frames), count: events.length, cursor }
  }
}

const sharedBatches = new WeakMap<Slice, Map<string, Batch>>()

function batchesOf(slice: Slice): Map<string, Batch> {
  let batches = sharedBatches.get(slice)
  if (batches === undefined) {
    batches = new Map()
    sharedBatches.set(slice, batches)
  }
  return batches
}
