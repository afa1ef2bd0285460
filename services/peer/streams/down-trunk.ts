import type { PeerId } from '../cube/labels.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { SlotWants } from '../links/trunk-wants.ts'
import type { TrunkMark } from '../links/trunk-wire.ts'
import type { SlotPosition } from '../topics/positions.ts'
import type { StoredEvent } from '../topics/types.ts'
import type { SlotTap, SlotTaps, TopicGlance } from './taps.ts'
import { TrunkOut, type TrunkOutOptions } from './trunk-out.ts'
import type { Sink } from './types.ts'

export interface DownTrunkOptions
  extends Pick<TrunkOutOptions, 'flusher' | 'bufferBytes' | 'stallTimeoutMs' | 'now'> {
  readonly taps: SlotTaps
  readonly mark: (slot: number) => TrunkMark | undefined
  /** The socket is gone, and with it what went down to these slots' streams. Called once. */
  readonly onOver: (slots: readonly number[]) => void
}

/** What the lower end gets of one slot. */
interface Share {
  /** By want: the way to stop its tap. */
  readonly taps: Map<string, () => void>
  /** Wants that are covered here, but from before what was sent: nothing is said of them until that is caught up with. */
  readonly behind: Set<string>
  below: readonly PeerId[]
  /** Last event sent: several wants may match the same. */
  sent: number
  /** Last end of a topic sent, likewise. */
  ended: { readonly index: number; readonly incarnation: number } | undefined
  /** The lower end was told that the order is broken, and of no cover since. */
  isInterrupted: boolean
  /** As last said. */
  told: TrunkMark | undefined
}

/**
 * The upper end of one trunk: what the peer below wants goes down it, each event once. When its socket takes no more,
 * events are left out and everything is covered anew afterwards: the lower end then reads what it missed from the log.
 */
export class DownTrunk {
  readonly name: string
  readonly #options: DownTrunkOptions
  readonly #out: TrunkOut
  readonly #shares = new Map<number, Share>()
  #turn = 0
  #wants = 0

  constructor(name: string, sink: Sink, options: DownTrunkOptions) {
    this.name = name
    this.#options = options
    this.#out = new TrunkOut({
      ...options,
      sink,
      onRoom: () => this.#coverAnew(),
      onOver: () => this.#over(),
    })
  }

  below(slot: number): readonly PeerId[] {
    return this.#shares.get(slot)?.below ?? []
  }

  /** Throws HypercastError INVALID_REQUEST unless updates come in order. */
  follows(turn: number): void {
    this.#turn += 1
    if (turn !== this.#turn) throw new HypercastError('INVALID_REQUEST', `Turn ${turn} is not ${this.#turn}.`)
  }

  /** Throws HypercastError OVERLOADED. */
  take({ slot, add, remove, below }: SlotWants): void {
    const share = this.#shares.get(slot) ?? newShare()
    this.#shares.set(slot, share)
    share.below = below
    const gone = new Set(remove)
    for (const want of add) {
      gone.delete(want)
      this.#tap(slot, share, want)
    }
    for (const want of gone) this.#untap(share, want)
    if (share.taps.size === 0) this.#shares.delete(slot)
  }

  refuse(slot: number): void {
    this.#leave(slot)
    this.#out.put({ kind: 'refused', slot, turn: this.#turn })
  }

  /** Says where this peer stands; without news it is a sign of life. */
  beat(): void {
    this.#out.beat()
    if (this.#out.congested) return
    const marks: TrunkMark[] = []
    for (const [slot, share] of this.#shares) {
      const mark = this.#options.mark(slot)
      if (!mark) continue
      this.#catchUp(slot, share, mark.position.sequence)
      if (share.isInterrupted || (mark.led && share.told && isSame(mark, share.told))) continue
      share.told = mark
      marks.push(mark)
    }
    this.#out.put({ kind: 'marks', marks })
  }

  end(): void {
    this.#out.end()
  }

  #tap(slot: number, share: Share, want: string): void {
    const before = share.taps.get(want)
    if (!before) this.#wants += 1
    if (this.#wants > LIMITS.MAX_TRUNK_WANTS) {
      throw new HypercastError('OVERLOADED', `A trunk carries at most ${LIMITS.MAX_TRUNK_WANTS} wants.`)
    }
    share.behind.delete(want)
    const tap: SlotTap = {
      wants: [want],
      covered: (...cover) => this.#covered(slot, share, want, ...cover),
      events: (topic, events, index) => this.#events(slot, share, topic, events, index),
      ended: (topic, incarnation, latest, index) =>
        this.#ended(slot, share, topic, incarnation, latest, index),
      passed() {},
      interrupted: () => this.#interrupted(slot, share),
    }
    // The new tap first, so that what feeds this peer does not hear that the want went and came.
    share.taps.set(want, this.#options.taps.tap(slot, tap))
    before?.()
  }

  #untap(share: Share, want: string): void {
    const stop = share.taps.get(want)
    if (!stop) return
    share.taps.delete(want)
    share.behind.delete(want)
    this.#wants -= 1
    stop()
  }

  #leave(slot: number): void {
    const share = this.#shares.get(slot)
    this.#shares.delete(slot)
    if (share) for (const want of [...share.taps.keys()]) this.#untap(share, want)
  }

  #covered(
    slot: number,
    share: Share,
    want: string,
    position: SlotPosition,
    rows: ReadonlyMap<string, TopicGlance | null>,
    incarnation: number,
  ): void {
    if (this.#out.congested) return
    if (position.sequence < share.sent) {
      // From a replica that lags. What was sent for some wants must not be sent again, what was not for others must be:
      // behind all that was sent there is no difference.
      share.behind.add(want)
      return
    }
    share.behind.delete(want)
    share.isInterrupted = false
    const row = rows.get(want)
    const found = row ? [{ topic: want, ...row }] : []
    const turn = this.#turn
    this.#out.put({ kind: 'covered', slot, turn, wants: [want], position, incarnation, rows: found })
  }

  #events(slot: number, share: Share, topic: string, events: readonly StoredEvent[], index: number): void {
    const last = events.at(-1)!.sequence
    const fresh = events[0]!.sequence > share.sent ? events : events.filter(one => one.sequence > share.sent)
    if (fresh.length > 0 && !this.#out.congested) {
      share.sent = last
      this.#out.put({ kind: 'events', slot, topic, index, events: fresh })
    }
    this.#catchUp(slot, share, last)
  }

  #ended(
    slot: number,
    share: Share,
    topic: string,
    incarnation: number,
    latest: number,
    index: number,
  ): void {
    if (share.ended?.index === index && share.ended.incarnation === incarnation) return
    if (!this.#out.congested) share.ended = { index, incarnation }
    this.#out.put({ kind: 'ended', slot, topic, incarnation, latest, index })
  }

  /** Covers what was held back, when this peer is where it has been before. */
  #catchUp(slot: number, share: Share, sequence: number): void {
    if (share.behind.size === 0 || sequence < share.sent) return
    for (const want of [...share.behind]) this.#tap(slot, share, want)
  }

  #interrupted(slot: number, share: Share): void {
    share.behind.clear()
    if (share.isInterrupted) return
    share.isInterrupted = true
    share.told = undefined
    this.#out.put({ kind: 'interrupted', slot })
  }

  #coverAnew(): void {
    for (const [slot, share] of [...this.#shares]) {
      // Also where that was to be said before and was left out.
      share.isInterrupted = false
      this.#interrupted(slot, share)
      for (const want of [...share.taps.keys()]) this.#tap(slot, share, want)
    }
  }

  #over(): void {
    const slots = [...this.#shares.keys()]
    for (const slot of slots) this.#leave(slot)
    this.#options.onOver(slots)
  }
}

function newShare(): Share {
  return {
    ...{ taps: new Map(), behind: new Set(), below: [], sent: 0 },
    ...{ ended: undefined, isInterrupted: true, told: undefined },
  }
}

function isSame(one: TrunkMark, other: TrunkMark): boolean {
  const { position, depth, led } = one
  const told = other.position
  const isLevel = position.sequence === told.sequence && position.index === told.index
  return isLevel && depth === other.depth && led === other.led
}
