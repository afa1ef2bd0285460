import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import { type Replicas, readTopic, type TopicLife } from './nearest.ts'
import type { SlotFeeds } from './slot-feeds.ts'
import type { Slice, SourceTarget, TopicSource } from './source.ts'

export interface TapSourceOptions extends TopicLife, Replicas<'topic' | 'read'> {
  readonly feeds: SlotFeeds
  readonly clock: Clock
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

  read(from: number, maxEvents: number): Promise<Slice | null> {
    const deadlineMs = this.#options.clock.monotonicMs() + LIMITS.STREAM_PATIENCE_MS
    return readTopic(this.#options, this.#options, from, maxEvents, deadlineMs)
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
}
