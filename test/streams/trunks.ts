import { PassThrough } from 'node:stream'
import type { PeerId } from '../../services/peer/cube/labels.ts'
import type { TrunkLinks } from '../../services/peer/links/trunk.ts'
import { decodeWants, encodeWants, type WantsUpdate } from '../../services/peer/links/trunk-wants.ts'
import { type TrunkFrame, TrunkParser } from '../../services/peer/links/trunk-wire.ts'
import type { TopicStreams } from '../../services/peer/streams/hub.ts'

/** A frame that came down the trunk from `upper` to `lower`. */
export interface Carried {
  readonly upper: PeerId
  readonly lower: PeerId
  readonly frame: TrunkFrame
}

interface Pipe {
  readonly upper: PeerId
  readonly lower: PeerId
  readonly abort: AbortController
}

/** The trunks between hubs, with bytes as on the wire: they break, are congested and do not come about as a test says. */
export class FakeTrunks {
  /** The upper ends so far. */
  readonly opened: PeerId[] = []
  readonly down = new Set<PeerId>()
  /** Edges by `lower>upper` that do not come about. */
  readonly broken = new Set<string>()
  /** Lower ends that do not read. */
  readonly stuck = new Set<PeerId>()
  /** All frames that came down, if a test counts them. */
  carried: Carried[] | undefined
  readonly #hubs: ReadonlyMap<PeerId, TopicStreams>
  readonly #pipes = new Set<Pipe>()
  readonly #highWaterMark: number
  #onUnstuck: (() => void)[] = []

  constructor(hubs: ReadonlyMap<PeerId, TopicStreams>, bufferBytes = 65_536) {
    this.#hubs = hubs
    this.#highWaterMark = bufferBytes
  }

  /** Open ones. */
  get size(): number {
    return this.#pipes.size
  }

  /** What joins `self` to others. */
  of(self: PeerId): TrunkLinks {
    return {
      open: (peer, name, signal) => this.#open(self, peer, name, signal),
      say: (peer, update) => this.#say(self, peer, update),
    }
  }

  /** Breaks every trunk, or those that begin or end at `peer`. */
  cut(peer?: PeerId): void {
    for (const { upper, lower, abort } of this.#pipes) {
      if (peer === undefined || upper === peer || lower === peer) abort.abort()
    }
  }

  unstick(): void {
    this.stuck.clear()
    for (const go of this.#onUnstuck.splice(0)) go()
  }

  #reach(self: PeerId, peer: PeerId): TopicStreams {
    if (this.down.has(peer) || this.down.has(self)) throw new Error(`${peer} is down`)
    if (this.broken.has(`${self}>${peer}`)) throw new Error(`no way from ${self} to ${peer}`)
    return this.#hubs.get(peer)!
  }

  async #say(self: PeerId, peer: PeerId, update: WantsUpdate): Promise<void> {
    this.#reach(self, peer).wants(self, decodeWants(encodeWants(update)))
  }

  async *#open(lower: PeerId, upper: PeerId, name: string, signal: AbortSignal) {
    const hub = this.#reach(lower, upper)
    this.opened.push(upper)
    const pipe: Pipe = { upper, lower, abort: new AbortController() }
    const through = new PassThrough({ writableHighWaterMark: this.#highWaterMark, readableHighWaterMark: 1 })
    const stop = () => through.destroy(new Error('the trunk is cut'))
    this.#pipes.add(pipe)
    signal.addEventListener('abort', stop)
    pipe.abort.signal.addEventListener('abort', stop)
    through.on('error', () => undefined)
    try {
      hub.openTrunk(lower, name, through)
      const parser = new TrunkParser()
      for await (const chunk of through) {
        while (this.stuck.has(lower) && !through.destroyed) {
          await new Promise<void>(resolve => {
            this.#onUnstuck.push(resolve)
            through.once('close', resolve)
          })
        }
        const frames = parser.push(chunk)
        this.carried?.push(...frames.map(frame => ({ upper, lower, frame })))
        yield frames
      }
    } finally {
      signal.removeEventListener('abort', stop)
      this.#pipes.delete(pipe)
      through.destroy()
    }
  }
}
