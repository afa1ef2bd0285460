import type { SlotPosition } from '../topics/positions.ts'
import { WantSet } from '../topics/wants.ts'
import type { StreamBounds } from './bounds.ts'
import type { CatchUp } from './catch-up.ts'
import { ChannelLog, type Chunk } from './channel-log.ts'
import type { ChannelHome, ChannelSubscriber } from './channel-subscriber.ts'
import { type ChannelEar, ChannelTap } from './channel-tap.ts'
import type { Flushable, Flusher } from './flusher.ts'
import type { Selection } from './selection.ts'
import type { SlotTap, SlotTaps } from './taps.ts'
import { Trail } from './trail.ts'
import { Vector } from './vector.ts'

export interface ChannelOptions {
  readonly selection: Selection
  readonly taps: SlotTaps
  readonly flusher: Flusher
  readonly catchUp: CatchUp
  readonly bounds: StreamBounds
  /** The last subscriber has left. Called once. */
  readonly onDone: (channel: Channel) => void
}

/**
 * All streams of this peer over the same topics and patterns. It hears the events of every slot concerned. Those of its
 * subscribers that are level share cursors and frames: each event becomes bytes once for all of them, and leaves with
 * others in one write. The rest go along the same items with cursors of their own, and read the log for what is missing.
 */
export class Channel implements ChannelHome, Flushable {
  readonly selection: Selection
  readonly wanted: WantSet
  readonly log: ChannelLog
  readonly #flusher: Flusher
  readonly #catchUp: CatchUp
  readonly #onDone: (channel: Channel) => void
  readonly #subscribers = new Set<ChannelSubscriber>()
  readonly #stops: (() => void)[] = []
  /** By slot: who waits for it to be covered. */
  readonly #waits = new Map<number, Set<() => void>>()
  /** Chunks made for this flush, by first item. */
  readonly #chunks = new Map<number, Chunk>()
  /** The place from which somebody last left the others. */
  #departed: Vector | undefined
  /** A flush that is not through yet. */
  #round: Iterator<ChannelSubscriber> | undefined
  #levels = 0
  #done = false

  constructor(options: ChannelOptions) {
    const { selection } = options
    this.selection = selection
    this.wanted = new WantSet(selection.wants)
    this.log = new ChannelLog(selection.slots, options.bounds)
    this.#flusher = options.flusher
    this.#catchUp = options.catchUp
    this.#onDone = options.onDone
    const ear = this.#ear()
    for (const [at, { slot, wants }] of selection.scopes.entries()) {
      this.#stops.push(options.taps.tap(slot, new ChannelTap(at, wants, ear)))
    }
  }

  standing(): { readonly cursor: string; readonly number: number } {
    this.#settle()
    return { cursor: this.log.cursor, number: this.log.last }
  }

  /** Who waits for a slot to be covered. */
  get waiting(): number {
    return [...this.#waits.values()].reduce((sum, { size }) => sum + size, 0)
  }

  /** Resolves with where the channel stands in a slot once that is covered; undefined when it is `over` before. */
  covered(at: number, over: AbortSignal): Promise<SlotPosition | undefined> {
    const now = this.log.now(at)
    if (now !== undefined || over.aborted) return Promise.resolve(now)
    const waits = this.#waits.get(at) ?? new Set()
    this.#waits.set(at, waits)
    return new Promise(resolve => {
      const done = () => {
        // A slot may never be covered, while streams come and go.
        waits.delete(done)
        over.removeEventListener('abort', done)
        resolve(this.log.now(at))
      }
      waits.add(done)
      over.addEventListener('abort', done)
    })
  }

  /** Takes a subscriber that has not begun yet. */
  add(subscriber: ChannelSubscriber): void {
    this.#subscribers.add(subscriber)
  }

  /** Begins with a subscriber, and tells its client where. */
  begin(subscriber: ChannelSubscriber, trail: Trail): void {
    this.#settle()
    subscriber.next = this.log.last + 1
    subscriber.trail = trail
    subscriber.announce()
    this.pump(subscriber)
  }

  remove(subscriber: ChannelSubscriber): void {
    const isKnown = this.#subscribers.delete(subscriber)
    if (isKnown && subscriber.begun && subscriber.trail === undefined) this.#levels -= 1
    if (this.#subscribers.size > 0 || this.#done) return
    this.#done = true
    for (const stop of this.#stops) stop()
    this.#onDone(this)
  }

  flush(isOver: () => boolean): boolean {
    if (this.#done) return true
    if (this.#round === undefined) this.#settle()
    // A set's iterator goes on behind what was deleted, and reaches what was added.
    this.#round ??= this.#subscribers.values()
    for (let next = this.#round.next(); !next.done; next = this.#round.next()) {
      this.pump(next.value)
      if (isOver()) return false
    }
    this.#round = undefined
    this.#chunks.clear()
    this.#trim()
    return true
  }

  pump(subscriber: ChannelSubscriber): void {
    if (!subscriber.open || !subscriber.begun || subscriber.blocked) return
    if (subscriber.trail === undefined && subscriber.next < this.log.first) this.#depart(subscriber)
    if (subscriber.trail === undefined) this.#pumpLevel(subscriber)
    else this.#pumpTrail(subscriber, subscriber.trail)
  }

  #ear(): ChannelEar {
    const { log } = this
    return {
      covered: (...cover) => this.#covered(...cover),
      events: (at, topic, events, index) => {
        log.publish(at, topic, events, index)
        this.#flusher.request(this)
      },
      ended: (at, topic, incarnation, index) => {
        log.end(at, topic, incarnation, index)
        this.#flusher.request(this)
      },
      passed: (at, position) => {
        log.pass(at, position)
        if (this.#levels < this.#subscribers.size) this.#flusher.request(this)
      },
    }
  }

  #covered(at: number, ...cover: Parameters<SlotTap['covered']>): void {
    if (this.log.cover(at, ...cover) === 'behind') {
      for (const subscriber of this.#subscribers) {
        if (!subscriber.begun) continue
        const trail = subscriber.trail ?? this.#depart(subscriber)
        if (!trail.undecided.has(at)) trail.behind.add(at)
      }
    }
    for (const done of this.#waits.get(at) ?? []) done()
    this.#waits.delete(at)
    this.#flusher.request(this)
  }

  #settle(): void {
    this.log.settle(this.#levels > 0)
  }

  #pumpLevel(subscriber: ChannelSubscriber): void {
    const { settled } = this.log
    if (subscriber.next > settled) return
    let chunk = this.#chunks.get(subscriber.next)
    if (chunk === undefined) {
      chunk = this.log.chunk(subscriber.next)
      this.#chunks.set(subscriber.next, chunk)
    }
    subscriber.deliver(chunk, chunk.to + 1)
    if (chunk.to < settled) this.#flusher.request(this)
  }

  #pumpTrail(subscriber: ChannelSubscriber, trail: Trail): void {
    if (this.#walk(subscriber, trail)) {
      if (trail.isLevel(this.log)) this.#arrive(subscriber)
    } else this.#flusher.request(this)
    this.#catchUp.serve(this, subscriber)
  }

  /** Goes along the items as far as a bounded write allows. True: there are no more. */
  #walk(subscriber: ChannelSubscriber, trail: Trail): boolean {
    const { log } = this
    const { behind, undecided, vector } = trail
    if (subscriber.next < log.first) {
      for (const at of log.slots.keys()) {
        if (!undecided.has(at) && !log.reaches(at, vector.position(at))) behind.add(at)
      }
      subscriber.next = log.first
    }
    const found = new Set([...behind].filter(at => log.now(at) !== undefined && !trail.mustRead(log, at)))
    if (found.size > 0) {
      // What these slots lack came while the log was read.
      const upTo = subscriber.next - 1
      const isWanted = (at: number) => found.has(at) && !trail.hidden.has(at)
      const taken = trail.take(log, log.first, upTo, isWanted)
      subscriber.deliver(taken, subscriber.next)
      if (taken.to < upTo) return false
      for (const at of found) if (!trail.hidden.has(at)) behind.delete(at)
    }
    const isWanted = (at: number) => !behind.has(at) && !undecided.has(at)
    const taken = trail.take(log, subscriber.next, log.last, isWanted)
    subscriber.deliver(taken, taken.to + 1)
    return taken.to === log.last
  }

  /** From a trail to the others: from here on it shows what they show. */
  #arrive(subscriber: ChannelSubscriber): void {
    this.#settle()
    this.#levels += 1
    subscriber.trail = undefined
    subscriber.place = this.log.cursor
    if (this.#levels === this.#subscribers.size) this.log.forgetBreaks()
  }

  /** From the others to a trail of its own, from where it stands. */
  #depart(subscriber: ChannelSubscriber): Trail {
    this.#levels -= 1
    const { place } = subscriber
    // Mostly all stand at the same one.
    if (this.#departed?.text !== place) this.#departed = Vector.of(this.log.slots, place)
    subscriber.trail = new Trail(this.#departed.copy(), [])
    return subscriber.trail
  }

  /** One subscriber that has everything needs no items kept for others that come. */
  #trim(): void {
    this.log.trim()
    if (this.#subscribers.size > 1) return
    for (const one of this.#subscribers) {
      if (one.begun && one.trail === undefined) this.log.dropTo(one.next - 1)
    }
  }
}
