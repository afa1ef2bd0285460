import type { PeerId } from '../cube/labels.ts'
import { LIMITS } from '../limits.ts'
import type { TrunkMark } from '../links/trunk-wire.ts'
import type { LineListener, Trunk, TrunkLine } from './trunk.ts'

/** The place at a peer from which a slot comes, or may come: what it covers, and whether it is of use. */
export class Attachment {
  readonly peer: PeerId
  /** Peers between that one and the replica, as it last said. */
  depth = 0
  readonly #line: TrunkLine
  /** Wants it does not cover yet, by the time they were asked for: the longest wait comes first. */
  readonly #missing = new Map<string, number>()
  readonly #now: () => number
  #isLed = true
  /** Something is covered since the last interruption. */
  #isCovered = false
  #leaderlessMarks = 0

  /** @param now monotonic */
  constructor(
    trunk: Trunk,
    slot: number,
    wants: Iterable<string>,
    now: () => number,
    listener: (of: Attachment) => LineListener,
  ) {
    this.peer = trunk.peer
    this.#now = now
    this.#line = trunk.attach(slot, listener(this))
    for (const want of wants) this.add(want)
  }

  get led(): boolean {
    return this.#isLed && this.#isCovered
  }

  get isComplete(): boolean {
    return this.#missing.size === 0
  }

  add(want: string): void {
    this.#missing.set(want, this.#now())
    this.#line.add(want)
  }

  remove(want: string): void {
    this.#missing.delete(want)
    this.#line.remove(want)
  }

  covers(wants: readonly string[]): void {
    this.#isCovered = true
    for (const want of wants) this.#missing.delete(want)
  }

  interrupted(wants: Iterable<string>): void {
    this.#isCovered = false
    for (const want of wants) if (!this.#missing.has(want)) this.#missing.set(want, this.#now())
  }

  /** True when what was told up to the mark is all that is covered. */
  mark({ led, depth }: TrunkMark): boolean {
    this.#isLed = led
    this.depth = depth
    this.#leaderlessMarks = led ? 0 : this.#leaderlessMarks + 1
    return this.#isCovered
  }

  /** A want waits longer than a parent may take, however many others were covered meanwhile. */
  isLate(): boolean {
    const [sinceMs] = this.#missing.values()
    return sinceMs !== undefined && this.#now() - sinceMs >= LIMITS.PARENT_PATIENCE_MS
  }

  /** The replica has had no primary for so long that another one may have. */
  isAdrift(): boolean {
    return this.#leaderlessMarks >= LIMITS.MAX_LEADERLESS_MARKS * (this.depth + 1)
  }

  belowChanged(): void {
    this.#line.below()
  }

  close(): void {
    this.#line.close()
  }
}
