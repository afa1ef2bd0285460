import { pause } from '../engine/pause.ts'
import type { Clock } from '../engine/types.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { formatCursor } from '../topics/cursor.ts'
import type { StoredEvent } from '../topics/types.ts'
import { type Replicas, readTopic } from './nearest.ts'
import type { Resolver } from './resolver.ts'
import type { Slice } from './source.ts'
import type { Decision } from './start.ts'
import type { StreamStart } from './types.ts'

/** Offsets that retention has removed, both ends included. */
export interface Gap {
  readonly from: number
  readonly to: number
}

/** What a history is made of; only an event has an offset. */
export type HistoryItem = StoredEvent | Gap

/** A page of a topic's events. */
export interface TopicPage {
  readonly events: readonly StoredEvent[]
  /**
   * Cursor behind the last event of the page (or the page's start): where the next page or stream begins. Of a start in
   * the future: behind the latest event.
   */
  readonly next: string
  /** Before the events of the page: what was asked for and retention has removed. */
  readonly gap?: Gap
  /** First and last offset the topic had when the page was read. */
  readonly earliest: number
  readonly latest: number
}

export interface HistoryOptions extends Replicas<'topic' | 'read'> {
  readonly resolver: Resolver
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
    let gap: Gap | undefined
    let { next } = begun
    let sizeBytes = 0
    for await (const item of this.#items(topic, begun, signal)) {
      if (!('offset' in item)) {
        // A gap behind events is told by the page that begins with it.
        if (events.length > 0) break
        gap = { from: gap?.from ?? item.from, to: item.to }
        next = item.to + 1
        continue
      }
      events.push(item)
      next = item.offset + 1
      sizeBytes += item.data.length
      if (events.length >= limit || sizeBytes > LIMITS.MAX_PAGE_BYTES) break
    }
    const { incarnation, latest } = begun
    const earliest = Math.max(begun.earliest, gap ? gap.to + 1 : 1)
    // A start in the future has no cursor yet.
    const cursor = formatCursor(Math.min(latest, next - 1), incarnation)
    return { events, next: cursor, ...(gap && { gap }), earliest, latest }
  }

  /** See TopicStreams.history. */
  async *items(topic: string, start: StreamStart, signal: AbortSignal): AsyncGenerator<HistoryItem> {
    yield* this.#items(topic, await this.#begin(topic, start), signal)
  }

  /** Up to the latest that was known at the beginning: each offset as an event, or in a gap. */
  async *#items(topic: string, begun: Begun, signal: AbortSignal): AsyncGenerator<HistoryItem> {
    const { incarnation, latest } = begun
    let { next } = begun
    // What retention has removed is told as a gap, also where a replica that is behind still has it.
    if (next < begun.earliest) yield { from: next, to: begun.earliest - 1 }
    next = Math.max(next, begun.earliest)
    while (next <= latest && !signal.aborted) {
      const slice = await this.#read(topic, incarnation, next, signal)
      for (const event of slice.events) {
        if (signal.aborted) return
        if (event.offset > next) yield { from: next, to: Math.min(event.offset - 1, latest) }
        if (event.offset > latest) return
        yield event
        next = event.offset + 1
      }
      if (slice.earliest > next) yield { from: next, to: Math.min(slice.earliest - 1, latest) }
      next = Math.max(next, slice.earliest)
    }
  }

  async #begin(topic: string, start: StreamStart): Promise<Begun> {
    const deadlineMs = this.#options.clock.monotonicMs() + LIMITS.STREAM_PATIENCE_MS
    const resolution = await this.#options.resolver.resolveFresh(topic, start, deadlineMs)
    switch (resolution.kind) {
      case 'start':
        return resolution
      case 'ended':
        throw ended(topic)
      case 'refused':
        throw resolution.error
      case 'undecided':
        throw new HypercastError(resolution.code)
    }
  }

  /** Events from `from` on, which is known to exist: waits a while for a replica that has it, then gives up. */
  async #read(topic: string, incarnation: number, from: number, signal: AbortSignal): Promise<Slice> {
    const { clock, slotOf } = this.#options
    const deadlineMs = clock.monotonicMs() + LIMITS.STREAM_PATIENCE_MS
    const life = { slot: slotOf(topic), topic, incarnation }
    for (let attempt = 0; ; attempt += 1) {
      const slice = await readTopic(this.#options, life, from, LIMITS.REPLAY_EVENTS, deadlineMs)
      if (slice !== null && (slice.events.length > 0 || slice.earliest > from)) return slice
      // A replica without a single event of this life is far behind, or the life is over.
      if (slice?.latest === 0) await this.#mustLive(topic, incarnation, from, deadlineMs)
      const pauseMs = Math.min(LIMITS.RETRY_MAX_MS, LIMITS.RETRY_MIN_MS * 2 ** attempt)
      if (signal.aborted || clock.monotonicMs() + pauseMs >= deadlineMs)
        throw new HypercastError('UNREACHABLE')
      await pause(clock, pauseMs, signal)
    }
  }

  /** Throws UNKNOWN_TOPIC when this life of the topic has ended meanwhile. */
  async #mustLive(topic: string, incarnation: number, from: number, deadlineMs: number): Promise<void> {
    const behind = { kind: 'cursor', offset: from - 1, incarnation } as const
    const resolution = await this.#options.resolver.resolveFresh(topic, behind, deadlineMs)
    if (resolution.kind === 'ended') throw ended(topic)
  }
}

function ended(topic: string): HypercastError {
  const name = JSON.stringify(topic)
  return new HypercastError(
    'UNKNOWN_TOPIC',
    `The topic ${name} that was read was deleted; one that was created under this name since is another topic, to be read from its beginning`,
  )
}
