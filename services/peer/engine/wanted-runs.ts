import { LIMITS } from '../limits.ts'
import type { LogStore } from '../store/types.ts'
import type { SlotMachine } from '../topics/machine.ts'
import type { Run, TopicRow } from '../topics/types.ts'
import { WantSet } from '../topics/wants.ts'

/** The applied state of a slot, to which the store's rows are level. */
export interface AppliedSlot {
  readonly slot: number
  readonly machine: Pick<SlotMachine, 'slot' | 'topic' | 'topicsTrimmedBehind'>
  /** The topic an incarnation belongs to, while it exists. */
  topicOf(incarnation: number): TopicRow | undefined
}

/** The part of the log that is read by sequence. */
export type SlotRuns = Pick<LogStore, 'findRun' | 'runsFrom' | 'runsBefore' | 'runData'>

/** Sequence of a run's last event. */
export function endOf(run: Run): number {
  return run.sequence + run.count - 1
}

/** Tells runs of wanted topics from others, each topic matched once, and finds them by themselves where they are few. */
export class WantedRuns {
  readonly wants: WantSet
  readonly #store: SlotRuns
  readonly #slot: AppliedSlot
  readonly #topics = new Map<number, TopicRow | undefined>()

  constructor(store: SlotRuns, slot: AppliedSlot, wants: readonly string[]) {
    this.#store = store
    this.#slot = slot
    this.wants = new WantSet(wants)
  }

  /** The wanted topic that still keeps an event of the run; undefined where there is none. */
  topicOf({ incarnation, first, count }: Run): TopicRow | undefined {
    if (!this.#topics.has(incarnation)) {
      const topic = this.#slot.topicOf(incarnation)
      this.#topics.set(incarnation, topic && this.wants.matches(topic.name) ? topic : undefined)
    }
    const topic = this.#topics.get(incarnation)
    return topic && first + count > topic.earliest ? topic : undefined
  }

  /**
   * Log index of the first wanted run that ends behind `sequence`; Infinity where there is none. Undefined where it is not
   * known which topics are wanted, or there are too many: then the log has to be gone through.
   */
  firstBehind(sequence: number): number | undefined {
    return this.#topicsByName()
      ?.map(topic => this.#runBehind(topic, sequence)?.logIndex ?? Number.POSITIVE_INFINITY)
      .reduce((one, other) => Math.min(one, other), Number.POSITIVE_INFINITY)
  }

  /** Log index of the last wanted run that begins before `sequence`; 0 where there is none. Undefined as above. */
  lastBefore(sequence: number): number | undefined {
    return this.#topicsByName()
      ?.map(topic => {
        const next = this.#runBehind(topic, sequence - 1)
        const offset = next === undefined ? topic.latest : next.first - 1
        return offset < topic.earliest ? 0 : (this.#runAt(topic, offset)?.logIndex ?? 0)
      })
      .reduce((one, other) => Math.max(one, other), 0)
  }

  #topicsByName(): TopicRow[] | undefined {
    const { names, hasPatterns } = this.wants
    if (hasPatterns || names.size > LIMITS.SLOT_SEEK_TOPICS) return undefined
    return [...names].map(name => this.#slot.machine.topic(name)).filter(topic => topic !== undefined)
  }

  /** The topic's first kept run that ends behind `sequence`, by binary search. */
  #runBehind(topic: TopicRow, sequence: number): Run | undefined {
    let low = topic.earliest
    let high = topic.latest + 1
    let found: Run | undefined
    // Most readers are nearly level: the last run is looked at first.
    let at = topic.latest
    while (low < high) {
      const run = this.#runAt(topic, at)
      if (run !== undefined && endOf(run) <= sequence) low = run.first + run.count
      else {
        found = run ?? found
        high = Math.min(at, run?.first ?? at)
      }
      at = Math.floor((low + high) / 2)
    }
    return found
  }

  #runAt({ incarnation }: TopicRow, offset: number): Run | undefined {
    return this.#store.findRun(this.#slot.slot, incarnation, offset)
  }
}
