import { LIMITS } from './limits.ts'
import type { Notice, ReceivedEvent } from './received.ts'

/** How far a topic was received. */
interface Reached {
  /** Undefined where the stream does not say. */
  readonly incarnation: number | undefined
  /** Everything up to this offset was received or told to be missing. */
  readonly offset: number
  readonly hasEnded: boolean
}

type Read = ReceivedEvent | Notice

/**
 * What was received of each topic, so that nothing is handed out twice and nothing is missing unsaid: offsets of one
 * life of a topic are dense.
 */
export class Progress {
  readonly #topics = new Map<string, Reached>()

  /**
   * Takes what a stream brought.
   * @param before the cursor of what was taken before
   * @returns what of it is new: nothing for a double, a gap without what was received already, and before an event
   *   that leaves offsets out the gap that it makes
   */
  take(read: Read, before: string): Read[] {
    if (!('kind' in read)) return this.#takeEvent(read, before)
    if (read.kind === 'gap') return this.#takeGap(read)
    if (read.kind === 'end' && read.topic !== undefined) return this.#takeEnd(read, read.topic)
    return [read]
  }

  #takeEvent(event: ReceivedEvent, before: string): Read[] {
    const { topic, incarnation, offset } = event
    const reached = this.#sameLife(topic, incarnation)
    if (reached === 'older') return []
    if (reached !== 'unknown' && offset <= reached.offset) return []
    this.#set(topic, { incarnation, offset, hasEnded: false })
    if (reached === 'unknown' || offset === reached.offset + 1) return [event]
    const gap: Notice = { kind: 'gap', topic, from: reached.offset + 1, to: offset - 1, cursor: before }
    return [gap, event]
  }

  #takeGap(gap: Extract<Notice, { kind: 'gap' }>): Read[] {
    const reached = this.#sameLife(gap.topic, gap.incarnation)
    if (reached === 'older') return []
    if (reached === 'unknown') {
      this.#set(gap.topic, { incarnation: gap.incarnation, offset: gap.to, hasEnded: false })
      return [gap]
    }
    if (gap.to <= reached.offset) return []
    this.#set(gap.topic, { ...reached, offset: gap.to })
    return [gap.from > reached.offset ? gap : { ...gap, from: reached.offset + 1 }]
  }

  #takeEnd(end: Extract<Notice, { kind: 'end' }>, topic: string): Read[] {
    const reached = this.#topics.get(topic)
    const isOlder = isBefore(end.incarnation, reached?.incarnation)
    if (isOlder || (reached?.hasEnded && !isBefore(reached.incarnation, end.incarnation))) return []
    const isOfThisLife = reached !== undefined && !isBefore(reached.incarnation, end.incarnation)
    this.#set(topic, {
      incarnation: end.incarnation ?? reached?.incarnation,
      offset: isOfThisLife ? reached.offset : 0,
      hasEnded: true,
    })
    return [end]
  }

  /** What is known of this life of a topic. Lives that the stream does not number are told apart by their ends only. */
  #sameLife(topic: string, incarnation: number | undefined): Reached | 'older' | 'unknown' {
    const reached = this.#topics.get(topic)
    if (reached === undefined) return 'unknown'
    if (isBefore(incarnation, reached.incarnation)) return 'older'
    const isNumbered = incarnation !== undefined && reached.incarnation !== undefined
    if (isNumbered ? incarnation > reached.incarnation! : reached.hasEnded) return 'unknown'
    return reached
  }

  #set(topic: string, reached: Reached): void {
    // At the end of the map: what was not heard of for longest is at its beginning.
    this.#topics.delete(topic)
    this.#topics.set(topic, reached)
    if (this.#topics.size <= LIMITS.MAX_TRACKED_TOPICS) return
    const [oldest] = this.#topics.keys()
    this.#topics.delete(oldest!)
  }
}

function isBefore(one: number | undefined, other: number | undefined): boolean {
  return one !== undefined && other !== undefined && one < other
}
