import { pause } from '../engine/pause.ts'
import type { Clock, SlotLogs } from '../engine/types.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Dispatcher } from '../links/types.ts'
import { formatCursor } from '../topics/cursor.ts'
import type { StoredEvent } from '../topics/types.ts'
import type { Resolver } from './resolver.ts'
import type { Slice } from './source.ts'
import type { Decision } from './start.ts'
import type { StreamStart } from './types.ts'

/** A page of a topic's events. */
export interface TopicPage {
  readonly events: readonly StoredEvent[]
  /** Cursor behind the last event of the page (or the page's start): where the next page or stream begins. */
  readonly next: string
  /** Events asked for that retention has removed. */
  readonly gap?: { readonly from: number; readonly to: number }
  /** First and last offset the topic had when the page was read. */
  readonly earliest: number
  readonly latest: number
}

export interface HistoryOptions {
  readonly resolver: Resolver
  readonly slots: SlotLogs
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  readonly slotOf: (topic: string) => number
}

type Begun = Extract<Decision, { kind: 'start' }>

/** Reads of what is there, that end: pages and whole histories. What was acknowledged before they begin, they see. */
export class History {
  readonly #options: HistoryOptions

  constructor(options: HistoryOptions) {
    this.#options = options
  }

  /** See TopicStreams.page. */
  async page(topic: string, start: StreamStart, limit: number): Promise<TopicPage> {
    const begun = await this.#begin(topic, start)
    const { signal } = new AbortController()
    const events: StoredEvent[] = []
    let sizeBytes = 0
    for await (const event of this.#events(topic, begun, signal)) {
      events.push(event)
      sizeBytes += event.data.length
      if (events.length >= limit || sizeBytes > LIMITS.MAX_PAGE_BYTES) break
    }
    const { incarnation, latest } = begun
    const earliest = Math.max(
      begun.earliest,
      events[0] && events[0].offset > begun.next ? events[0].offset : 1,
    )
    const gap = begun.next < earliest ? { gap: { from: begun.next, to: earliest - 1 } } : {}
    const last = events.at(-1)?.offset ?? Math.min(latest, Math.max(begun.next, earliest) - 1)
    return { events, next: formatCursor(last, incarnation), ...gap, earliest, latest }
  }

  /** See TopicStreams.history. */
  async *events(topic: string, start: StreamStart, signal: AbortSignal): AsyncGenerator<StoredEvent> {
    yield* this.#events(topic, await this.#begin(topic, start), signal)
  }

  /** Events up to the latest that was known at the beginning. */
  async *#events(topic: string, begun: Begun, signal: AbortSignal): AsyncGenerator<StoredEvent> {
    // What retention has removed is told as a gap, also where a replica that is behind still has it.
    let next = Math.max(begun.next, begun.earliest)
    while (next <= begun.latest && !signal.aborted) {
      const slice = await this.#read(topic, begun.incarnation, next, signal)
      for (const event of slice.events) {
        if (event.offset > begun.latest || signal.aborted) return
        yield event
      }
      next = Math.max(next, slice.earliest, (slice.events.at(-1)?.offset ?? 0) + 1)
    }
  }

  async #begin(topic: string, start: StreamStart): Promise<Begun> {
    const deadlineMs = this.#options.clock.monotonicMs() + LIMITS.STREAM_PATIENCE_MS
    const resolution = await this.#options.resolver.resolveFresh(topic, start, deadlineMs)
    switch (resolution.kind) {
      case 'start':
        return resolution
      case 'ended':
        throw new HypercastError('UNKNOWN_TOPIC', `The topic ${JSON.stringify(topic)} was deleted`)
      case 'refused':
        throw resolution.error
      case 'undecided':
        throw new HypercastError(resolution.code)
    }
  }

  /** Events from `from` on, which is known to exist: waits a while for a replica that has it, then gives up. */
  async #read(topic: string, incarnation: number, from: number, signal: AbortSignal): Promise<Slice> {
    const { clock } = this.#options
    const deadlineMs = clock.monotonicMs() + LIMITS.STREAM_PATIENCE_MS
    for (let attempt = 0; ; attempt += 1) {
      const slice = await this.#readOnce(topic, incarnation, from, deadlineMs)
      if (slice !== null && (slice.events.length > 0 || slice.earliest > from)) return slice
      const pauseMs = Math.min(LIMITS.RETRY_MAX_MS, LIMITS.RETRY_MIN_MS * 2 ** attempt)
      if (signal.aborted || clock.monotonicMs() + pauseMs >= deadlineMs)
        throw new HypercastError('UNREACHABLE')
      await pause(clock, pauseMs, signal)
    }
  }

  async #readOnce(
    topic: string,
    incarnation: number,
    from: number,
    deadlineMs: number,
  ): Promise<Slice | null> {
    const { slots, dispatcher, slotOf } = this.#options
    const slot = slotOf(topic)
    const { REPLAY_EVENTS: maxEvents, REPLAY_BYTES: maxBytes } = LIMITS
    const row = slots.holds(slot) ? slots.topic(slot, topic) : undefined
    if (row?.incarnation === incarnation) {
      try {
        const events = slots.read(slot, incarnation, from, maxEvents, maxBytes)
        return { events, earliest: row.earliest, latest: row.latest }
      } catch {
        // A bad record: the engine says so and repairs the replica.
        return null
      }
    }
    const operation = { kind: 'read', slot, topic, incarnation, from, maxEvents, maxBytes } as const
    const { result } = await dispatcher.dispatch(operation, deadlineMs)
    return result.kind === 'events' ? result : null
  }
}
