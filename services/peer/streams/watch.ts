import type { SlotLogs } from '../engine/types.ts'
import type { SlotNotice } from '../topics/types.ts'

export type TopicListener = (notice: SlotNotice) => void

interface Watched {
  readonly stop: () => void
  readonly topics: Map<string, Set<TopicListener>>
}

/** Follows each slot once and hands what happens to a topic to those who watch it, however many topics are watched. */
export class SlotWatch {
  readonly #slots: SlotLogs
  readonly #watched = new Map<number, Watched>()

  constructor(slots: SlotLogs) {
    this.#slots = slots
  }

  /**
   * Calls `listener` for notices about `topic`, and when the slot's state was replaced or the slot is gone from here,
   * which is the last it hears. Returns the way to stop.
   */
  watch(slot: number, topic: string, listener: TopicListener): () => void {
    const watched = this.#watched.get(slot) ?? this.#follow(slot)
    const listeners = watched.topics.get(topic) ?? new Set()
    watched.topics.set(topic, listeners)
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && watched.topics.get(topic) === listeners) watched.topics.delete(topic)
      if (watched.topics.size === 0 && this.#watched.get(slot) === watched) {
        this.#watched.delete(slot)
        watched.stop()
      }
    }
  }

  #follow(slot: number): Watched {
    const topics: Watched['topics'] = new Map()
    const stop = this.#slots.follow(slot, notice => {
      if (notice.kind === 'gone') this.#gone(slot, watched)
      else deliver(topics, notice)
    })
    const watched: Watched = { topics, stop }
    this.#watched.set(slot, watched)
    return watched
  }

  #gone(slot: number, watched: Watched): void {
    // A peer that stops keeps its slots, and its streams are ended next: they must not go elsewhere first.
    if (this.#slots.holds(slot)) return
    // First of all, so that a later replica of the slot is followed afresh.
    this.#watched.delete(slot)
    watched.stop()
    tellAll(watched.topics, { kind: 'gone' })
  }
}

function deliver(topics: Watched['topics'], notice: Exclude<SlotNotice, { kind: 'gone' }>): void {
  if (notice.kind === 'roster') return
  if (notice.kind === 'restored') {
    tellAll(topics, notice)
    return
  }
  const name = typeof notice.topic === 'string' ? notice.topic : notice.topic.name
  const listeners = topics.get(name)
  if (listeners !== undefined) for (const listener of [...listeners]) listener(notice)
}

function tellAll(topics: Watched['topics'], notice: SlotNotice): void {
  for (const listeners of [...topics.values()]) for (const listener of [...listeners]) listener(notice)
}
