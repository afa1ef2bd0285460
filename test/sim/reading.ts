import { type SseFrame, SseParser } from '../../clients/typescript/src/sse.ts'
import type { Cluster } from './cluster.ts'
import type { Asked, Serve } from './connections.ts'
import type { Chance } from './world.ts'

/** A stream that says nothing for so long, no heartbeat either, is left. */
const SILENCE_MS = 4_000
/** A subscriber that reads nothing gives up when nobody closes its stream. */
const STALL_MS = 8_000

/** How a subscriber reads: at once, with pauses, or not at all any more after a while. */
export type Manner = 'quick' | 'slow' | 'stalls'

export function drawManner(chance: Chance): Manner {
  const dice = chance.next()
  return dice < 0.6 ? 'quick' : dice < 0.9 ? 'slow' : 'stalls'
}

export interface ReadingOptions {
  readonly cluster: Cluster
  readonly chance: Chance
  readonly peer: string
  /** Answers at the peer. */
  readonly serve: Serve
  readonly manner: Manner
  readonly leaveAfterMs: number | undefined
  /** Takes frames in; why the stream is over for good, when it is. */
  take(frames: readonly SseFrame[]): string | undefined
  /** The stream is over; `end` says why when that is for good. */
  over(end: string | undefined, pauseMs: number): void
}

/** One stream as it is read. */
export class Reading {
  isOver = false
  readonly #options: ReadingOptions
  readonly #parser = new SseParser()
  readonly #asked: Asked
  readonly #cancels: (() => void)[] = []
  #cancelSilence = () => {}

  constructor(options: ReadingOptions) {
    this.#options = options
    const { cluster, peer, serve, leaveAfterMs } = options
    this.#watch(SILENCE_MS)
    if (leaveAfterMs !== undefined) this.#after(leaveAfterMs, () => this.leave())
    this.#asked = cluster.connections.ask({ from: 'client', life: undefined, to: peer }, serve, {
      head: status => {
        if (status !== 200) this.#end(String(status))
      },
      data: chunk => this.#data(chunk),
      end: () => this.#over(undefined, 0, 500),
      fail: () => this.#over(undefined, 10, 500),
    })
  }

  /** Goes, and stays away for a moment or a while. */
  leave(): void {
    if (this.isOver) return
    this.#asked.abort()
    if (this.#options.chance.yes(0.3)) this.#over(undefined, 500, 3_000)
    else this.#over(undefined, 0, 300)
  }

  #data(chunk: Buffer): void {
    this.#watch(SILENCE_MS)
    const end = this.#options.take(this.#parser.push(chunk))
    if (end !== undefined) {
      this.#end(end)
      return
    }
    const { manner, chance } = this.#options
    if (manner === 'slow' && chance.yes(0.4)) {
      this.#asked.pause()
      this.#after(chance.between(20, 1_200), () => this.#asked.resume())
    } else if (manner === 'stalls' && chance.yes(0.1)) {
      this.#asked.pause()
      this.#watch(STALL_MS)
    }
  }

  #end(why: string): void {
    this.#asked.abort()
    this.#over(why, 50, 600)
  }

  #over(end: string | undefined, lowMs: number, highMs: number): void {
    if (this.isOver) return
    this.isOver = true
    this.#cancelSilence()
    for (const cancel of this.#cancels) cancel()
    this.#options.over(end, this.#options.chance.between(lowMs, highMs))
  }

  #after(delayMs: number, run: () => void): void {
    this.#cancels.push(this.#options.cluster.world.after(delayMs, run))
  }

  #watch(limitMs: number): void {
    this.#cancelSilence()
    this.#cancelSilence = this.#options.cluster.world.after(limitMs, () => this.leave())
  }
}
