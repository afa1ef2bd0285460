import type { SeveralStart } from '../../services/peer/streams/types.ts'
import { isLevelWith } from '../../services/peer/topics/positions.ts'
import { UNLIMITED } from '../../services/peer/topics/settings.ts'
import { isSince, parseVectorCursor, type SlotPlace } from '../../services/peer/topics/vector-cursor.ts'
import { ChannelWorld } from './channel-world.ts'
import { FakeSink } from './sink.ts'
import type { TapModel } from './slot-model.ts'

const TOPICS = ['a/0', 'b/0', 'a/1', 'c/1', 'a/2', 'x2'] as const
const SELECTIONS = [['a/*'], ['**'], ['a/0', 'a/1', 'x2'], ['a/0', 'b/0', '*']] as const
const BOUNDS = { channelEvents: 12, channelBytes: 12_000, bufferBytes: 900, replayEvents: 4 }

/** A small generator of numbers in [0, 1) from a seed (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let word = Math.imul(state ^ (state >>> 15), state | 1)
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61)
    return ((word ^ (word >>> 14)) >>> 0) / 4_294_967_296
  }
}

interface Told {
  readonly type: string
  readonly topic: string
  readonly offset: number
  readonly incarnation: number
  readonly to: number
}

/** A client over all its streams: it resumes from the last cursor that it was told. */
export class Client {
  readonly wants: readonly string[]
  readonly start: SeveralStart
  readonly told: Told[] = []
  /** The first cursor it was told by a stream that did not resume. */
  first: string | undefined
  #sink: FakeSink
  #read = 0
  #cursor = ''
  readonly #world: ChannelWorld

  constructor(world: ChannelWorld, wants: readonly string[], start: SeveralStart) {
    this.#world = world
    this.wants = wants
    this.start = start
    this.#sink = world.connect(wants, start)
  }

  get sink(): FakeSink {
    return this.#sink
  }

  /** What was sent before the cut and has arrived counts; the rest is lost. */
  reconnect(): void {
    this.collect()
    this.check()
    this.#sink.destroy()
    const places = parseVectorCursor(this.#cursor, 100)
    this.#sink = new FakeSink()
    this.#read = 0
    this.#world.connect(this.wants, places ? { kind: 'cursor', places } : this.start, this.#sink)
  }

  /** Throws when a stream's cursors went back, or a topic ended more often than it did. */
  check(): void {
    let before = new Map<number, SlotPlace>()
    for (const [, text = ''] of this.#sink.text.matchAll(/^id: (.*)$/gm)) {
      const places = parseVectorCursor(text, 100)
      if (places === undefined) throw new Error(`${text} is no cursor`)
      for (const [slot, place] of places) {
        const earlier = before.get(slot)
        if (earlier === undefined || isSince(earlier)) continue
        if (isSince(place) || !isLevelWith(place, earlier))
          throw new Error(`slot ${slot} went back to ${text}`)
      }
      before = places
    }
    const ends = this.#sink.stream.messages.filter(({ type }) => type === 'end')
    for (const topic of TOPICS) {
      const told = ends.filter(({ data }) => JSON.parse(data).topic === topic).length
      const deletions = this.#world
        .model(topic)
        .notices.flat()
        .filter(notice => notice.kind === 'deleted' && notice.topic === topic).length
      if (told > deletions) throw new Error(`${topic} ended ${told} times, not ${deletions}`)
    }
  }

  /** Throws when the stream that is open was not told of the end of a life it has shown, or twice. */
  checkEnds(): void {
    const { messages } = this.#sink.stream
    const read = messages.map(({ type, data }) => ({ ...JSON.parse(data), type }))
    const ends = read
      .filter(({ type }) => type === 'end')
      .map(({ topic, incarnation }) => `${topic} ${incarnation}`)
    if (new Set(ends).size < ends.length) throw new Error(`told twice: ${ends}`)
    for (const { type, topic, incarnation } of read) {
      const isOver = this.#world
        .model(topic)
        .notices.flat()
        .some(notice => notice.kind === 'deleted' && notice.incarnation === incarnation)
      const isTold = ends.includes(`${topic} ${incarnation}`)
      if (type === 'message' && isOver !== isTold)
        throw new Error(`${topic} ${incarnation}: ${isOver}, ${isTold}`)
    }
  }

  collect(): void {
    const { stream } = this.#sink
    if (stream.lastEventId !== '') this.#cursor = stream.lastEventId
    if (this.first === undefined && stream.lastEventId !== '') {
      this.first = /^id: (.*)$/m.exec(this.#sink.text)?.[1]
    }
    for (const { type, data } of stream.messages.slice(this.#read)) {
      const { topic, id = '0-0', to = 0 } = JSON.parse(data)
      const [offset, incarnation] = id.split('-').map(Number)
      this.told.push({ type, topic, offset, incarnation, to })
    }
    this.#read = stream.messages.length
  }
}

/** Everything that may go wrong on the way goes wrong, now and then. */
export class Chaos {
  readonly world: ChannelWorld
  readonly clients: Client[] = []
  readonly #random: () => number
  readonly #losing: boolean

  constructor(seed: number, losing: boolean) {
    this.#random = numbers(seed)
    this.#losing = losing
    this.world = new ChannelWorld({ slots: 3, bounds: BOUNDS, random: this.#random })
    this.world.covering = false
    for (const topic of TOPICS) this.world.create(topic)
  }

  async run(steps: number): Promise<void> {
    for (let step = 0; step < steps; step += 1) {
      this.#step()
      if (this.#random() < 0.5) await this.world.clock.settle()
      else await this.world.clock.advance(Math.floor(this.#random() * 12))
      for (const client of this.clients) client.collect()
    }
  }

  /** Everything works again. */
  async heal(): Promise<void> {
    const { world, clients } = this
    world.unreachable.clear()
    world.covering = true
    for (let round = 0; round < 4; round += 1) {
      for (const tap of world.taps) if (tap.told === undefined) tap.cover(tap.model.length)
      world.level()
      for (const { sink } of clients) sink.resume()
      await world.clock.advance(4_000)
      for (const client of clients) client.collect()
    }
    for (const client of clients) {
      client.check()
      client.checkEnds()
    }
  }

  #step(): void {
    const { world, clients } = this
    const dice = this.#random()
    if (dice < 0.3) this.#publish()
    else if (dice < 0.36) this.#lose()
    else if (dice < 0.48) this.#pick(world.replicas.flat()).apply(1 + this.#below(6))
    else if (dice < 0.66) this.#withTap(tap => tap.feed(1 + this.#below(5), this.#random() < 0.5))
    else if (dice < 0.76) this.#withTap(tap => tap.cover(this.#place(tap)))
    else if (dice < 0.8) this.#reach()
    else if (dice < 0.86) this.#connect()
    else if (clients.length > 0) {
      const client = this.#pick(clients)
      if (dice < 0.91) client.sink.stop()
      else if (dice < 0.95) client.sink.take()
      else if (dice < 0.98) client.sink.resume()
      else client.reconnect()
    }
  }

  #publish(): void {
    const count = this.#random() < 0.1 ? 20 : 1 + this.#below(4)
    this.world.publishLagging(this.#pick(TOPICS), ...Array.from({ length: count }, () => 'x'.repeat(40)))
  }

  #lose(): void {
    if (!this.#losing) return
    const topic = this.#pick(TOPICS)
    const row = this.world.model(topic).machine.topic(topic)
    if (row === undefined) this.world.commit(topic, { kind: 'create', settings: UNLIMITED })
    else if (this.#random() < 0.4) this.world.commit(topic, { kind: 'delete' })
    else this.world.trim(topic, row.earliest + this.#below(row.latest - row.earliest + 2))
  }

  #reach(): void {
    const { unreachable } = this.world
    const slot = this.#below(3)
    if (!unreachable.delete(slot)) unreachable.add(slot)
  }

  #connect(): void {
    if (this.clients.length >= 6) return
    const nowMs = this.world.clock.nowMs()
    const starts: SeveralStart[] = [
      { kind: 'latest' },
      { kind: 'earliest' },
      { kind: 'time', timeMs: nowMs - this.#below(200) },
      { kind: 'last', count: this.#below(12) },
    ]
    this.clients.push(new Client(this.world, this.#pick(SELECTIONS), this.#pick(starts)))
  }

  /** Mostly near what the tap was told already, before or behind; sometimes anywhere. */
  #place({ told = 0, model }: TapModel): number {
    const near = told + this.#below(9) - 3
    const place = this.#random() < 0.2 ? this.#below(model.length + 1) : near
    return Math.max(0, Math.min(model.length, place))
  }

  #withTap(use: (tap: TapModel) => void): void {
    const taps = [...this.world.taps].filter(tap => !this.world.unreachable.has(tap.model.slot))
    if (taps.length > 0) use(this.#pick(taps))
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  #pick<One>(among: readonly One[]): One {
    return among[this.#below(among.length)]!
  }
}
