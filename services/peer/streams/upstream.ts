import type { PeerId } from '../cube/labels.ts'
import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { TrunkMark } from '../links/trunk-wire.ts'
import { Attachment } from './attachment.ts'
import type { SlotNews, SlotSource } from './slot-source.ts'
import type { TopicGlance } from './taps.ts'
import type { SlotFrame, Trunk } from './trunk.ts'

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
    this.#planTrial()
  }

  get depth(): number {
    return (this.#current?.depth ?? 0) + 1
  }

  get led(): boolean {
    return this.#current?.led === true
  }

  get misplaced(): boolean {
    return this.#options.isHere()
  }

  want(want: string): void {
    if (this.#isClosed || this.#wants.has(want)) return
    this.#wants.add(want)
    if (this.#current === undefined && this.#cancelPause === undefined) {
      this.#try()
      return
    }
    for (const one of this.#attachments()) one.add(want)
  }

  unwant(want: string): void {
    if (!this.#wants.delete(want)) return
    for (const one of this.#attachments()) one.remove(want)
  }

  below(): void {
    for (const one of this.#attachments()) one.belowChanged()
  }

  beat(): void {
    const current = this.#current
    if (current && (current.isLate() || current.isAdrift())) this.#giveUp(current)
    const trial = this.#trial
    if (trial && (trial.isLate() || trial.isAdrift())) this.#drop(trial)
    if (this.#options.clock.monotonicMs() >= this.#nextTrialMs) this.#lookForBetter()
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
    if (peer === undefined) {
      this.#pause()
      return
    }
    // A trunk has one line for a slot.
    if (this.#trial?.peer === peer) this.#drop(this.#trial)
    this.#current = this.#attach(peer)
  }

  #attach(peer: PeerId): Attachment {
    const { slot, clock, trunk } = this.#options
    const now = () => clock.monotonicMs()
    return new Attachment(trunk(peer), slot, this.#wants, now, one => ({
      frame: frame => this.#take(one, one === this.#current, frame),
      mark: mark => this.#mark(one, mark),
      broken: () => this.#giveUp(one),
    }))
  }

  #take(one: Attachment, isCurrent: boolean, frame: SlotFrame): void {
    if (this.#isClosed || (!isCurrent && one !== this.#trial)) return
    const { news } = this.#options
    switch (frame.kind) {
      case 'covered': {
        const wants = frame.wants.filter(want => this.#wants.has(want))
        one.covers(wants)
        if (!isCurrent) break
        if (one.isComplete) this.#tries = 0
        news.covered(wants, frame.position, frame.incarnation, rowsOf(frame))
        break
      }
      case 'events':
        if (isCurrent) news.events(frame.topic, frame.events, frame.index)
        break
      case 'ended':
        if (isCurrent) news.ended(frame.topic, frame.incarnation, frame.latest, frame.index)
        break
      case 'interrupted':
        one.interrupted(this.#wants)
        if (isCurrent && this.misplaced) news.lost()
        else if (isCurrent) news.interrupted()
        break
      case 'refused':
        this.#giveUp(one)
        break
    }
  }

  #mark(one: Attachment, mark: TrunkMark): void {
    const isPassed = one.mark(mark)
    if (one === this.#current && isPassed) this.#options.news.passed(mark.position)
    // Its replica has a primary, too: else the slot would soon come back to where it is.
    if (one === this.#trial && one.isComplete && one.led) this.#goOver(one)
  }

  /** The first choice covers everything: from now on the slot comes from there. */
  #goOver(trial: Attachment): void {
    const before = this.#current
    this.#trial = undefined
    this.#current = undefined
    this.#options.news.interrupted()
    before?.close()
    trial.close()
    // Taken on anew, so that each want is covered once more: what came so far was passed over.
    this.#current = this.#attach(trial.peer)
  }

  #giveUp(one: Attachment): void {
    if (this.#isClosed) return
    if (one === this.#trial) this.#drop(one)
    if (one !== this.#current) return
    this.#drop(one)
    if (this.misplaced) {
      this.#options.news.lost()
      return
    }
    // One that delivered and fell silent would be asked again at once, and for as long.
    if (this.#tries === 0 && this.#options.parents()[0] === one.peer) this.#tries = 1
    this.#options.news.interrupted()
    this.#pause()
  }

  #drop(one: Attachment): void {
    if (one === this.#trial) this.#trial = undefined
    if (one === this.#current) this.#current = undefined
    one.close()
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

  #lookForBetter(): void {
    this.#planTrial()
    const current = this.#current
    const [best] = this.#options.parents()
    if (!current || this.#trial || this.#wants.size === 0) return
    if (best !== undefined && best !== current.peer) this.#trial = this.#attach(best)
  }

  /** Not all peers at once: each would go over to one that is just going over to another. */
  #planTrial(): void {
    const { clock, random } = this.#options
    this.#nextTrialMs = clock.monotonicMs() + LIMITS.TRUNK_RETURN_MS * (0.5 + random())
  }
}

function rowsOf(frame: SlotFrame & { kind: 'covered' }): Map<string, TopicGlance> {
  return new Map(frame.rows.map(row => [row.topic, row]))
}
