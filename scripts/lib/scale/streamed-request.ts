import type { Sink } from '../../../services/peer/streams/types.ts'
import type { Network } from './network.ts'
import type { SimulatedPeer } from './peer.ts'
import type { MessageKind } from './tally.ts'

/** What the side that asked is told; after `end` or `fail` nothing. */
export interface Listener {
  data(chunk: Buffer): void
  end(): void
  fail(error: Error): void
}

/** A request whose answer comes in pieces. */
export class StreamedRequest {
  readonly #listener: Listener
  readonly #release: () => void
  readonly #abort: () => void
  #isOver = false

  constructor(
    network: Network,
    kind: MessageKind,
    from: SimulatedPeer,
    to: string,
    serve: (target: SimulatedPeer, sink: Sink) => void,
    listener: Listener,
  ) {
    this.#listener = listener
    const { id, life } = from
    let sink: PieceSink | undefined
    const broken = () => life.run(() => this.#fail('ECONNRESET'))
    this.#release = network.hold({
      asker: id,
      asked: to,
      broken: () => {
        broken()
        sink?.closed()
      },
    })
    this.#abort = () => network.closing(id, to, () => sink?.closed())
    const arrive = (target: SimulatedPeer) => {
      const back = (work: () => void) => () => life.run(() => this.#isOver || work())
      sink = new PieceSink({
        write: chunk =>
          network.piece(
            kind,
            id,
            to,
            back(() => this.#listener.data(chunk)),
          ),
        end: () =>
          network.closing(
            to,
            id,
            back(() => this.#end()),
          ),
        destroy: () => network.closing(to, id, broken),
      })
      serve(target, sink)
    }
    network.send(kind, from, to, arrive, () => this.#fail('ECONNREFUSED'))
  }

  /** Nobody wants the rest. */
  abort(): void {
    if (this.#isOver) return
    this.#finish()
    this.#abort()
  }

  #end(): void {
    this.#finish()
    this.#listener.end()
  }

  #fail(code: string): void {
    if (this.#isOver) return
    this.#finish()
    this.#listener.fail(Object.assign(new Error(code), { code }))
  }

  #finish(): void {
    this.#isOver = true
    this.#release()
  }
}

/** The serving side's end: what is written leaves at once, and there is always room. */
class PieceSink implements Sink {
  destroyed = false
  readonly writableLength = 0
  readonly #wire: { write(chunk: Buffer): void; end(): void; destroy(): void }
  readonly #onClose: (() => void)[] = []

  constructor(wire: { write(chunk: Buffer): void; end(): void; destroy(): void }) {
    this.#wire = wire
  }

  write(chunk: Uint8Array | string): boolean {
    if (!this.destroyed) this.#wire.write(Buffer.from(chunk as Uint8Array))
    return true
  }

  end(): void {
    if (this.destroyed) return
    this.#wire.end()
    this.closed()
  }

  destroy(): void {
    if (this.destroyed) return
    this.#wire.destroy()
    this.closed()
  }

  on(event: 'drain' | 'close' | 'error', listener: () => void): void {
    if (event === 'close') this.#onClose.push(listener)
  }

  closed(): void {
    if (this.destroyed) return
    this.destroyed = true
    for (const listener of this.#onClose) queueMicrotask(listener)
  }
}
