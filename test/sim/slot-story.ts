import type { SlotNotice } from '../../services/peer/topics/types.ts'

/** One event of a slot, as the replicas told of it. */
export interface ToldEvent {
  readonly topic: string
  readonly incarnation: number
  readonly offset: number
  readonly timeMs: number
  /** Log index of its entry. */
  readonly index: number
}

/** From log index `index` on the events of a topic begin at `earliest`. */
export interface ToldTrim {
  readonly earliest: number
  readonly index: number
}

/**
 * All that ever happened to the topics of one slot, by place in its order, as far as any replica told of it: what a
 * stream over several topics must show, and what it may leave out.
 */
export class SlotStory {
  readonly #events = new Map<number, ToldEvent>()
  /** Sequence of an event, by `<offset>-<incarnation>`. */
  readonly #sequences = new Map<string, number>()
  /** Log index of the deletion, by incarnation. */
  readonly #deaths = new Map<number, { readonly topic: string; readonly index: number }>()
  #last = 0
  readonly #trims = new Map<string, Map<number, ToldTrim>>()

  /** Takes in what a replica told of. */
  told(notice: SlotNotice): void {
    switch (notice.kind) {
      case 'published': {
        const { topic, run } = notice
        const { incarnation, first, count, sequence, timeMs, logIndex: index } = run
        for (let i = 0; i < count; i++) {
          this.#events.set(sequence + i, { topic, incarnation, offset: first + i, timeMs, index })
          this.#sequences.set(`${first + i}-${incarnation}`, sequence + i)
        }
        this.#last = Math.max(this.#last, sequence + count - 1)
        break
      }
      case 'deleted':
        this.#deaths.set(notice.incarnation, { topic: notice.topic, index: notice.index })
        break
      case 'trimmed': {
        const { name, earliest, floor } = notice.topic
        const trims = this.#trims.get(name) ?? new Map<number, ToldTrim>()
        this.#trims.set(name, trims.set(floor!.index, { earliest, index: floor!.index }))
        break
      }
      default:
        break
    }
  }

  /** Sequence of the last event that anybody told of. */
  get last(): number {
    return this.#last
  }

  /** The event of this sequence; undefined when nobody told of it. */
  event(sequence: number): ToldEvent | undefined {
    return this.#events.get(sequence)
  }

  sequenceOf(incarnation: number, offset: number): number | undefined {
    return this.#sequences.get(`${offset}-${incarnation}`)
  }

  /** Log index at which a life ended; undefined when nobody told of that. */
  deathOf(incarnation: number): number | undefined {
    return this.#deaths.get(incarnation)?.index
  }

  /** How often a topic was deleted behind a log index. */
  deletionsBehind(topic: string, index: number): number {
    return [...this.#deaths.values()].filter(death => death.topic === topic && death.index > index).length
  }

  /** Every trim of a topic. */
  trims(topic: string): Iterable<ToldTrim> {
    return this.#trims.get(topic)?.values() ?? []
  }

  /** Whether trims up to a log index had taken an event away. */
  isTrimmed({ topic, offset }: ToldEvent, upToIndex: number): boolean {
    return [...this.trims(topic)].some(({ earliest, index }) => index <= upToIndex && earliest > offset)
  }
}
