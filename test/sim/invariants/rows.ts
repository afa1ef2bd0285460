import type {
  KeyRow,
  ProducerRow,
  Published,
  SlotChanges,
  SlotImage,
  SlotRow,
  TopicRow,
} from '../../../services/peer/topics/types.ts'
import type { Replica } from './slot-disk.ts'

/** Sums of hashes stay exact below twice this. */
const MODULUS = 2 ** 52

/** What one replica's store holds of a slot, as it was written. */
interface Held {
  appliedIndex: number
  /** Hash of each row, by what it is of. */
  readonly rows: Map<string, number>
  /** Of all rows: their order plays no part. */
  sum: number
}

/** All rows at one applied index, as the first replica wrote them. */
interface State {
  readonly peer: string
  readonly count: number
  readonly sum: number
}

/**
 * Replicas that have applied the same entries hold the same rows: none is another, none is missing, none is too many.
 * Rows are written now and then, so that this shows where two replicas, or two lives of one, wrote at the same entry.
 */
export class Rows {
  readonly #violation: (what: string) => void
  readonly #held = new WeakMap<Replica, Held>()
  /** By slot and applied index. */
  readonly #states = new Map<number, Map<number, State>>()

  constructor(violation: (what: string) => void) {
    this.#violation = violation
  }

  /** Highest index whose rows the replica has written. */
  appliedIndex(replica: Replica): number {
    return this.#of(replica).appliedIndex
  }

  changed(replica: Replica, { slot, topics, keys, producers }: SlotChanges): void {
    const held = this.#of(replica)
    for (const [name, row] of topics) put(held, `topic ${name}`, row && topicText(row))
    for (const [id, row] of keys) put(held, `key ${id}`, row && keyText(row))
    for (const [uid, row] of producers) put(held, `producer ${uid}`, row && producerText(row))
    this.#at(replica, held, slot)
  }

  /** The replica was dropped with all its rows. */
  dropped(replica: Replica): void {
    this.#held.delete(replica)
  }

  /** A whole state: loaded, or of a snapshot. */
  replaced(replica: Replica, { slot, topics, keys, producers }: SlotImage): void {
    const held = none()
    this.#held.set(replica, held)
    for (const row of topics) put(held, `topic ${row.name}`, topicText(row))
    for (const row of keys) put(held, `key ${row.topic}\u0000${row.key}`, keyText(row))
    for (const row of producers) put(held, `producer ${row.uid}`, producerText(row))
    this.#at(replica, held, slot)
  }

  #at({ peer, slot }: Replica, held: Held, row: SlotRow): void {
    held.appliedIndex = row.appliedIndex
    put(held, 'slot', [row.sequence, row.incarnation, row.timeMs, row.roster?.version].join())
    const { appliedIndex, rows, sum } = held
    const states = this.#states.get(slot) ?? new Map<number, State>()
    this.#states.set(slot, states)
    const known = states.get(appliedIndex)
    if (known === undefined) states.set(appliedIndex, { peer, count: rows.size, sum })
    else if (known.sum !== sum || known.count !== rows.size) {
      this.#violation(
        `state-machine safety: ${peer} has ${rows.size} rows of slot ${slot} at entry ${appliedIndex}, other ones than ${known.peer} with ${known.count}`,
      )
    }
  }

  #of(replica: Replica): Held {
    let held = this.#held.get(replica)
    if (held === undefined) {
      held = none()
      this.#held.set(replica, held)
    }
    return held
  }
}

function none(): Held {
  return { appliedIndex: 0, rows: new Map(), sum: 0 }
}

function put(held: Held, what: string, content: string | null): void {
  const { rows } = held
  const before = rows.get(what) ?? 0
  const after = content === null ? 0 : hash(`${what}\n${content}`)
  // In two steps: three of them together would not be exact.
  held.sum = (((held.sum - before + MODULUS) % MODULUS) + after) % MODULUS
  if (content === null) rows.delete(what)
  else rows.set(what, after)
}

/** Fields one by one: what a store gives back may have them in another order. */
function topicText({ incarnation, settings, earliest, latest, bytes, createdMs }: TopicRow): string {
  const { maxAgeMs, maxEvents, maxBytes } = settings
  return [incarnation, earliest, latest, bytes, createdMs, maxAgeMs, maxEvents, maxBytes].map(String).join()
}

function keyText({ payloadHash, timeMs, result }: KeyRow): string {
  return [payloadHash, timeMs, publishedText(result)].join()
}

function producerText({ boot, low, usedIndex, results }: ProducerRow): string {
  const texts = results.map(([sequence, result]) => {
    return `${sequence} ${result.kind === 'published' ? publishedText(result) : result.kind}`
  })
  return [boot, low, usedIndex, ...texts].join()
}

function publishedText({ incarnation, first, last, sequence, timeMs }: Published): string {
  return [incarnation, first, last, sequence, timeMs].join(' ')
}

/** 52 bits of two multiplicative hashes (FNV-1a and one with another prime). */
function hash(text: string): number {
  let [one, other] = [0x811c9dc5, 0x1b873593]
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    one = Math.imul(one ^ code, 0x01000193)
    other = Math.imul(other ^ code, 0x85ebca6b)
  }
  return (one >>> 0) * 2 ** 20 + ((other ^ (other >>> 13)) & 0xfffff)
}
