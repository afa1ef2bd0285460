import type { SseFrame } from '../../clients/typescript/src/sse.ts'
import { isSince, parseVectorCursor, type SlotPlace } from '../../services/peer/topics/vector-cursor.ts'
import { type Cluster, idOf } from './cluster.ts'
import type { Journey } from './journey.ts'
import type { SlotStory, ToldEvent } from './slot-story.ts'
import { isTrimmed, type PlannedTopic } from './topics.ts'

/** Where a stream was asked to begin. */
export type SeveralQuery =
  | { readonly kind: 'cursor'; readonly text: string }
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  | { readonly kind: 'time'; readonly timeMs: number }
  | { readonly kind: 'last'; readonly count: number }

export interface SeveralViewOptions {
  readonly cluster: Cluster
  /** Who reads. */
  readonly client: string
  readonly journey: Journey
  readonly query: SeveralQuery
}

type Places = ReadonlyMap<number, SlotPlace>

/**
 * What a subscriber of several topics makes of the frames of one stream. Each is held against what the replicas told of
 * the slots: between the cursor before it and its own nothing may be missing but what was deleted or trimmed by then.
 */
export class SeveralView {
  received = 0
  gaps = 0
  ends = 0
  readonly #options: SeveralViewOptions
  readonly #journey: Journey
  readonly #resumed: Places | undefined
  #isPlaced = false
  /** By topic: what it was told of in this stream. */
  readonly #toldEnds = new Map<string, number>()
  readonly #toldGaps = new Set<string>()
  /** By slot: log index of the first place told in this stream. */
  readonly #firstIndex = new Map<number, number>()

  constructor(options: SeveralViewOptions) {
    const { query, journey } = options
    this.#options = options
    this.#journey = journey
    this.#resumed = query.kind === 'cursor' ? new Map(journey.places) : undefined
  }

  /** Takes frames in. A stream over several topics is never over for good. */
  take(frames: readonly SseFrame[]): undefined {
    for (const frame of frames) this.#frame(frame)
  }

  #frame({ event, data, lastEventId }: SseFrame): void {
    if (lastEventId === '' && data === undefined) return
    const { slots } = this.#journey.selected
    const places = parseVectorCursor(lastEventId, slots.length)
    if (places === undefined || [...places.keys()].join() !== slots.join()) {
      this.#violation(`was sent ${JSON.stringify(lastEventId)} for a cursor of slots ${slots}`)
      return
    }
    this.#journey.cursor = lastEventId
    if (!this.#isPlaced) {
      if (data !== undefined) this.#violation(`was sent ${data} before its place`)
      this.#begin(places)
    }
    if (data === undefined) this.#move(places)
    else if (event === 'gap') this.#gap(places, JSON.parse(data))
    else if (event === 'end') this.#end(places, JSON.parse(data))
    else if (event === 'message') this.#event(places, JSON.parse(data))
    else this.#violation(`was sent an event named ${event}`)
  }

  #begin(told: Places): void {
    this.#isPlaced = true
    const { query } = this.#options
    for (const [slot, place] of told) {
      const asked = this.#resumed?.get(slot)
      const isSame = asked !== undefined && !isSince(asked) && !isSince(place) && isSamePlace(asked, place)
      if (asked !== undefined && !isSince(asked) && !isSame) {
        this.#violation(`resumed at ${text(asked)} of slot ${slot} and was put at ${text(place)}`)
      }
      if (this.#resumed === undefined && !isSince(place)) this.#beginIn(slot, place.sequence, place.index)
    }
    if (query.kind === 'last') this.#beginLast(told, query.count)
    if (this.#resumed === undefined) for (const [slot, place] of told) this.#journey.begin(slot, place)
  }

  /** What a new stream leaves out was not asked for. */
  #beginIn(slot: number, sequence: number, index: number): void {
    const { query } = this.#options
    if (query.kind === 'earliest' && sequence !== 0) {
      this.#violation(`asked for all there is and begins behind ${sequence} of slot ${slot}`)
    }
    if (query.kind !== 'time') return
    for (const event of this.#wanted(slot, 0, sequence)) {
      if (event.timeMs >= query.timeMs && !this.#isLost(slot, event, index, index)) {
        this.#violation(`begins at ${query.timeMs} and behind ${name(event)} of ${event.timeMs}`)
      }
    }
  }

  /** Of what is kept for ever nothing may be left out for fewer events than were asked for. */
  #beginLast(told: Places, count: number): void {
    let left = 0
    let given = 0
    for (const [slot, place] of told) {
      if (isSince(place)) return
      left += this.#wanted(slot, 0, place.sequence).filter(({ topic }) => topic.startsWith('keep')).length
      given += this.#wanted(slot, place.sequence, this.#story(slot).last).length
    }
    if (left > 0 && given < count) this.#violation(`asked for the last ${count} and was put before ${given}`)
  }

  /** From the cursor before to the one now; `own` is the slot whose event or gap the frame is of. */
  #move(told: Places, own?: number): void {
    for (const [slot, after] of told) {
      const before = this.#journey.places.get(slot)!
      if (isSince(after)) {
        if (!isSince(before) || before.sinceMs !== after.sinceMs) {
          this.#violation(`went from ${text(before)} of slot ${slot} back to ${text(after)}`)
        }
        continue
      }
      if (!this.#firstIndex.has(slot)) this.#firstIndex.set(slot, after.index)
      if (isSince(before)) this.#journey.begin(slot, after)
      else if (after.sequence < before.sequence || after.index < before.index) {
        this.#violation(`went from ${text(before)} of slot ${slot} back to ${text(after)}`)
      }
      const from = isSince(before) ? 0 : before.sequence
      const isDue = ({ timeMs }: ToldEvent) => !isSince(before) || timeMs >= before.sinceMs
      for (const event of this.#wanted(slot, from, after.sequence - (own === slot ? 1 : 0))) {
        if (!isDue(event) || this.#isLost(slot, event, after.index, this.#journey.began(slot))) continue
        this.#violation(
          `was not given ${name(event)}, between ${text(before)} and ${text(after)} of its slot`,
        )
      }
      this.#journey.places.set(slot, after)
    }
  }

  #event(told: Places, given: { topic: string; offset: number; id: string; data: string }): void {
    const topic = this.#topic(given.topic)
    if (topic === undefined) return
    const { cluster, client } = this.#options
    const { slot, name: of } = topic
    const [before, after] = [this.#journey.places.get(slot)!, told.get(slot)!]
    const { offset } = given
    const incarnation = Number(given.id.slice(`${offset}-`.length))
    const event = `${of} ${offset}-${incarnation}`
    if (isSince(after)) {
      this.#violation(`was given ${event} at ${text(after)}`)
      return
    }
    const isAhead = isSince(before) || after.sequence > before.sequence
    if (!isAhead) this.#violation(`was given ${event} at ${text(after)}, behind ${text(before)}`)
    const known = this.#story(slot).event(after.sequence)
    if (known && name(known) !== event) {
      this.#violation(`was given ${event} at ${text(after)}, where ${name(known)} is`)
    }
    const death = this.#story(slot).deathOf(incarnation)
    if (death !== undefined && !isSince(before) && death <= before.index) {
      this.#violation(`was given ${event} at ${text(before)}, which was deleted at ${death}`)
    }
    this.#move(told, slot)
    const wrong = this.#journey.given(topic, incarnation, offset)
    if (wrong !== undefined) this.#violation(`was given ${event} behind ${wrong}`)
    const id = idOf(Buffer.from(given.data))
    cluster.ledger.saw(client, slot, incarnation, offset, id)
    const atMs = cluster.world.nowMs
    const events = [{ offset, id }]
    cluster.record({ kind: 'poll', client, topic: of, atMs, incarnation, events })
    this.received++
  }

  /** Events up to `to` are gone; that is said once, and only of what is. */
  #gap(told: Places, { topic: of, from, to }: { topic: string; from: number; to: number }): void {
    const topic = this.#topic(of)
    const before = topic && this.#journey.places.get(topic.slot)
    this.#move(told)
    if (topic === undefined || before === undefined) return
    const gap = `a gap of ${of} from ${from} to ${to}`
    const place = told.get(topic.slot)!
    const story = this.#story(topic.slot)
    if (isSince(place)) {
      this.#violation(`was told of ${gap} at ${text(place)}`)
      return
    }
    const isNews = (index: number) => index <= place.index && (isSince(before) || index > before.index)
    const isTold = [...story.trims(of)].some(trim => trim.earliest === to + 1 && isNews(trim.index))
    if (to < from || !isTrimmed(of) || !isTold) {
      this.#violation(`was told of ${gap}, which nobody trimmed between ${text(before)} and ${text(place)}`)
    }
    const key = `${of} ${to}`
    if (this.#toldGaps.has(key)) this.#violation(`was told twice of ${gap}`)
    this.#toldGaps.add(key)
    const { cluster, client } = this.#options
    const seen = this.#journey.seen.get(of)
    if (seen && to <= seen.offset) this.#violation(`was told of ${gap} and has ${seen.offset}`)
    this.#journey.gone(topic, to)
    const atMs = cluster.world.nowMs
    const incarnation = seen?.incarnation
    if (incarnation) cluster.record({ kind: 'gap', client, topic: of, atMs, incarnation, to })
    this.gaps++
  }

  #end(told: Places, { topic: of }: { topic: string }): void {
    this.#move(told)
    const topic = this.#topic(of)
    if (topic === undefined) return
    const { cluster, client } = this.#options
    const { slot } = topic
    const count = (this.#toldEnds.get(of) ?? 0) + 1
    this.#toldEnds.set(of, count)
    const known = this.#story(slot).deletionsBehind(of, this.#firstIndex.get(slot) ?? 0)
    if (known < count) {
      this.#violation(`was told ${count} times that ${of} is deleted, which it was ${known} times`)
    }
    const atMs = cluster.world.nowMs
    cluster.record({ kind: 'end', client, topic: of, atMs })
    cluster.record({ kind: 'open', client, topic: of, atMs })
    this.ends++
  }

  #topic(of: string): PlannedTopic | undefined {
    const topic = this.#journey.selected.topics.find(one => one.name === of)
    if (topic === undefined) this.#violation(`was told of ${of}, which it did not ask for`)
    return topic
  }

  /** Events of its topics behind `from`, up to `upTo`. */
  #wanted(slot: number, from: number, upTo: number): ToldEvent[] {
    const { topics } = this.#journey.selected
    const events: ToldEvent[] = []
    for (let sequence = from + 1; sequence <= upTo; sequence++) {
      const event = this.#story(slot).event(sequence)
      if (event && topics.some(({ name: of }) => of === event.topic)) events.push(event)
    }
    return events
  }

  /** Whether an event need not be shown: deleted by then, named by a gap, or trimmed before the stream began. */
  #isLost(slot: number, event: ToldEvent, index: number, begunIndex: number): boolean {
    const story = this.#story(slot)
    const death = story.deathOf(event.incarnation)
    if (death !== undefined && death <= index) return true
    return event.offset <= this.#journey.goneUpTo(event.topic) || story.isTrimmed(event, begunIndex)
  }

  #story(slot: number): SlotStory {
    return this.#options.cluster.stories[slot]!
  }

  #violation(what: string): void {
    const { cluster, client } = this.#options
    cluster.violation(`the subscriber ${client} of ${this.#journey.selected.wants.join()} ${what}`)
  }
}

function isSamePlace(one: SlotPlace, other: SlotPlace): boolean {
  return text(one) === text(other)
}

function text(place: SlotPlace): string {
  return isSince(place) ? `time ${place.sinceMs}` : `${place.sequence} (index ${place.index})`
}

function name({ topic, offset, incarnation }: ToldEvent): string {
  return `${topic} ${offset}-${incarnation}`
}
