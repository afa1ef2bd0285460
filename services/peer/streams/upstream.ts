import type { PeerId } from '../cube/labels.ts'
import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { TrunkMark } from '../links/trunk-wire.ts'
import type { SlotNews, SlotSource } from './slot-source.ts'
import type { TopicGlance } from './taps.ts'
import type { SlotFrame, Trunk, TrunkLine } from './trunk.ts'

export interface UpstreamOptions {
  readonly slot: number
  readonly news: SlotNews
  /** The slot is held here by now. */
  readonly isHere: () => boolean
  /** Whom to get the slot from, the one to try first first. */
  readonly parents: () => readonly PeerId[]
  readonly trunk: (peer: PeerId) => Trunk
  /** None of them has it: a slot that moves is not there yet where it is placed. Who leads it may be among them then. */
  readonly askPrimary: () => void
  readonly clock: Clock
  readonly random: () => number
}

/** The place at a peer from which the slot comes, or may come. */
interface Attachment {
  readonly peer: PeerId
  readonly line: TrunkLine
  /** Wants it does not cover yet. */
  readonly missing: Set<string>
  /** Since when it has been missing some, monotonic. */
  sinceMs: number
  depth: number
  led: boolean
  leaderlessMarks: number
}

/**
 * A slot's events by way of another peer: the neighbour nearer to the slot, which has a replica or a way of its own.
 * When that one breaks, refuses or does not deliver, the next is tried, at last the replicas themselves. From a detour
 * it goes back when the first choice has shown that it delivers.
 */
export class Upstream implements SlotSource {
  readonly #options: UpstreamOptions
  readonly #wants = new Set<string>()
  #current: Attachment | undefined
  /** A better one that is being tried beside the one in use. */
  #trial: Attachment | undefined
  /** Tries since something was covered. */
  #tries = 0
  #nextTrialMs = 0
  #cancelPause: (() => void) | undefined
  #isClosed = false

  constructor(options: UpstreamOptions) {
    this.#options = options
    this.#nextTrialMs = options.clock.monotonicMs() + LIMITS.TRUNK_RETURN_MS
  }

  get depth(): number {
    return (this.#current?.depth ?? 0) + 1
  }

  get led(): boolean {
    return this.#current?.led === true && this.#current.missing.size === 0
  }

  get misplaced(): boolean {
    return this.#options.isHere()
  }

  /** Peer it comes from now, for those who look in from outside. */
  get parent(): PeerId | undefined {
    return this.#current?.peer
  }

  want(want: string): void {
    if (this.#isClosed || this.#wants.has(want)) return
    this.#wants.add(want)
    if (this.#current === undefined && this.#cancelPause === undefined) {
      this.#try()
      return
    }
    for (const one of this.#attachments()) {
      this.#miss(one, want)
      one.line.add(want)
    }
  }

  unwant(want: string): void {
    if (!this.#wants.delete(want)) return
    for (const one of this.#attachments()) {
      one.missing.delete(want)
      one.line.remove(want)
    }
  }

  below(): void {
    for (const one of this.#attachments()) one.line.below()
  }

  beat(): void {
    const nowMs = this.#options.clock.monotonicMs()
    const { PARENT_PATIENCE_MS, MAX_LEADERLESS_MARKS } = LIMITS
    const current = this.#current
    if (current) {
      const isLate = current.missing.size > 0 && nowMs - current.sinceMs >= PARENT_PATIENCE_MS
      const isAdrift = current.leaderlessMarks >= MAX_LEADERLESS_MARKS * (current.depth + 1)
      if (isLate || isAdrift) this.#giveUp(current)
    }
    const trial = this.#trial
    if (trial && nowMs - trial.sinceMs >= PARENT_PATIENCE_MS) this.#drop(trial)
    if (nowMs >= this.#nextTrialMs) this.#lookForBetter(nowMs)
  }

  close(): void {
    this.#isClosed = true
    this.#cancelPause?.()
    for (const one of this.#attachments()) this.#drop(one)
  }

  #attachments(): Attachment[] {
    return [this.#current, this.#trial].filter(one => one !== undefined)
  }

  /** The next in turn; each has a try before any of them is given time. */
  #try(): void {
    const parents = this.#options.parents()
    const peer = parents[this.#tries % Math.max(1, parents.length)]
    this.#tries += 1
    if (peer !== undefined) this.#current = this.#attach(peer, one => one === this.#current)
    else this.#pause()
  }

  #attach(peer: PeerId, isCurrent: (one: Attachment) => boolean): Attachment {
    const { slot, clock, trunk } = this.#options
    const line = trunk(peer).attach(slot, {
      frame: frame => this.#take(one, isCurrent(one), frame),
      mark: mark => this.#mark(one, isCurrent(one), mark),
      broken: () => this.#giveUp(one),
    })
    const one: Attachment = {
      ...{ peer, line, missing: new Set(this.#wants), sinceMs: clock.monotonicMs() },
      ...{ depth: 0, led: true, leaderlessMarks: 0 },
    }
    for (const want of this.#wants) line.add(want)
    return one
  }

  #take(one: Attachment, isCurrent: boolean, frame: SlotFrame): void {
    if (this.#isClosed || (!isCurrent && one !== this.#trial)) return
    const { news } = this.#options
    switch (frame.kind) {
      case 'covered': {
        const wants = frame.wants.filter(want => this.#wants.has(want))
        for (const want of wants) one.missing.delete(want)
        if (isCurrent) {
          news.covered(wants, frame.position, frame.incarnation, rowsOf(frame))
          if (one.missing.size === 0) this.#tries = 0
        } else if (one.missing.size === 0) this.#goOver(one)
        break
      }
      case 'events':
        if (isCurrent) news.events(frame.topic, frame.events, frame.index)
        break
      case 'ended':
        if (isCurrent) news.ended(frame.topic, frame.incarnation, frame.latest, frame.index)
        break
      case 'interrupted':
        for (const want of this.#wants) this.#miss(one, want)
        if (isCurrent) news.interrupted()
        break
      case 'refused':
        this.#giveUp(one)
        break
    }
  }

  #miss(one: Attachment, want: string): void {
    if (one.missing.size === 0) one.sinceMs = this.#options.clock.monotonicMs()
    one.missing.add(want)
  }

  #mark(one: Attachment, isCurrent: boolean, { position, led, depth }: TrunkMark): void {
    one.led = led
    one.depth = depth
    one.leaderlessMarks = led ? 0 : one.leaderlessMarks + 1
    if (isCurrent && one.missing.size === 0) this.#options.news.passed(position)
  }

  /** The first choice covers everything: from now on the slot comes from there. */
  #goOver(trial: Attachment): void {
    const before = this.#current
    this.#trial = undefined
    this.#current = undefined
    this.#options.news.interrupted()
    before?.line.close()
    trial.line.close()
    // Taken on anew, so that each want is covered once more: what came so far was passed over.
    this.#current = this.#attach(trial.peer, one => one === this.#current)
  }

  #giveUp(one: Attachment): void {
    if (this.#isClosed) return
    if (one === this.#trial) this.#drop(one)
    if (one !== this.#current) return
    this.#drop(one)
    // One that delivered and fell silent would be asked again at once, and for as long.
    if (this.#tries === 0 && this.#options.parents()[0] === one.peer) this.#tries = 1
    this.#options.news.interrupted()
    this.#pause()
  }

  #drop(one: Attachment): void {
    if (one === this.#trial) this.#trial = undefined
    if (one === this.#current) this.#current = undefined
    one.line.close()
  }

  #pause(): void {
    const { clock, random, parents } = this.#options
    const count = Math.max(1, parents().length)
    if (this.#tries > 0 && this.#tries % count === 0) this.#options.askPrimary()
    const rounds = Math.max(0, this.#tries - count)
    const longestMs = Math.min(LIMITS.RETRY_MAX_MS, LIMITS.RETRY_MIN_MS * 2 ** Math.min(rounds, 10))
    this.#cancelPause?.()
    this.#cancelPause = clock.after(longestMs * random(), () => {
      this.#cancelPause = undefined
      if (!this.#isClosed && this.#current === undefined && this.#wants.size > 0) this.#try()
    })
  }

  #lookForBetter(nowMs: number): void {
    this.#nextTrialMs = nowMs + LIMITS.TRUNK_RETURN_MS
    const current = this.#current
    const [best] = this.#options.parents()
    if (!current || this.#trial || best === undefined || best === current.peer) return
    this.#trial = this.#attach(best, () => false)
    if (this.#trial.missing.size === 0) this.#drop(this.#trial)
  }
}

function rowsOf(frame: SlotFrame & { kind: 'covered' }): Map<string, TopicGlance> {
  return new Map(frame.rows.map(row => [row.topic, row]))
}
