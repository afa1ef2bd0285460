import type { PeerId } from '../cube/labels.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { encodeTrunkFrame, type SlotWants, type TrunkFrame, type TrunkMark } from '../links/trunk-wire.ts'
import type { SlotPosition } from '../topics/positions.ts'
import type { StoredEvent } from '../topics/types.ts'
import type { Flushable, Flusher } from './flusher.ts'
import type { SlotTap, SlotTaps, TopicGlance } from './taps.ts'
import type { Sink } from './types.ts'

export interface DownTrunkOptions {
  readonly taps: SlotTaps
  readonly flusher: Flusher
  readonly mark: (slot: number) => TrunkMark | undefined
  readonly bufferBytes: number
  readonly stallTimeoutMs: number
  readonly now: () => number
  /** The socket is gone. Called once. */
  readonly onOver: () => void
}

/** What the lower end gets of one slot. */
interface Share {
  /** By want: the way to stop its tap. */
  readonly taps: Map<string, () => void>
  below: readonly PeerId[]
  /** Last event sent: several wants may match the same. */
  sent: number
  /** The lower end was told that the order is broken, and of no cover since. */
  isInterrupted: boolean
  /** As last said. */
  told: TrunkMark | undefined
}

/**
 * The upper end of one trunk: what the peer below wants goes down it, each event once, all that waits in one write. When
 * its socket takes no more, events are left out and everything is covered anew afterwards: the lower end then reads what
 * it missed from the log.
 */
export class DownTrunk implements Flushable {
  readonly name: string
  readonly #options: DownTrunkOptions
  readonly #sink: Sink
  readonly #shares = new Map<number, Share>()
  #turn = 0
  #out: Buffer[] = []
  #outBytes = 0
  /** The last cover put out, while nothing followed it: the next may be said with it. */
  #cover: (TrunkFrame & { kind: 'covered' }) | undefined
  #congestedSinceMs: number | undefined
  #wants = 0
  #isOver = false

  constructor(name: string, sink: Sink, options: DownTrunkOptions) {
    this.name = name
    this.#sink = sink
    this.#options = options
    sink.on('drain', () => this.#drained())
    sink.on('close', () => this.#over())
    sink.on('error', () => this.#over())
  }

  slots(): number[] {
    return [...this.#shares.keys()]
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
      // The new tap first, so that what feeds this peer does not hear that the want went and came.
      this.#tap(slot, share, want)
    }
    for (const want of gone) this.#untap(share, want)
    if (share.taps.size === 0) this.#shares.delete(slot)
  }

  refuse(slot: number): void {
    this.#leave(slot)
    this.#put({ kind: 'refused', slot })
  }

  /** Says where this peer stands; without news it is a sign of life. */
  beat(): void {
    const { now, stallTimeoutMs } = this.#options
    if (this.#congestedSinceMs !== undefined) {
      if (now() - this.#congestedSinceMs >= stallTimeoutMs) this.#sink.destroy()
      return
    }
    const marks: TrunkMark[] = []
    for (const [slot, share] of this.#shares) {
      const mark = this.#options.mark(slot)
      if (!mark || share.isInterrupted || (mark.led && share.told && isSame(mark, share.told))) continue
      share.told = mark
      marks.push(mark)
    }
    this.#put({ kind: 'marks', marks })
  }

  flush(): boolean {
    if (!this.#isOver) this.#write()
    return true
  }

  #write(): void {
    this.#seal()
    if (this.#out.length === 0) return
    const bytes = this.#out.length === 1 ? this.#out[0]! : Buffer.concat(this.#out, this.#outBytes)
    this.#out = []
    this.#outBytes = 0
    const isTaken = this.#sink.write(bytes)
    if (!isTaken && this.#sink.writableLength >= this.#options.bufferBytes) {
      this.#congestedSinceMs = this.#options.now()
    }
  }

  end(): void {
    this.#write()
    this.#sink.end()
    this.#over()
  }

  #tap(slot: number, share: Share, want: string): void {
    const before = share.taps.get(want)
    if (!before) this.#wants += 1
    if (this.#wants > LIMITS.MAX_TRUNK_WANTS) {
      throw new HypercastError('OVERLOADED', `A trunk carries at most ${LIMITS.MAX_TRUNK_WANTS} wants.`)
    }
    const tap: SlotTap = {
      wants: [want],
      covered: (...cover) => this.#covered(slot, share, want, ...cover),
      events: (topic, events, index) => this.#events(slot, share, topic, events, index),
      ended: (topic, incarnation, latest, index) => {
        this.#put({ kind: 'ended', slot, topic, incarnation, latest, index })
      },
      passed() {},
      interrupted: () => this.#interrupted(slot, share),
    }
    share.taps.set(want, this.#options.taps.tap(slot, tap))
    before?.()
  }

  #untap(share: Share, want: string): void {
    const stop = share.taps.get(want)
    if (!stop) return
    share.taps.delete(want)
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
    given: SlotPosition,
    rows: ReadonlyMap<string, TopicGlance | null>,
    incarnation: number,
  ): void {
    if (this.#congestedSinceMs !== undefined) return
    share.isInterrupted = false
    // What was sent for other wants is not sent again, also where this peer has gone back behind it.
    share.sent = Math.max(share.sent, given.sequence)
    const position = { sequence: share.sent, index: given.index }
    const row = rows.get(want)
    const found = row ? [{ topic: want, ...row }] : []
    const last = this.#cover
    const joins =
      last?.slot === slot &&
      last.position.sequence === position.sequence &&
      last.position.index === position.index &&
      last.incarnation === incarnation
    if (!joins) this.#seal()
    const wants = joins ? [...last.wants, want] : [want]
    const allRows = joins ? [...last.rows, ...found] : found
    this.#cover = { kind: 'covered', slot, wants, position, incarnation, rows: allRows }
    this.#options.flusher.request(this)
  }

  #events(slot: number, share: Share, topic: string, events: readonly StoredEvent[], index: number): void {
    const fresh = events[0]!.sequence > share.sent ? events : events.filter(one => one.sequence > share.sent)
    if (fresh.length === 0 || this.#congestedSinceMs !== undefined) return
    share.sent = fresh.at(-1)!.sequence
    this.#put({ kind: 'events', slot, topic, index, events: fresh })
  }

  #interrupted(slot: number, share: Share): void {
    if (share.isInterrupted) return
    share.isInterrupted = true
    share.told = undefined
    this.#put({ kind: 'interrupted', slot })
  }

  #put(frame: TrunkFrame): void {
    if (this.#isOver || this.#congestedSinceMs !== undefined) return
    this.#seal()
    this.#push(encodeTrunkFrame(frame))
    this.#options.flusher.request(this)
    // What one turn brings may be more than a socket is to hold.
    if (this.#outBytes > this.#options.bufferBytes) this.#write()
  }

  /** Puts out the cover that was held back for others to join. */
  #seal(): void {
    const cover = this.#cover
    this.#cover = undefined
    if (cover) this.#push(encodeTrunkFrame(cover))
  }

  #push(bytes: Buffer): void {
    this.#out.push(bytes)
    this.#outBytes += bytes.length
  }

  #drained(): void {
    if (this.#congestedSinceMs === undefined || this.#isOver) return
    this.#congestedSinceMs = undefined
    for (const [slot, share] of [...this.#shares]) {
      // Also where that was to be said before and was left out.
      share.isInterrupted = false
      this.#interrupted(slot, share)
      for (const want of [...share.taps.keys()]) this.#tap(slot, share, want)
    }
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    const slots = this.slots()
    for (const slot of slots) this.#leave(slot)
    this.#options.onOver()
  }
}

function newShare(): Share {
  return { taps: new Map(), below: [], sent: 0, isInterrupted: false, told: undefined }
}

function isSame(one: TrunkMark, other: TrunkMark): boolean {
  const { position, depth, led } = one
  const told = other.position
  const isLevel = position.sequence === told.sequence && position.index === told.index
  return isLevel && depth === other.depth && led === other.led
}
