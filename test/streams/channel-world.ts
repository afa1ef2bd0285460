import type { Placed, Slice, SlotStart } from '../../services/peer/links/slot-operations.ts'
import { STREAM_BOUNDS, type StreamBounds } from '../../services/peer/streams/bounds.ts'
import { Flusher } from '../../services/peer/streams/flusher.ts'
import { SeveralStreams } from '../../services/peer/streams/several.ts'
import type { ShownLife } from '../../services/peer/streams/shown-lives.ts'
import type { SlotReader } from '../../services/peer/streams/slot-reader.ts'
import type { SlotTap, SlotTaps } from '../../services/peer/streams/taps.ts'
import type { SeveralStart } from '../../services/peer/streams/types.ts'
import { isLevelWith, type SlotPosition } from '../../services/peer/topics/positions.ts'
import { UNLIMITED } from '../../services/peer/topics/settings.ts'
import type { Command } from '../../services/peer/topics/types.ts'
import { parseVectorCursor } from '../../services/peer/topics/vector-cursor.ts'
import { ManualClock } from './clock.ts'
import { FakeSink } from './sink.ts'
import { ReplicaModel, SlotModel, TapModel } from './slot-model.ts'

const MAX_PLACES = 100

export interface ChannelWorldOptions {
  readonly slots?: number
  readonly bounds?: Partial<StreamBounds>
  /** In [0, 1). */
  readonly random?: () => number
}

/** One peer with streams over several topics: its slots' logs, two replicas of each somewhere, and its taps. */
export class ChannelWorld implements SlotTaps, SlotReader {
  readonly clock = new ManualClock()
  readonly models: SlotModel[]
  readonly replicas: ReplicaModel[][]
  readonly taps = new Set<TapModel>()
  readonly streams: SeveralStreams
  readonly tally = { deliveries: 0 }
  /** Of every topic. */
  readonly settings = UNLIMITED
  /** Slots of which nobody answers, and that no new tap is covered in. */
  readonly unreachable = new Set<number>()
  /** Slots without a majority: what is linearizable is not answered there. */
  readonly leaderless = new Set<number>()
  /** New taps are covered at once, at the end of the log. */
  covering = true
  /** Reads are answered by the replica at hand: those that are level with the position take turns. */
  reads = 0
  places = 0
  readonly bounds: StreamBounds
  readonly #random: () => number

  constructor(options: ChannelWorldOptions = {}) {
    const slots = options.slots ?? 4
    this.#random = options.random ?? (() => 0)
    this.bounds = { ...STREAM_BOUNDS, ...options.bounds }
    this.models = Array.from({ length: slots }, (_, slot) => new SlotModel(slot))
    this.replicas = this.models.map(model => [new ReplicaModel(model), new ReplicaModel(model)])
    this.streams = new SeveralStreams({
      taps: this,
      reader: this,
      clock: this.clock,
      random: this.#random,
      flusher: new Flusher(this.clock, 2),
      slotCount: slots,
      slotOf: topic => this.slotOf(topic),
      retryMs: 500,
      bounds: this.bounds,
    })
  }

  /** The last digit of a topic's name. */
  slotOf(topic: string): number {
    return Number(topic.at(-1)) % this.models.length
  }

  model(topic: string): SlotModel {
    return this.models[this.slotOf(topic)]!
  }

  tap(slot: number, tap: SlotTap): () => void {
    const one = new TapModel(this.models[slot]!, tap)
    this.taps.add(one)
    if (this.covering && !this.unreachable.has(slot)) one.cover(one.model.length)
    return () => this.taps.delete(one)
  }

  async read(
    slot: number,
    wants: readonly string[],
    position: SlotPosition,
    shown: readonly ShownLife[],
  ): Promise<Slice | null> {
    this.reads += 1
    await this.#delay()
    const able = this.#reachable(slot).filter(one => isLevelWith(one.position, position))
    return this.#any(able)?.read(wants, position, shown, this.bounds.replayEvents) ?? null
  }

  async place(
    slot: number,
    wants: readonly string[],
    start: SlotStart,
    fresh = false,
    patienceMs = 0,
  ): Promise<Placed | null> {
    this.places += 1
    await this.#delay()
    if (fresh && (this.leaderless.has(slot) || this.unreachable.has(slot))) {
      await new Promise<void>(resolve => this.clock.after(patienceMs, resolve))
      return null
    }
    if (fresh) {
      const primary = new ReplicaModel(this.models[slot]!)
      primary.apply()
      return primary.place(wants, start)
    }
    return this.#any(this.#reachable(slot))?.place(wants, start) ?? null
  }

  /** Nobody here has a replica. */
  position(): undefined {}

  /** Commits, without anybody being told. */
  commit(topic: string, command: Partial<Command> & Pick<Command, 'kind'>): void {
    this.model(topic).commit({ topic, timeMs: this.clock.nowMs(), ...command } as Command)
  }

  create(...topics: string[]): void {
    for (const topic of topics) this.commit(topic, { kind: 'create', settings: UNLIMITED })
    this.level()
  }

  /** Commits events without anybody being told. */
  publishLagging(topic: string, ...data: string[]): void {
    this.commit(topic, { kind: 'publish', events: data.map(text => ({ data: Buffer.from(text) })) })
  }

  /** Publishes and lets every replica and tap have it. */
  publish(topic: string, ...data: string[]): void {
    this.publishLagging(topic, ...data)
    this.level()
  }

  /** Removes events below an offset, without anybody being told. */
  trim(topic: string, before: number): void {
    const row = this.model(topic).machine.topic(topic)
    if (row) this.commit(topic, { kind: 'trim', incarnation: row.incarnation, before, bytes: 0 })
  }

  /** Every replica and tap gets everything. */
  level(): void {
    for (const replicas of this.replicas) for (const replica of replicas) replica.apply()
    for (const tap of this.taps) tap.feed()
  }

  /** A new stream on a new sink. */
  connect(wants: readonly string[], start: SeveralStart, sink = new FakeSink()): FakeSink {
    this.streams.attach(
      this.streams.select(wants),
      start,
      {
        sink,
        bufferBytes: this.bounds.bufferBytes,
        now: () => this.clock.monotonicMs(),
        tally: this.tally,
      },
      () => undefined,
    )
    return sink
  }

  async #delay(): Promise<void> {
    const delayMs = Math.floor(this.#random() * 4)
    if (delayMs > 0) await new Promise<void>(resolve => this.clock.after(delayMs, resolve))
  }

  #reachable(slot: number): ReplicaModel[] {
    return this.unreachable.has(slot) ? [] : this.replicas[slot]!
  }

  #any(replicas: readonly ReplicaModel[]): ReplicaModel | undefined {
    return replicas[Math.floor(this.#random() * replicas.length)]
  }
}

/** What a client was told, in short. */
export function told(sink: FakeSink): string[] {
  return sink.stream.messages.map(({ type, data }) => {
    const { topic, offset, reason, from, to } = JSON.parse(data)
    if (type === 'gap') return `gap ${topic} ${from}-${to}`
    return type === 'end' ? `end ${topic} ${reason}` : `${topic} ${offset}`
  })
}

/** Resumes behind a cursor. */
export function cursorStart(text: string): SeveralStart {
  return { kind: 'cursor', places: parseVectorCursor(text, MAX_PLACES)! }
}
