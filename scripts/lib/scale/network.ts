import type { World } from '../../../test/sim/world.ts'
import type { Life } from './life.ts'
import type { SimulatedPeer } from './peer.ts'
import type { MessageKind, Tally } from './tally.ts'

/** Time that every message takes: as all take the same, they arrive in the order in which they were sent. */
export const LATENCY_MS = 0.5

export class NoAnswerError extends Error {
  readonly kind: 'refused' | 'reset' | 'timeout'
  constructor(kind: 'refused' | 'reset' | 'timeout') {
    super(kind)
    this.kind = kind
  }
}

/** The network between the peers: it loses nothing, keeps the order, and counts. */
export class Network {
  readonly world: World
  readonly tally: Tally
  readonly #peers: ReadonlyMap<string, SimulatedPeer>
  /** Requests whose answer is not complete. */
  readonly #open = new Set<Request>()
  /** Peers that nothing comes from and nothing comes to. */
  readonly #cutOff = new Set<string>()

  constructor(world: World, tally: Tally, peers: ReadonlyMap<string, SimulatedPeer>) {
    this.world = world
    this.tally = tally
    this.#peers = peers
  }

  /** One way, without an answer; `refused` is called when no process is there. */
  send(kind: MessageKind, from: SimulatedPeer, to: string, arrive: Arrive, refused: () => void): void {
    const { life } = from
    if (life.isDead) return
    this.tally.message(kind, from.id, to)
    this.#travel(from.id, to, () => this.#enter(to, arrive, () => this.#back(to, from.id, life, refused)))
  }

  /** A request with one answer. Rejects with NoAnswerError, or with what `serve` throws. */
  ask<T>(
    kind: MessageKind,
    from: SimulatedPeer,
    to: string,
    timeoutMs: number,
    serve: (target: SimulatedPeer) => T,
  ): Promise<T> {
    const { id, life } = from
    return new Promise((resolve, reject) => {
      const settle = (work: () => void) => {
        if (!this.#open.delete(request)) return
        cancel()
        life.run(work)
      }
      const fail = (error: unknown) => settle(() => reject(error))
      const request: Request = { asker: id, asked: to, broken: () => fail(new NoAnswerError('reset')) }
      const cancel = this.world.after(timeoutMs, () => fail(new NoAnswerError('timeout')))
      this.#open.add(request)
      const answer = (target: SimulatedPeer) => {
        let work: () => void
        try {
          const value = serve(target)
          work = () => resolve(value)
        } catch (error) {
          work = () => reject(error)
        }
        this.tally.message(kind, id, to)
        this.#travel(to, id, () => settle(work))
      }
      this.send(kind, from, to, answer, () => fail(new NoAnswerError('refused')))
    })
  }

  /** A piece of an answer that is a stream, on its way back. */
  piece(kind: MessageKind, asker: string, asked: string, arrive: () => void): void {
    this.tally.message(kind, asker, asked)
    this.#travel(asked, asker, arrive)
  }

  /** What is not counted: the end of a connection. */
  closing(from: string, to: string, arrive: () => void): void {
    this.#travel(from, to, arrive)
  }

  /** Told when the process at either end dies. */
  hold(request: Request): () => void {
    this.#open.add(request)
    return () => this.#open.delete(request)
  }

  /** A process ended: what it asked and what it was asked breaks off, and those it was connected with notice. */
  died(id: string, connected: readonly string[]): void {
    for (const request of this.#open) {
      if (request.asker === id) this.#open.delete(request)
      if (request.asker === id || request.asked === id) this.world.after(LATENCY_MS, request.broken)
    }
    for (const other of connected) {
      this.#travel(id, other, () =>
        this.#enter(
          other,
          peer => peer.engine.connectionClosed(id),
          () => {},
        ),
      )
    }
  }

  /** Nothing comes from this peer or to it any more, and nobody is told. */
  cutOff(id: string): void {
    this.#cutOff.add(id)
  }

  mend(id: string): void {
    this.#cutOff.delete(id)
  }

  #back(from: string, to: string, life: Life, work: () => void): void {
    this.#travel(from, to, () => life.run(work))
  }

  #travel(from: string, to: string, arrive: () => void): void {
    if (this.#cutOff.has(from) || this.#cutOff.has(to)) return
    this.world.after(LATENCY_MS, arrive)
  }

  #enter(id: string, arrive: Arrive, refused: () => void): void {
    const peer = this.#peers.get(id)
    if (!peer?.isUp) refused()
    else peer.life.run(() => arrive(peer))
  }
}

type Arrive = (target: SimulatedPeer) => void

interface Request {
  readonly asker: string
  readonly asked: string
  /** One of the two processes is gone. */
  readonly broken: () => void
}
