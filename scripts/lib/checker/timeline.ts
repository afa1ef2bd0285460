import { Deaths, type LifeSpan } from './deaths.ts'
import { comparePlaces, formatPlace, type Place, type TopicLog } from './log.ts'
import type { Barrier, Create, Delete, Send } from './operations.ts'

/** What is known of a topic from some moment on, and who made it known. */
export interface Known extends Place {
  /** When it was known at the latest. */
  readonly atMs: number
  /** When the life was certainly not yet over: the operation that tells of it had not begun before. */
  readonly fromMs: number
  /** In words, for descriptions. */
  readonly by: () => string
}

/** Highest of all that was known before a moment; looked up in logarithmic time. */
export class Highest {
  readonly #steps: Known[] = []

  constructor(known: readonly Known[]) {
    for (const one of [...known].sort((a, b) => a.atMs - b.atMs)) {
      const top = this.#steps.at(-1)
      if (top === undefined || comparePlaces(one, top) > 0) this.#steps.push(one)
    }
  }

  /** Strictly before: at the same moment the order is not known. */
  before(ms: number): Known | undefined {
    let [low, high] = [0, this.#steps.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#steps[middle]!.atMs < ms) low = middle + 1
      else high = middle
    }
    return this.#steps[low - 1]
  }
}

/** One topic's operations that say when its lives began and ended. */
export interface TimelineInput {
  readonly sends: readonly Send[]
  readonly creates: readonly Create[]
  readonly deletes: readonly Delete[]
  readonly barriers: readonly Barrier[]
  /** What subscribers were given or came with. */
  readonly sights: readonly Sight[]
}

/** A subscriber knew of a life of the topic, which may have been over by then. */
export interface Sight {
  readonly client: string
  readonly incarnation: number
  readonly atMs: number
}

/** What certainly held of one topic before any moment: how far it had come, and which of its lives were over. */
export class Timeline {
  /** Highest place that an answer to a publish, a creation or a linearizable read had told of. */
  readonly reached: Highest
  /** Highest life that was over (its `offset` means nothing). */
  readonly over: Highest
  /** Which of its lives deletions may have ended. */
  readonly deaths: Deaths

  constructor(input: TimelineInput, log: TopicLog) {
    const told = toldOf(input, log)
    this.reached = new Highest(told)
    const lives = livesOf(told, input)
    const begun = new Highest(lives)
    this.over = new Highest([...overByDeletion(input.deletes, begun), ...overByLaterLife(lives)])
    this.deaths = new Deaths(spansOf(lives, told, this.over), input.deletes)
  }
}

function toldOf({ sends, creates, barriers }: TimelineInput, log: TopicLog): Known[] {
  const told: Known[] = []
  for (const send of sends) {
    const { outcome, incarnation, first, last, client, toMs } = send
    if (outcome !== 'acknowledged' || incarnation === undefined || last === undefined) continue
    // An answer with the wrong number of places is an anomaly of its own; where it ends is not known.
    if (first === undefined || last - first + 1 !== send.ids.length) continue
    const by = () => `${last}-${incarnation} was acknowledged to ${client} at ${Math.round(toMs)} ms`
    told.push({ incarnation, offset: last, atMs: toMs, fromMs: log.firstSentMs(send), by })
  }
  for (const { outcome, incarnation, client, fromMs, toMs } of creates) {
    if (outcome !== 'acknowledged' || incarnation === undefined) continue
    const by = () => `life ${incarnation} was created by ${client} at ${Math.round(toMs)} ms`
    told.push({ incarnation, offset: 0, atMs: toMs, fromMs, by })
  }
  for (const { found, client, fromMs, toMs } of barriers) {
    if (found === null) continue
    const place = { incarnation: found.incarnation, offset: found.latest }
    const by = () => `${client} had found ${formatPlace(place)} at ${Math.round(toMs)} ms`
    told.push({ ...place, atMs: toMs, fromMs, by })
  }
  return told
}

/** When each life was first known: from what was told, and from what subscribers were given. */
function livesOf(told: readonly Known[], { sights }: TimelineInput): Known[] {
  const first = new Map<number, Known>()
  for (const one of told) {
    const known = first.get(one.incarnation)
    if (known === undefined || one.atMs < known.atMs) first.set(one.incarnation, { ...one, offset: 0 })
  }
  for (const { incarnation, atMs, client } of sights) {
    const known = first.get(incarnation)
    if (known !== undefined && known.atMs <= atMs) continue
    const by = () => `${client} had seen life ${incarnation} at ${Math.round(atMs)} ms`
    first.set(incarnation, { incarnation, offset: 0, atMs, fromMs: atMs, by })
  }
  return [...first.values()]
}

/** Who tells of a life that was over before is wrong, and an anomaly of its own: that shows nothing alive. */
function spansOf(lives: readonly Known[], told: readonly Known[], over: Highest): LifeSpan[] {
  const alive = new Map<number, number>()
  for (const { incarnation, fromMs } of told) {
    if ((over.before(fromMs)?.incarnation ?? 0) >= incarnation) continue
    alive.set(incarnation, Math.max(alive.get(incarnation) ?? fromMs, fromMs))
  }
  let overMs = Number.POSITIVE_INFINITY
  const newestFirst = [...lives].sort((one, other) => other.incarnation - one.incarnation)
  return newestFirst.map(({ incarnation, atMs }) => {
    const span = { incarnation, aliveMs: alive.get(incarnation) ?? Number.NEGATIVE_INFINITY, overMs }
    overMs = Math.min(overMs, atMs)
    return span
  })
}

/** A deletion ends whatever lives: every life that began before it was sent, and the one its answer names. */
function overByDeletion(deletes: readonly Delete[], begun: Highest): Known[] {
  return deletes
    .filter(({ outcome }) => outcome === 'acknowledged')
    .map(({ incarnation = 0, client, fromMs, toMs }) => ({
      incarnation: Math.max(incarnation, begun.before(fromMs)?.incarnation ?? 0),
      offset: 0,
      atMs: toMs,
      fromMs,
      by: () => `${client} had deleted it at ${Math.round(toMs)} ms`,
    }))
    .filter(({ incarnation }) => incarnation > 0)
}

/** A life begins only when the one before is over. */
function overByLaterLife(lives: readonly Known[]): Known[] {
  return lives
    .filter(({ incarnation }) => incarnation > 1)
    .map(one => ({ ...one, incarnation: one.incarnation - 1 }))
}
