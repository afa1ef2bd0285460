import { isSince, type SlotPlace } from '../../services/peer/topics/vector-cursor.ts'
import type { Cluster } from './cluster.ts'
import type { Selected } from './selections.ts'
import { kindOf, type PlannedTopic } from './topics.ts'

/** What one subscriber of several topics was told over all of its streams. */
export class Journey {
  readonly selected: Selected
  /** It asked for all there is. */
  readonly isWhole: boolean
  /** The cursor of the last frame; undefined before the first. */
  cursor: string | undefined
  /** The places of that cursor. */
  readonly places = new Map<number, SlotPlace>()
  /** By topic: the last event given. */
  readonly seen = new Map<string, { readonly incarnation: number; readonly offset: number }>()
  /** By topic: up to where it was told of gaps. */
  readonly #gone = new Map<string, number>()
  /** By slot: log index of the place where it began. */
  readonly #began = new Map<number, number>()

  constructor(selected: Selected, isWhole: boolean) {
    this.selected = selected
    this.isWhole = isWhole
  }

  /** It begins there in a slot. */
  begin(slot: number, place: SlotPlace): void {
    this.places.set(slot, place)
    if (!isSince(place)) this.#began.set(slot, place.index)
  }

  /** Trims up to this log index were over when it began. */
  began(slot: number): number {
    return this.#began.get(slot) ?? 0
  }

  goneUpTo(topic: string): number {
    return this.#gone.get(topic) ?? 0
  }

  gone({ name }: PlannedTopic, to: number): void {
    this.#gone.set(name, to)
  }

  /** Takes an event of a topic; behind what it cannot be, if so. */
  given({ name, kind }: PlannedTopic, incarnation: number, offset: number): string | undefined {
    const before = this.seen.get(name)
    this.seen.set(name, { incarnation, offset })
    const isKept = kind === 'keep' || kind === 'churn'
    if (before === undefined) return this.isWhole && isKept && offset > 1 ? 'nothing' : undefined
    const last = `${before.offset}-${before.incarnation}`
    if (incarnation !== before.incarnation) {
      return kind === 'churn' && incarnation > before.incarnation && offset === 1 ? undefined : last
    }
    const due = Math.max(before.offset, this.goneUpTo(name)) + 1
    return offset === due ? undefined : last
  }

  /** What of its topics has not come yet; undefined when it is level. */
  missing(cluster: Cluster): string | undefined {
    for (const topic of this.selected.topics) {
      const { name, slot } = topic
      const row = cluster.truth(topic)
      if (!row || row.latest === 0) continue
      const place = this.places.get(slot)
      const sequence = cluster.stories[slot]!.sequenceOf(row.incarnation, row.latest) ?? 0
      const told = this.cursor ?? 'nowhere'
      if (!place || isSince(place) || place.sequence < sequence) {
        return `is at ${told}, and ${name} goes on to ${sequence} of slot ${slot}`
      }
      const seen = this.seen.get(name)
      const isDue = kindOf(name) === 'keep' || kindOf(name) === 'churn'
      if (seen === undefined ? !(this.isWhole && isDue) : !isDue && row.earliest > row.latest) continue
      if (seen?.incarnation !== row.incarnation || seen.offset !== row.latest) {
        const last = seen ? `${seen.offset}-${seen.incarnation}` : 'nothing'
        return `is at ${told} and has ${last} of ${name}, not ${row.latest}-${row.incarnation}`
      }
    }
    return undefined
  }
}
