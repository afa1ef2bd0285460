import type { Clock, SlotLogs } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { Dispatcher } from '../links/types.ts'
import type { SlotFeeds } from './slot-feeds.ts'
import type { Slice, SourceTarget, TopicSource } from './source.ts'

export interface TapSourceOptions {
  readonly feeds: SlotFeeds
  readonly slots: SlotLogs
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  readonly slot: number
  readonly topic: string
  readonly incarnation: number
}

/** One life of one topic: live by a tap on its slot, the past from the replica here or, without one, from any other. */
export class TapSource implements TopicSource {
  readonly #options: TapSourceOptions
  #stop: (() => void) | undefined
  #isClosed = false

  constructor(options: TapSourceOptions) {
    this.#options = options
  }

  start(target: SourceTarget): void {
    const { feeds, slot, topic, incarnation } = this.#options
    const stop = feeds.tap(slot, {
      wants: [topic],
      covered: (_position, rows, newest) => {
        const row = rows.get(topic)
        if (row?.incarnation === incarnation) {
          if (row.latest > target.head) target.jump(row.latest)
        } else if ((row?.incarnation ?? newest) >= incarnation) target.end(null)
      },
      events: (_topic, events) => target.publish(events.filter(event => event.incarnation === incarnation)),
      ended: (_topic, ended, latest) => {
        if (ended === incarnation) target.end(latest)
      },
      passed() {},
    })
    // It may have been told that the topic is over, and been closed, before there was anything to stop.
    if (this.#isClosed) stop()
    else this.#stop = stop
  }

  async read(from: number, maxEvents: number): Promise<Slice | null> {
    return this.#readHere(from, maxEvents) ?? this.#readElsewhere(from, maxEvents)
  }

  earliest(): number {
    const { slots, slot, topic, incarnation, feeds } = this.#options
    const row = slots.holds(slot) ? slots.topic(slot, topic) : feeds.row(slot, topic)
    return row?.incarnation === incarnation ? row.earliest : 1
  }

  close(): void {
    this.#isClosed = true
    this.#stop?.()
    this.#stop = undefined
  }

  #readHere(from: number, maxEvents: number): Slice | undefined {
    const { slots, slot, topic, incarnation } = this.#options
    if (!slots.holds(slot)) return undefined
    const row = slots.topic(slot, topic)
    if (row?.incarnation !== incarnation) return undefined
    try {
      const events = slots.read(slot, incarnation, from, maxEvents, LIMITS.REPLAY_BYTES)
      return { events, earliest: row.earliest, latest: row.latest }
    } catch {
      // A bad record: the engine says so and repairs the replica; others have it.
      return undefined
    }
  }

  async #readElsewhere(from: number, maxEvents: number): Promise<Slice | null> {
    const { dispatcher, clock, slot, topic, incarnation } = this.#options
    const deadlineMs = clock.monotonicMs() + LIMITS.STREAM_PATIENCE_MS
    const wanted = { slot, topic, incarnation, from, maxEvents, maxBytes: LIMITS.REPLAY_BYTES }
    const { result } = await dispatcher.dispatch({ kind: 'read', ...wanted }, deadlineMs)
    return result.kind === 'events' ? result : null
  }
}
