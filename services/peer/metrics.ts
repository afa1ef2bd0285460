import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { PeerId } from './cube/labels.ts'
import type { EngineObserver, SlotLogs } from './engine/types.ts'
import type { ErrorCode } from './errors.ts'
import type { StreamStats } from './streams/types.ts'

/** Where the figures come from that are looked up when somebody asks for them. */
export interface MetricSources {
  readonly slots: Pick<SlotLogs, 'held' | 'status'>
  readonly streams: { stats(): StreamStats }
  /** The peers across one dimension and whether each answers. */
  neighbours(): readonly { readonly id: PeerId; readonly up: boolean }[]
}

const ROLES = ['leader', 'follower', 'candidate', 'preCandidate'] as const
/** Seconds; an fsync of a good disk is about 1 ms, a loaded one's 100. */
const LATENCY_BUCKETS_S = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
const BATCH_BUCKETS = [1, 2, 5, 10, 25, 50, 100, 250, 1_000]
/** Coarse, since each step wakes an idle process. */
const LOOP_PRECISION_MS = 100

/**
 * The figures of one peer at GET /metrics, in a registry of its own. No label is a topic or a client: their number
 * has no bound.
 */
export class PeerMetrics implements EngineObserver {
  readonly registry = new Registry()
  #sources: MetricSources | undefined
  readonly #publishes: Counter<'outcome'>
  readonly #events: Counter
  readonly #commit: Histogram
  readonly #fsync: Histogram
  readonly #batch: Histogram
  readonly #elections: Counter
  readonly #beats: Counter<'peer' | 'outcome'>

  constructor() {
    const registers = [this.registry]
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: LOOP_PRECISION_MS })
    this.#publishes = new Counter({
      name: 'hypercast_publishes_total',
      help: 'Publish requests this peer answered, single and batch, by outcome: ok or the code of the error.',
      labelNames: ['outcome'],
      registers,
    })
    this.#events = new Counter({
      name: 'hypercast_published_events_total',
      help: 'Events acknowledged by this peer.',
      registers,
    })
    this.#commit = new Histogram({
      name: 'hypercast_commit_seconds',
      help: 'Time from the append of a proposal at this primary until it is committed and applied.',
      buckets: LATENCY_BUCKETS_S,
      registers,
    })
    this.#fsync = new Histogram({
      name: 'hypercast_fsync_seconds',
      help: 'Time from handing a transaction to the store until it is durable.',
      buckets: LATENCY_BUCKETS_S,
      registers,
    })
    this.#batch = new Histogram({
      name: 'hypercast_batch_entries',
      help: 'Log entries in one transaction (group commit).',
      buckets: BATCH_BUCKETS,
      registers,
    })
    this.#elections = new Counter({
      name: 'hypercast_elections_total',
      help: 'Times a replica of this peer stood for election.',
      registers,
    })
    this.#beats = new Counter({
      name: 'hypercast_heartbeats_total',
      help: 'Heartbeat exchanges with other peers by outcome.',
      labelNames: ['peer', 'outcome'],
      registers,
    })
    this.#lookedUp()
  }

  /** Names where the other figures come from; until then they are not given. */
  watch(sources: MetricSources): void {
    this.#sources = sources
  }

  /** A publish request was answered: `events` of them acknowledged, or the error's code. */
  published(outcome: 'ok' | ErrorCode, events: number): void {
    this.#publishes.inc({ outcome })
    if (outcome === 'ok') this.#events.inc(events)
  }

  committed(durationMs: number): void {
    this.#commit.observe(durationMs / 1_000)
  }

  flushed(durationMs: number, entries: number): void {
    this.#fsync.observe(durationMs / 1_000)
    if (entries > 0) this.#batch.observe(entries)
  }

  election(): void {
    this.#elections.inc()
  }

  beat(peer: PeerId, ok: boolean): void {
    this.#beats.inc({ peer, outcome: ok ? 'ok' : 'failed' })
  }

  /** Gives no figures any more of peers that are not listed. */
  async retain(isListed: (peer: PeerId) => boolean): Promise<void> {
    const { values } = await this.#beats.get()
    for (const { labels } of values) if (!isListed(String(labels.peer))) this.#beats.remove(labels)
  }

  #lookedUp(): void {
    const sources = (): MetricSources | undefined => this.#sources
    this.#gauge('hypercast_streams', 'Streams of events open at this peer.', gauge => {
      const from = sources()
      if (from) gauge.set(from.streams.stats().streams)
    })
    new Counter({
      name: 'hypercast_deliveries_total',
      help: 'Events written to the streams of this peer.',
      registers: [this.registry],
      collect() {
        this.reset()
        this.inc(sources()?.streams.stats().deliveries ?? 0)
      },
    })
    this.#gauge('hypercast_trunks_up', 'Trunks by which this peer gets live events from others.', gauge => {
      const from = sources()
      if (from) gauge.set(from.streams.stats().trunksUp)
    })
    this.#gauge(
      'hypercast_trunks_down',
      'Trunks by which other peers get live events from this one.',
      gauge => {
        const from = sources()
        if (from) gauge.set(from.streams.stats().trunksDown)
      },
    )
    this.#gauge('hypercast_neighbours', 'Peers across one dimension.', gauge => {
      const from = sources()
      if (from) gauge.set(from.neighbours().length)
    })
    this.#gauge('hypercast_neighbours_up', 'Neighbours that answer.', gauge => {
      const from = sources()
      if (from) gauge.set(from.neighbours().filter(one => one.up).length)
    })
    const roles = new Gauge({
      name: 'hypercast_slot_role',
      help: '1 for the role this peer has in each slot it holds.',
      labelNames: ['slot', 'role'],
      registers: [this.registry],
      collect() {
        roles.reset()
        const from = sources()
        if (!from) return
        for (const slot of from.slots.held) {
          const { role } = from.slots.status(slot).raft
          for (const one of ROLES) roles.set({ slot: String(slot), role: one }, one === role ? 1 : 0)
        }
      },
    })
    this.#gauge('hypercast_slots_led', 'Slots this peer is the primary of.', gauge => {
      const from = sources()
      if (from)
        gauge.set(from.slots.held.filter(slot => from.slots.status(slot).raft.role === 'leader').length)
    })
  }

  #gauge(name: string, help: string, collect: (gauge: Gauge) => void): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers: [this.registry],
      collect: () => collect(gauge),
    })
  }
}
