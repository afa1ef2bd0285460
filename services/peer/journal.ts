import type { Clock, CubeEvent, SlotLogs } from './engine/types.ts'
import { LIMITS } from './limits.ts'
import type { SlotNotice } from './topics/types.ts'

/** The part of a pino logger the journal writes to. */
export interface JournalLog {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

export interface JournalOptions {
  readonly log: JournalLog
  /** Asked for at `start`. */
  readonly slots: () => SlotLogs
  readonly clock: Pick<Clock, 'after'>
}

interface TopicSummary {
  publishes: number
  events: number
  bytes: number
}

const SUMMARY_EVERY_MS = 60_000

/**
 * What an operator wants to read afterwards: topics created and deleted, suspicion, failure, takeover, rejoin and
 * reclamation as they happen, each publish at debug level, and once a minute the publishes per topic and the
 * heartbeats. A replica counts what it applies, so every event is counted by each peer that holds it.
 */
export class PeerJournal {
  readonly #log: JournalLog
  readonly #clock: Pick<Clock, 'after'>
  readonly #slots: () => SlotLogs
  #stop: () => void = () => {}
  /** By slot that is served here. */
  readonly #following = new Map<number, () => void>()
  #cancelSummary: () => void = () => {}
  #topics = new Map<string, TopicSummary>()
  #others: TopicSummary = { publishes: 0, events: 0, bytes: 0 }
  #beats = new Map<string, { sent: number; failed: number }>()

  constructor({ log, slots, clock }: JournalOptions) {
    this.#log = log
    this.#clock = clock
    this.#slots = slots
  }

  /** Listens to the slots held here. */
  start(): void {
    const slots = this.#slots()
    this.#stop = slots.onCubeEvent(event => this.#cubeEvent(event))
    for (const slot of slots.held) this.#follow(slot)
    this.#schedule()
  }

  #follow(slot: number): void {
    this.#following.get(slot)?.()
    this.#following.set(
      slot,
      this.#slots().follow(slot, notice => this.#notice(slot, notice)),
    )
  }

  /** A heartbeat exchange with a peer ended. */
  beat(peer: string, ok: boolean): void {
    let counts = this.#beats.get(peer)
    if (!counts) {
      if (this.#beats.size >= 2 ** LIMITS.MAX_DIMENSION) return
      counts = { sent: 0, failed: 0 }
      this.#beats.set(peer, counts)
    }
    counts.sent += 1
    if (!ok) counts.failed += 1
  }

  /** Writes the summary of the time since the last one, if anything happened. */
  summarize(): void {
    if (this.#topics.size > 0) {
      const topics = Object.fromEntries(this.#topics)
      const others = this.#others.publishes > 0 ? { others: this.#others } : {}
      this.#log.info({ event: 'publishes', topics, ...others }, 'publishes since the last summary')
    }
    if (this.#beats.size > 0) {
      this.#log.info(
        { event: 'heartbeats', peers: Object.fromEntries(this.#beats) },
        'heartbeats since the last summary',
      )
    }
    this.#topics = new Map()
    this.#others = { publishes: 0, events: 0, bytes: 0 }
    this.#beats = new Map()
  }

  /** Writes the last summary and listens no more. */
  close(): void {
    this.#cancelSummary()
    this.#stop()
    for (const stop of this.#following.values()) stop()
    this.#following.clear()
    this.summarize()
  }

  #schedule(): void {
    this.#cancelSummary = this.#clock.after(SUMMARY_EVERY_MS, () => {
      this.summarize()
      this.#schedule()
    })
  }

  #cubeEvent(event: CubeEvent): void {
    if (event.kind === 'arrived') this.#follow(event.slot)
    if (event.kind === 'departed') this.#following.delete(event.slot)
    const { kind, timeMs: _, ...rest } = event
    // Every line has a `peer` already: the one that writes it.
    const { peer: who, ...more } = { peer: undefined, ...rest }
    const fields = { event: kind, ...(who === undefined ? {} : { who }), ...more }
    if (kind === 'suspected' || kind === 'failed' || kind === 'recovered')
      this.#log.warn(fields, CUBE_MESSAGES[kind])
    else this.#log.info(fields, CUBE_MESSAGES[kind])
  }

  #notice(slot: number, notice: SlotNotice): void {
    switch (notice.kind) {
      case 'published': {
        const { first, count, bytes } = notice.run
        this.#log.debug(
          { event: 'publish', slot, topic: notice.topic, offset: first, count, bytes },
          'published',
        )
        this.#count(notice.topic, count, bytes)
        return
      }
      case 'created': {
        const { name, incarnation, settings } = notice.topic
        this.#log.info({ event: 'topic-created', slot, topic: name, incarnation, settings }, 'topic created')
        return
      }
      case 'configured': {
        const { name, settings } = notice.topic
        this.#log.info({ event: 'topic-configured', slot, topic: name, settings }, 'topic settings changed')
        return
      }
      case 'deleted': {
        const { topic, incarnation, latest } = notice
        this.#log.info({ event: 'topic-deleted', slot, topic, incarnation, latest }, 'topic deleted')
        return
      }
      case 'trimmed': {
        const { name, earliest } = notice.topic
        this.#log.debug({ event: 'trimmed', slot, topic: name, earliest }, 'old events left by retention')
        return
      }
      case 'restored':
        this.#log.info({ event: 'restored', slot }, 'the slot was restored from a snapshot')
    }
  }

  #count(topic: string, events: number, bytes: number): void {
    let summary = this.#topics.get(topic)
    if (!summary) {
      summary =
        this.#topics.size < LIMITS.MAX_SUMMARY_TOPICS ? { publishes: 0, events: 0, bytes: 0 } : this.#others
      if (summary !== this.#others) this.#topics.set(topic, summary)
    }
    summary.publishes += 1
    summary.events += events
    summary.bytes += bytes
  }
}

const CUBE_MESSAGES: Readonly<Record<CubeEvent['kind'], string>> = {
  suspected: 'a peer is suspected to have failed',
  failed: 'a peer has failed',
  rejoined: 'a peer is back',
  primary: 'a slot has a primary',
  takeover: 'a successor took over as primary',
  reclaimed: 'the home is primary again',
  recovered: 'a slot goes on without its majority',
  ready: 'every slot held here has a primary',
  arrived: 'a slot is served here from now on',
  departed: 'a slot is served elsewhere from now on',
  moving: 'slots led here are still to move',
  joined: 'a peer has joined the cube',
  leaving: 'a peer leaves the cube: its slots move',
  left: 'a peer has left the cube',
  replaced: 'a peer has a new store, and a new number',
  moved: 'a peer has another address',
}
