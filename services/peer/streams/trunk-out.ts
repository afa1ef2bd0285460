import { LIMITS } from '../limits.ts'
import { encodeTrunkFrame, type TrunkFrame } from '../links/trunk-wire.ts'
import type { Flushable, Flusher } from './flusher.ts'
import type { Sink } from './types.ts'
import { Unsent } from './unsent.ts'

type Cover = TrunkFrame & { readonly kind: 'covered' }

export interface TrunkOutOptions {
  readonly sink: Sink
  readonly flusher: Flusher
  /** Bytes waiting in the socket from which on it counts as congested. */
  readonly bufferBytes: number
  /** A socket that takes nothing for this long is destroyed. */
  readonly stallTimeoutMs: number
  /** Monotonic. */
  readonly now: () => number
  /** Frames may have been left out; now there is room again. */
  readonly onRoom: () => void
  /** The socket is gone. Called once. */
  readonly onOver: () => void
}

/**
 * The way out of a trunk: all frames that wait leave in one write, covers of the same place as one frame. While the
 * socket is congested frames are left out, except refusals: nothing else would tell the lower end of those.
 */
export class TrunkOut implements Flushable {
  readonly #options: TrunkOutOptions
  readonly #unsent: Unsent
  #bytes: Buffer[] = []
  #sizeBytes = 0
  /** The last cover put out, while nothing followed it: the next may be said with it. */
  #cover: { frame: Cover; wants: string[]; rows: Cover['rows'][number][] } | undefined
  #refusals: TrunkFrame[] = []
  #isCongested = false
  #isOver = false

  constructor(options: TrunkOutOptions) {
    const { sink, now } = options
    this.#options = options
    this.#unsent = new Unsent(sink, now)
    sink.on('drain', () => this.#drained())
    sink.on('close', () => this.#over())
    sink.on('error', () => this.#over())
  }

  get congested(): boolean {
    return this.#isCongested
  }

  put(frame: TrunkFrame): void {
    if (this.#isOver) return
    if (this.#isCongested) {
      if (frame.kind === 'refused') this.#refusals.push(frame)
      return
    }
    if (frame.kind === 'covered') this.#join(frame)
    else {
      this.#seal()
      this.#push(frame)
    }
    this.#options.flusher.request(this)
    // What one turn brings may be more than a socket is to hold.
    if (this.#sizeBytes > this.#options.bufferBytes) this.#write()
  }

  flush(): boolean {
    this.#write()
    return true
  }

  #write(): void {
    if (this.#isOver) return
    this.#seal()
    if (this.#bytes.length === 0) return
    const { sink, bufferBytes } = this.#options
    const bytes = this.#bytes.length === 1 ? this.#bytes[0]! : Buffer.concat(this.#bytes, this.#sizeBytes)
    this.#bytes = []
    this.#sizeBytes = 0
    this.#unsent.wrote(bytes.length)
    const isTaken = sink.write(bytes)
    this.#isCongested = !isTaken && sink.writableLength >= bufferBytes
  }

  /** To be called now and then. */
  beat(): void {
    if (this.#unsent.stalled(this.#options.stallTimeoutMs)) this.#options.sink.destroy()
  }

  end(): void {
    this.#write()
    this.#options.sink.end()
    this.#over()
  }

  #join(frame: Cover): void {
    const last = this.#cover
    if (last && last.wants.length < LIMITS.MAX_COVER_WANTS && isSamePlace(last.frame, frame)) {
      last.wants.push(...frame.wants)
      last.rows.push(...frame.rows)
      return
    }
    this.#seal()
    this.#cover = { frame, wants: [...frame.wants], rows: [...frame.rows] }
  }

  /** Puts out the cover that was held back for others to join. */
  #seal(): void {
    const cover = this.#cover
    this.#cover = undefined
    if (cover) this.#push({ ...cover.frame, wants: cover.wants, rows: cover.rows })
  }

  #push(frame: TrunkFrame): void {
    const bytes = encodeTrunkFrame(frame)
    this.#bytes.push(bytes)
    this.#sizeBytes += bytes.length
  }

  #drained(): void {
    this.#unsent.drained()
    if (!this.#isCongested || this.#isOver) return
    this.#isCongested = false
    for (const frame of this.#refusals.splice(0)) this.put(frame)
    this.#options.onRoom()
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#options.onOver()
  }
}

function isSamePlace(one: Cover, other: Cover): boolean {
  return (
    one.slot === other.slot &&
    one.turn === other.turn &&
    one.position.sequence === other.position.sequence &&
    one.position.index === other.position.index &&
    one.incarnation === other.incarnation
  )
}
