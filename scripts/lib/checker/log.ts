import type { Findings } from './anomalies.ts'
import type { OutcomeKind, Send } from './operations.ts'

/** A place in a topic; places are ordered by life first. */
export interface Place {
  readonly incarnation: number
  readonly offset: number
}

/** What is known of an event's publishes, all attempts together. */
export interface Fate {
  /** The best of all attempts: one acknowledgement makes it acknowledged, one unknown makes it unknown. */
  readonly outcome: OutcomeKind
  /** When the first attempt was sent. */
  readonly fromMs: number
  readonly client: string
  readonly why: string
}

const RANK = { refused: 0, unknown: 1, acknowledged: 2 } as const

/** Negative when `a` is before `b`, 0 when they are the same. */
export function comparePlaces(a: Place, b: Place): number {
  return a.incarnation - b.incarnation || a.offset - b.offset
}

/** A place as the cursors write it: `<offset>-<incarnation>`. */
export function formatPlace({ incarnation, offset }: Place): string {
  return `${offset}-${incarnation}`
}

/**
 * One topic's version order (Jepsen's `version-orders`): which event is where, from acknowledgements, polls and final
 * reads. Whoever speaks first of a place or of an event is believed; who says otherwise later makes an anomaly:
 * `inconsistent-offsets`, `duplicate`, `G1a`, `phantom`.
 */
export class TopicLog {
  readonly #topic: string
  readonly #findings: Findings
  readonly #lives = new Map<number, Map<number, string>>()
  readonly #places = new Map<string, Place>()
  readonly #fates = new Map<string, Fate>()
  /** Contradictions already told of. */
  readonly #told = new Set<string>()

  constructor(topic: string, findings: Findings) {
    this.#topic = topic
    this.#findings = findings
  }

  /** Events of one life by offset. */
  life(incarnation: number): Map<number, string> {
    let life = this.#lives.get(incarnation)
    if (life === undefined) {
      life = new Map()
      this.#lives.set(incarnation, life)
    }
    return life
  }

  placeOf(id: string): Place | undefined {
    return this.#places.get(id)
  }

  fateOf(id: string): Fate | undefined {
    return this.#fates.get(id)
  }

  /** Every send must be entered before the first event is noted. */
  sent(send: Send): void {
    for (const id of send.ids) {
      const known = this.#fates.get(id)
      const isBetter = known === undefined || RANK[send.outcome] > RANK[known.outcome]
      this.#fates.set(id, {
        outcome: isBetter ? send.outcome : known.outcome,
        fromMs: Math.min(send.fromMs, known?.fromMs ?? Number.POSITIVE_INFINITY),
        client: known?.client ?? send.client,
        why: (isBetter ? send.why : known.why) ?? 'no reason recorded',
      })
    }
  }

  /** When this send's first attempt was sent: the answer to a retry may be that to an earlier attempt. */
  firstSentMs(send: Send): number {
    return send.ids.reduce((ms, id) => Math.min(ms, this.#fates.get(id)?.fromMs ?? ms), send.fromMs)
  }

  /** Somebody says that the event `id` is at this place. `who` and `atMs` are for the description. */
  note(who: string, atMs: number | undefined, incarnation: number, offset: number, id: string): void {
    const life = this.life(incarnation)
    const there = life.get(offset)
    if (there === id) return
    if (there === undefined) life.set(offset, id)
    const place = { incarnation, offset }
    const known = this.#places.get(id)
    if (there !== undefined) {
      this.#once('inconsistent-offsets', place, id, () => `${who} has ${id} where ${there} is${at(atMs)}`)
    }
    if (known === undefined) this.#first(who, atMs, place, id)
    else if (comparePlaces(known, place) !== 0) {
      this.#once(
        'duplicate',
        place,
        id,
        () => `${who} has ${id}${at(atMs)}, which is also at ${formatPlace(known)}`,
      )
    }
  }

  #first(who: string, atMs: number | undefined, place: Place, id: string): void {
    this.#places.set(id, place)
    const fate = this.#fates.get(id)
    if (fate === undefined) {
      this.#once('phantom', place, id, () => `${who} has ${id}${at(atMs)}, which nobody published there`)
    } else if (fate.outcome === 'refused') {
      const { client, why } = fate
      this.#once('G1a', place, id, () => `${who} has ${id}${at(atMs)}, which ${client} was refused (${why})`)
    }
  }

  #once(
    kind: 'inconsistent-offsets' | 'duplicate' | 'G1a' | 'phantom',
    place: Place,
    id: string,
    describe: () => string,
  ): void {
    const key = `${kind} ${formatPlace(place)} ${id}`
    if (this.#told.has(key)) return
    this.#told.add(key)
    this.#findings.add(kind, () => `${this.#topic} ${formatPlace(place)}: ${describe()}`)
  }
}

function at(ms: number | undefined): string {
  return ms === undefined ? '' : ` at ${Math.round(ms)} ms`
}
