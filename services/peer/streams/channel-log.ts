import { LIMITS } from '../limits.ts'
import type { Slice } from '../links/slot-operations.ts'
import type { SlotPosition } from '../topics/positions.ts'
import type { StoredEvent } from '../topics/types.ts'
import type { StreamBounds } from './bounds.ts'
import { channelEnd, channelEvent, cursorOf } from './channel-frames.ts'
import { type Framer, Ring } from './ring.ts'
import { type ShownHere, type ShownLife, ShownLives } from './shown-lives.ts'
import type { SlotTap } from './taps.ts'
import { Vector } from './vector.ts'

/** What a channel was told of one of its slots (`at` among them), by the log entry at `index`. */
export type ChannelItem =
  | {
      readonly kind: 'event'
      readonly at: number
      readonly topic: string
      readonly index: number
      readonly event: StoredEvent
    }
  | {
      readonly kind: 'ended'
      readonly at: number
      readonly topic: string
      readonly incarnation: number
      /** It still existed at this log index, and no more at `index`. */
      readonly after: number
      readonly index: number
    }
export type Ended = Extract<ChannelItem, { kind: 'ended' }>

/** Frames that leave together. */
export interface Batch {
  readonly bytes: Buffer
  /** Events among them. */
  readonly count: number
  /** Of the last of them. */
  readonly cursor: string
}

/** The next frames along the items, up to item `to`. */
export interface Chunk extends Batch {
  readonly to: number
}

/** What came of being told that a slot is covered: `behind` leaves out events, or ends, for which it has to be read. */
export type Covering = 'first' | 'level' | 'behind'

type Cover = Parameters<SlotTap['covered']>

/**
 * What a channel has heard, in the order in which it came: recent items with numbers of the channel's own, and where the
 * channel stands in each slot. It has the frames of those that are level, which all show the same cursor.
 */
export class ChannelLog {
  readonly #slots: readonly number[]
  readonly #ring: Ring<ChannelItem>
  /** By slot: where the channel stands; undefined until the slot is covered. */
  readonly #now: (SlotPosition | undefined)[]
  /** By slot: every matching event behind this sequence, up to now, is in the ring. */
  readonly #floors: number[]
  /** By slot: ends up to this log index may not be in the ring. */
  readonly #endFloors: number[]
  /** By slot: log index from which on ends are heard without a break. */
  readonly #heardFrom: number[]
  /** Where the channel stands behind item `#settled`; not used before all slots are covered. */
  readonly #vector: Vector
  #settled = 0
  #uncovered: number
  /** Slots that have gone on without an item. */
  readonly #moved = new Set<number>()
  readonly #ends: Ended[] = []
  readonly #lives = new ShownLives()
  /** What was learned from already, for others who read the same. */
  readonly #learned = new WeakSet<Slice>()
  readonly #framer: Framer<ChannelItem> = { name: 'channel', event: item => this.#frame(item) }

  constructor(slots: readonly number[], bounds: StreamBounds) {
    this.#slots = slots
    this.#now = slots.map(() => undefined)
    this.#floors = slots.map(() => 0)
    this.#endFloors = slots.map(() => 0)
    this.#heardFrom = slots.map(() => 0)
    const nowhere = slots.map(() => ({ sequence: 0, index: 0 }))
    this.#vector = new Vector(slots, nowhere)
    this.#uncovered = slots.length
    const sizeOf = (item: ChannelItem) => (item.kind === 'event' ? item.event.data.length : 0)
    const onDrop = (item: ChannelItem, number: number) => this.#dropped(item, number)
    this.#ring = new Ring(1, bounds.channelEvents, bounds.channelBytes, sizeOf, onDrop)
  }

  /** Numbers of the first and last item held; `last` is one below `first` when there is none. */
  get first(): number {
    return this.#ring.first
  }

  get last(): number {
    return this.#ring.last
  }

  /** Every slot is covered. */
  get complete(): boolean {
    return this.#uncovered === 0
  }

  /** The cursor behind the last item that was settled, and what went on since without one. */
  get cursor(): string {
    return this.#vector.text
  }

  get settled(): number {
    return this.#settled
  }

  item(number: number): ChannelItem {
    return this.#ring.item(number)
  }

  /** Where the channel stands in a slot; undefined until it is covered. */
  now(at: number): SlotPosition | undefined {
    return this.#now[at]
  }

  /** Whether everything behind a place in a slot is held, as far as it was told. */
  reaches(at: number, { sequence, index }: SlotPosition): boolean {
    return this.#now[at] !== undefined && sequence >= this.#floors[at]! && index >= this.#endFloors[at]!
  }

  /** Ends of topics of a slot, as far as they are remembered. */
  ends(at: number): Ended[] {
    return this.#ends.filter(end => end.at === at)
  }

  hasEnded(at: number, incarnation: number): boolean {
    return this.#ends.some(end => end.at === at && end.incarnation === incarnation)
  }

  /** Lives of topics in a slot of which streams may have to be told that they are over. */
  shown(at: number): ShownHere {
    return this.#lives.of(at)
  }

  cover(at: number, ...[position, rows, newest]: Cover): Covering {
    const now = this.#now[at]
    // A state with less in it is older, whatever its index: from there on all is told once more.
    const isOlder =
      now !== undefined &&
      (position.sequence < now.sequence ||
        (position.sequence === now.sequence && position.index <= now.index))
    if (!isOlder) {
      if (now !== undefined) this.#lives.interrupt(at, now.index, position.index)
      this.#heardFrom[at] = position.index
    }
    for (const [topic, row] of rows) {
      if (row !== null) this.#note(at, topic, row.incarnation, position.index, true)
    }
    if (isOlder) return 'level'
    if (now !== undefined && position.sequence === now.sequence) {
      for (const life of this.#lives.of(at).lives) {
        const row = rows.get(life.topic)
        const isOver = row === null ? newest >= life.incarnation : (row?.incarnation ?? 0) > life.incarnation
        if (isOver) this.#end(at, life.topic, life.incarnation, life.aliveAt, position.index)
      }
      this.#go(at, position)
      return this.#mustAsk(at) ? this.#leaveOut(at, position) : 'level'
    }
    this.#floors[at] = position.sequence
    this.#go(at, position)
    if (now !== undefined) return this.#mustAsk(at) ? this.#leaveOut(at, position) : 'behind'
    this.#uncovered -= 1
    return 'first'
  }

  /** Takes from a slice which of the topics that are shown exist, and which of those `shown` do not. */
  learn(at: number, slice: Slice, shown: readonly ShownLife[]): void {
    if (this.#learned.has(slice)) return
    this.#learned.add(slice)
    const { index } = slice.position
    const isHeard = index >= this.#heardFrom[at]!
    const note = (topic: string, incarnation: number) => this.#note(at, topic, incarnation, index, isHeard)
    const { over } = slice
    // Whoever was not asked says nothing.
    for (const { topic, incarnation, aliveAt } of over === undefined ? [] : shown) {
      if (aliveAt >= 0 && !over!.includes(incarnation)) note(topic, incarnation)
    }
    const shownHere = new Map(slice.events.map(({ topic, event }) => [event.incarnation, topic]))
    for (const [incarnation, topic] of shownHere) note(topic, incarnation)
  }

  /** Nobody is left who has to be told of ends that may have been missed. */
  forgetBreaks(): void {
    this.#lives.settle()
  }

  /** Takes the events that are new. */
  publish(at: number, topic: string, events: readonly StoredEvent[], index: number): void {
    for (const event of events) {
      const now = this.#now[at]
      if (now === undefined || event.sequence <= now.sequence) continue
      this.#lives.note(at, topic, event.incarnation, index, true)
      this.#now[at] = { sequence: event.sequence, index: Math.max(now.index, index) }
      this.#ring.push(this.last + 1, { kind: 'event', at, topic, index, event })
    }
  }

  end(at: number, topic: string, incarnation: number, index: number): void {
    const now = this.#now[at]
    if (now === undefined || index <= now.index) return
    this.#end(at, topic, incarnation, index - 1, index)
  }

  pass(at: number, position: SlotPosition): void {
    const now = this.#now[at]
    if (now === undefined || position.sequence < now.sequence) return
    this.#go(at, position)
  }

  /**
   * Brings the cursor behind the last item. `framing`: for each item on the way the frame is made that shows its cursor;
   * to be left out only while nobody is level.
   */
  settle(framing: boolean): void {
    for (let number = this.#settled + 1; number <= this.last; number += 1) {
      if (framing) this.#ring.frame(this.#framer, number)
      else this.#advance(this.#ring.item(number))
    }
    this.#settled = this.last
    for (const at of this.#moved) this.#vector.set(at, this.#now[at]!)
    this.#moved.clear()
  }

  /** Frames from item `from` on (which must be held), at least one, to those that are level. */
  chunk(from: number): Chunk {
    const { bytes, to } = this.#ring.chunk(this.#framer, from, LIMITS.LIVE_CHUNK_BYTES, this.#settled)
    let count = 0
    for (let number = from; number <= to; number += 1) if (this.item(number).kind === 'event') count += 1
    return { bytes, to, count, cursor: cursorOf(this.#ring.frame(this.#framer, to)) }
  }

  /** Keeps to the bounds; frames count, so this is called again after they were made. */
  trim(): void {
    this.#ring.trim()
  }

  /** Drops items that nobody needs. */
  dropTo(number: number): void {
    this.#ring.dropTo(number)
  }

  #end(at: number, topic: string, incarnation: number, after: number, index: number): void {
    const item: Ended = { kind: 'ended', at, topic, incarnation, after, index }
    this.#now[at] = { sequence: this.#now[at]!.sequence, index }
    this.#lives.ended(at, incarnation)
    this.#ends.push(item)
    if (this.#ends.length > LIMITS.MAX_KNOWN_ENDS) this.#ends.shift()
    this.#ring.push(this.last + 1, item)
  }

  #note(at: number, topic: string, incarnation: number, index: number, isHeard: boolean): void {
    if (!this.hasEnded(at, incarnation)) this.#lives.note(at, topic, incarnation, index, isHeard)
  }

  /** Whether topics are shown in a slot of which only a replica can say whether they still exist. */
  #mustAsk(at: number): boolean {
    return this.#lives.of(at).lives.some(({ isHeard }) => !isHeard)
  }

  #leaveOut(at: number, { index }: SlotPosition): Covering {
    this.#endFloors[at] = index
    return 'behind'
  }

  #go(at: number, { sequence, index }: SlotPosition): void {
    const before = this.#now[at]
    if (before !== undefined && sequence <= before.sequence && index <= before.index) return
    this.#now[at] = { sequence, index: Math.max(before?.index ?? 0, index) }
    this.#moved.add(at)
  }

  #dropped(item: ChannelItem, number: number): void {
    if (item.kind === 'event') this.#floors[item.at] = Math.max(this.#floors[item.at]!, item.event.sequence)
    else this.#endFloors[item.at] = Math.max(this.#endFloors[item.at]!, item.index)
    if (number <= this.#settled) return
    this.#advance(item)
    this.#settled = number
  }

  #advance(item: ChannelItem): void {
    this.#vector.advance(item.at, item.index, item.kind === 'event' ? item.event.sequence : 0)
  }

  #frame(item: ChannelItem): Buffer {
    this.#advance(item)
    const { text } = this.#vector
    return item.kind === 'event'
      ? channelEvent(text, item.topic, item.event)
      : channelEnd(text, item.topic, item.incarnation)
  }

  /** The slots, ascending. */
  get slots(): readonly number[] {
    return this.#slots
  }
}
