import { placeSlot, readSlot } from '../../services/peer/engine/slot-reading.ts'
import type { Placed, Slice, SlotStart } from '../../services/peer/links/slot-operations.ts'
import type { StreamBounds } from '../../services/peer/streams/bounds.ts'
import { STREAM_BOUNDS } from '../../services/peer/streams/bounds.ts'
import { Flusher } from '../../services/peer/streams/flusher.ts'
import { SeveralStreams } from '../../services/peer/streams/several.ts'
import type { SlotReader } from '../../services/peer/streams/slot-reader.ts'
import type { SlotTap, SlotTaps } from '../../services/peer/streams/taps.ts'
import type { SeveralStart } from '../../services/peer/streams/types.ts'
import { emptyImage, SlotMachine } from '../../services/peer/topics/machine.ts'
import { isLevelWith, type SlotPosition } from '../../services/peer/topics/positions.ts'
import { UNLIMITED } from '../../services/peer/topics/settings.ts'
import type { Command, SlotNotice, StoredEvent } from '../../services/peer/topics/types.ts'
import { WantSet } from '../../services/peer/topics/wants.ts'
import { tell } from '../support/replica-taps.ts'
import { appliedSlot, RunRecords } from '../support/run-records.ts'
import { LIMITS } from '../topics/kit.ts'
import { ManualClock } from './clock.ts'
import { FakeSink } from './sink.ts'

/** The committed log of one slot, and what each of its entries says to those who follow. */
export class SlotModel {
  readonly slot: number
  readonly commands: Command[] = []
  readonly notices: (readonly SlotNotice[])[] = []
  readonly events: { readonly topic: string; readonly event: StoredEvent }[] = []
  readonly runs = new RunRecords()
  readonly machine = new SlotMachine(emptyImage(), LIMITS)

  constructor(slot: number) {
    this.slot = slot
  }

  get length(): number {
    return this.commands.length
  }

  commit(command: Partial<Command> & Pick<Command, 'kind'>): void {
    this.commands.push(command as Command)
    const { notices } = this.machine.apply(this.length, 1, command as Command)
    this.notices.push(notices)
    this.runs.keep(command as Command, notices)
    for (const notice of notices) {
      if (notice.kind !== 'published') continue
      const { run, topic } = notice
      for (const [at, event] of notice.events.entries()) {
        const { incarnation, timeMs } = run
        const stored = { ...event, offset: run.first + at, incarnation, sequence: run.sequence + at, timeMs }
        this.events.push({ topic, event: stored })
      }
    }
  }
}

/** A replica of a slot that is as far as the test lets it be. */
export class ReplicaModel {
  readonly model: SlotModel
  readonly #machine = new SlotMachine(emptyImage(), LIMITS)

  constructor(model: SlotModel) {
    this.model = model
  }

  get position(): SlotPosition {
    const { sequence, appliedIndex: index } = this.#machine.slot
    return { sequence, index }
  }

  /** Applies what is committed, at most `entries`. */
  apply(entries = Number.POSITIVE_INFINITY): void {
    for (let left = entries; left > 0 && this.position.index < this.model.length; left -= 1) {
      const at = this.position.index
      this.#machine.apply(at + 1, 1, this.model.commands[at]!)
    }
  }

  read(wants: readonly string[], position: SlotPosition, maxEvents: number): Slice {
    const { model } = this
    const slot = appliedSlot(model.slot, this.#machine)
    return readSlot(model.runs.upTo(this.position.index), slot, wants, position, maxEvents, 1e9)
  }

  place(wants: readonly string[], start: SlotStart): Placed {
    const { model } = this
    const slot = appliedSlot(model.slot, this.#machine)
    return placeSlot(model.runs.upTo(this.position.index), slot, wants, start)
  }
}

/** A tap as the peer has it: fed from a place in the log that lags, jumps and falls back as the test says. */
export class TapModel {
  readonly model: SlotModel
  readonly tap: SlotTap
  readonly #wanted: WantSet
  /** Entries of the log that it was told; undefined until it is covered. */
  #told: number | undefined

  constructor(model: SlotModel, tap: SlotTap) {
    this.model = model
    this.tap = tap
    this.#wanted = new WantSet(tap.wants)
  }

  get told(): number | undefined {
    return this.#told
  }

  /** Covers it at an entry of the log, which may be before or behind what it was told. */
  cover(index: number): void {
    this.#told = index
    const past = this.model.events.filter(({ event }) => this.#indexOf(event) <= index)
    this.tap.covered({ sequence: past.at(-1)?.event.sequence ?? 0, index }, new Map())
  }

  /** Tells the next entries. */
  feed(entries = Number.POSITIVE_INFINITY, isMarked = true): void {
    if (this.#told === undefined) return
    for (let left = entries; left > 0 && this.#told < this.model.length; left -= 1) {
      for (const notice of this.model.notices[this.#told]!) {
        tell(this.tap, this.#wanted, notice, this.#told + 1)
      }
      this.#told += 1
    }
    if (isMarked) this.pass()
  }

  pass(): void {
    const index = this.#told
    if (index === undefined) return
    const past = this.model.events.filter(({ event }) => this.#indexOf(event) <= index)
    this.tap.passed({ sequence: past.at(-1)?.event.sequence ?? 0, index })
  }

  #indexOf(event: StoredEvent): number {
    return (
      this.model.notices.findIndex(notices =>
        notices.some(
          notice =>
            notice.kind === 'published' &&
            notice.run.sequence <= event.sequence &&
            event.sequence < notice.run.sequence + notice.run.count,
        ),
      ) + 1
    )
  }
}

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
  /** Slots of which nobody answers, and that no new tap is covered in. */
  readonly unreachable = new Set<number>()
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

  async read(slot: number, wants: readonly string[], position: SlotPosition): Promise<Slice | null> {
    this.reads += 1
    await this.#delay()
    const able = this.#reachable(slot).filter(one => isLevelWith(one.position, position))
    return this.#any(able)?.read(wants, position, this.bounds.replayEvents) ?? null
  }

  async place(slot: number, wants: readonly string[], start: SlotStart): Promise<Placed | null> {
    this.places += 1
    await this.#delay()
    return this.#any(this.#reachable(slot))?.place(wants, start) ?? null
  }

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
