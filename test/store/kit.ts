import type { Configuration, Entry, SnapshotMeta } from '../../services/peer/raft/types.ts'
import type { LogStore, SlotWrite } from '../../services/peer/store/types.ts'
import type { Run, SlotChanges, SlotImage, TopicRow } from '../../services/peer/topics/types.ts'

export const CONFIGURATION: Configuration = {
  rosterVersion: 1,
  voters: [
    { number: 1, uid: 'uid-1' },
    { number: 2, uid: 'uid-2' },
    { number: 3, uid: 'uid-3' },
  ],
}

export const NO_CHANGES = { topics: new Map(), keys: new Map(), producers: new Map(), runs: [], trims: [] }

export function bytes(text: string): Uint8Array {
  return Buffer.from(text)
}

export function text(data: Uint8Array | undefined): string | undefined {
  return data && Buffer.from(data).toString()
}

export function dataEntry(index: number, term: number, data = `entry ${index}`): Entry {
  return { index, term, type: 'data', data: bytes(data) }
}

export function noop(index: number, term: number): Entry {
  return { index, term, type: 'noop', data: new Uint8Array(0) }
}

export function snapshotAt(index: number, term: number): SnapshotMeta {
  return { index, term, configuration: CONFIGURATION }
}

/** Plays a slot's Raft member and state machine: makes the writes that publishing, trimming and deleting cause. */
export class SlotDriver {
  readonly slot: number
  readonly topics = new Map<string, TopicRow>()
  /** Every run ever made, kept or not. */
  readonly runs: Run[] = []
  index = 0
  term = 1
  sequence = 0
  incarnation = 0

  constructor(slot: number) {
    this.slot = slot
  }

  found(): SlotWrite {
    return { slot: this.slot, found: { number: 2, snapshot: snapshotAt(0, 0) } }
  }

  create(name: string): SlotWrite {
    const topic = {
      name,
      incarnation: ++this.incarnation,
      settings: { maxAgeMs: null, maxEvents: null, maxBytes: 1_000 },
      ...{ earliest: 1, latest: 0, bytes: 0, createdMs: 5 },
    }
    this.topics.set(name, topic)
    return this.#apply(noop(++this.index, this.term), { topics: new Map([[name, topic]]) })
  }

  /** Publishes `count` events in one entry whose data is `data`. */
  publish(name: string, count = 1, data = `entry ${this.index + 1}`): SlotWrite {
    const old = this.topics.get(name)!
    const logIndex = ++this.index
    const first = old.latest + 1
    const place = { logIndex, incarnation: old.incarnation, first, count, sequence: this.sequence + 1 }
    const run = { ...place, timeMs: 1_000 + logIndex, bytes: data.length }
    this.sequence += count
    this.runs.push(run)
    const topic = { ...old, latest: old.latest + count, bytes: old.bytes + data.length }
    this.topics.set(name, topic)
    const entry = dataEntry(logIndex, this.term, data)
    return this.#apply(entry, { topics: new Map([[name, topic]]), runs: [run] })
  }

  trim(name: string, before: number): SlotWrite {
    const topic = { ...this.topics.get(name)!, earliest: before }
    this.topics.set(name, topic)
    return this.#apply(noop(++this.index, this.term), {
      topics: new Map([[name, topic]]),
      trims: [{ incarnation: topic.incarnation, before }],
    })
  }

  delete(name: string): SlotWrite {
    const { incarnation } = this.topics.get(name)!
    this.topics.delete(name)
    return this.#apply(noop(++this.index, this.term), {
      topics: new Map([[name, null]]),
      trims: [{ incarnation, before: Number.POSITIVE_INFINITY }],
    })
  }

  compact(to = this.index): SlotWrite {
    return { slot: this.slot, compact: snapshotAt(to, this.term) }
  }

  image(): SlotImage {
    return { slot: this.row(), topics: [...this.topics.values()], keys: [], producers: [] }
  }

  row(): SlotImage['slot'] {
    const { index, term, sequence, incarnation } = this
    return { appliedIndex: index, appliedTerm: term, sequence, incarnation, timeMs: 1_000 + index }
  }

  #apply(entry: Entry, changes: Partial<SlotChanges>): SlotWrite {
    return {
      slot: this.slot,
      hardState: { term: this.term, vote: 2, commit: entry.index },
      entries: [entry],
      changes: { ...NO_CHANGES, ...changes, slot: this.row() },
    }
  }
}

/** Sweeps until nothing is left; fails rather than going on for ever. */
export function sweepAll(store: LogStore, slot: number, limit = 100): number {
  for (let slices = 1; slices < 1_000; slices++) if (store.sweep(slot, limit)) return slices
  throw new Error('the sweep does not end')
}
