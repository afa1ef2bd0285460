import { LIMITS } from './limits.ts'
import type { Notice, ReceivedEvent } from './received.ts'

type Gap = Extract<Notice, { kind: 'gap' }>
type End = Extract<Notice, { kind: 'end' }>
type Read = ReceivedEvent | Notice

/** How far a topic was received. */
interface Reached {
  /** Undefined where the stream does not say. */
  readonly incarnation: number | undefined
  /** Everything up to this offset was received or told to be missing. */
  readonly offset: number
  readonly hasEnded: boolean
}

/**
 * What was received of each topic, so that nothing is handed out twice and nothing is missing unsaid: offsets of one
 * life of a topic are dense.
 */
export class Progress {
  readonly #topics = new Map<string, Reached>()
  /** Gaps without a number of their life, which may be of a next one that is not known of: the event behind them tells. */
  readonly #pending = new Map<string, Gap>()

  /**
   * Takes what a stream brought.
   * @param before the cursor of what was taken before
   * @param isNext true when the stream goes on exactly there, so that a lower offset of a life without a number is a
   *   new life's; false when it may repeat what was taken
   * @returns what of it is new: nothing for a double, a gap without what was received already, and before an event
   *   that leaves offsets out the gap that it makes
   */
  take(read: Read, before: string, isNext: boolean): Read[] {
    if (!('kind' in read)) return this.#takeEvent(read, before, isNext)
    if (read.kind === 'gap') return this.#takeGap(read, isNext)
    if (read.kind === 'end' && read.topic !== undefined) return this.#takeEnd(read, read.topic)
    return [read]
  }

  #takeEvent(event: ReceivedEvent, before: string, isNext: boolean): Read[] {
    const { topic, incarnation, offset } = event
    const reached = this.#topics.get(topic)
    if (isBefore(incarnation, reached?.incarnation)) return []
    const isFirst = reached === undefined || this.#isOfNextLife(event, reached, isNext)
    if (!isFirst && offset <= reached.offset) return []
    const pending = this.#pending.get(topic)
    this.#pending.delete(topic)
    const life = incarnation ?? (isFirst ? undefined : reached.incarnation)
    this.#set(topic, { incarnation: life, offset, hasEnded: false })
    const from = isFirst ? (pending?.from ?? offset) : reached.offset + 1
    const news: Read[] = from < offset ? [{ kind: 'gap', topic, from, to: offset - 1, cursor: before }] : []
    return [...this.#untoldEnd(topic, reached, isFirst, before), ...news, event]
  }

  /** A topic that was deleted and created again unheard: its next life says so. */
  #untoldEnd(topic: string, reached: Reached | undefined, isFirst: boolean, before: string): Read[] {
    if (reached === undefined || reached.hasEnded || !isFirst) return []
    const { incarnation } = reached
    const life = incarnation === undefined ? {} : { incarnation }
    return [{ kind: 'end', topic, ...life, cursor: before, reason: 'deleted' }]
  }

  #isOfNextLife({ incarnation, offset }: ReceivedEvent, reached: Reached, isNext: boolean): boolean {
    if (incarnation !== undefined && reached.incarnation !== undefined) {
      return incarnation > reached.incarnation
    }
    return reached.hasEnded || (isNext && offset <= reached.offset)
  }

  #takeGap(gap: Gap, isNext: boolean): Read[] {
    const { topic, incarnation, from, to } = gap
    const reached = this.#topics.get(topic)
    if (isBefore(incarnation, reached?.incarnation)) return []
    if (incarnation === undefined && reached !== undefined && !(reached.hasEnded && isNext)) {
      const first = this.#pending.get(topic)?.from ?? from
      this.#pending.set(topic, { ...gap, from: Math.min(first, from) })
    }
    if (incarnation === undefined && reached?.hasEnded && !isNext) return []
    const isNumbered = incarnation !== undefined
    const isFirst = isNumbered ? incarnation !== reached?.incarnation : (reached?.hasEnded ?? true)
    if (reached === undefined || isFirst) {
      this.#set(topic, { incarnation, offset: to, hasEnded: false })
      return [...this.#untoldEnd(topic, reached, isFirst, gap.cursor), gap]
    }
    if (to <= reached.offset) return []
    this.#set(topic, { ...reached, offset: to })
    return [from > reached.offset ? gap : { ...gap, from: reached.offset + 1 }]
  }

  #takeEnd(end: End, topic: string): Read[] {
    const reached = this.#topics.get(topic)
    if (isBefore(end.incarnation, reached?.incarnation)) return []
    const isOfNextLife = isBefore(reached?.incarnation, end.incarnation)
    if (reached?.hasEnded && !isOfNextLife) return []
    this.#pending.delete(topic)
    const incarnation = end.incarnation ?? reached?.incarnation
    this.#set(topic, { incarnation, offset: isOfNextLife ? 0 : (reached?.offset ?? 0), hasEnded: true })
    return [end]
  }

  #set(topic: string, reached: Reached): void {
    // At the end of the map: what was not heard of for longest is at its beginning.
    this.#topics.delete(topic)
    this.#topics.set(topic, reached)
    if (this.#topics.size <= LIMITS.MAX_TRACKED_TOPICS) return
    const [oldest] = this.#topics.keys()
    this.#topics.delete(oldest!)
    this.#pending.delete(oldest!)
  }
}

function isBefore(one: number | undefined, other: number | undefined): boolean {
  return one !== undefined && other !== undefined && one < other
}
