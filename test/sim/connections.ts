import type { Sink } from '../../services/peer/streams/types.ts'
import type { Life } from './life.ts'
import type { Member } from './member.ts'
import type { Network } from './network.ts'
import type { World } from './world.ts'

/** First and longest wait until a lost packet is sent again, as TCP does. */
const RETRANSMIT_MIN_MS = 200
const RETRANSMIT_MAX_MS = 1_600
/** Bytes that wait in a response's socket from which on it asks its writer to stop. */
const HIGH_WATER_BYTES = 1_500

/** What the side that asked is told. `end` or `fail` comes last, once, and nothing after it was given up. */
export interface ReplyListener {
  head(status: number): void
  data(chunk: Buffer): void
  end(): void
  /** `refused`: it never reached a process. `reset`: it broke off. */
  fail(kind: 'refused' | 'reset'): void
}

/** The asking side's hold on a request under way. */
export interface Asked {
  /** Gives it up; the listener hears no more. */
  abort(): void
  /** Stops reading: what comes waits in the other side's socket. */
  pause(): void
  resume(): void
}

export interface ConnectionsOptions {
  readonly world: World
  readonly network: Network
  readonly members: ReadonlyMap<string, Member>
}

/** Who asks whom; `life` is undefined for a client outside, which never dies. */
export interface Route {
  readonly from: string
  readonly life: Life | undefined
  readonly to: string
}

export type Serve = (target: Member, response: Response) => void

/**
 * HTTP requests whose answers are streams, over the simulated network: bytes arrive in order or not at all, wait while
 * nobody reads them or the link is cut, and the connection breaks when the process at one of its ends dies.
 */
export class Connections {
  readonly #options: ConnectionsOptions
  readonly #open = new Set<Exchange>()

  constructor(options: ConnectionsOptions) {
    this.#options = options
  }

  /** Sends a request; `serve` runs at the other side and answers on what it is given. */
  ask(route: Route, serve: Serve, listener: ReplyListener): Asked {
    const exchange = new Exchange(this.#options, route, serve, listener, done => this.#open.delete(done))
    this.#open.add(exchange)
    exchange.start()
    return exchange
  }

  /** A process ended: the other ends of its connections notice. */
  died(life: Life): void {
    for (const exchange of this.#open) exchange.died(life)
  }
}

/** A piece of an answer on its way. */
interface Flight {
  readonly status: number | undefined
  readonly bytes: Buffer
  readonly isEnd: boolean
}

class Exchange implements Asked {
  readonly #options: ConnectionsOptions
  readonly #route: Route
  readonly #serve: Serve
  readonly #listener: ReplyListener
  readonly #onOver: (exchange: Exchange) => void
  #response: Response | undefined
  #isGivenUp = false
  #isPaused = false
  /** Arrived while nobody read. */
  #held: (() => void) | undefined

  constructor(
    options: ConnectionsOptions,
    route: Route,
    serve: Serve,
    listener: ReplyListener,
    onOver: (exchange: Exchange) => void,
  ) {
    this.#options = options
    this.#route = route
    this.#serve = serve
    this.#listener = listener
    this.#onOver = onOver
  }

  start(): void {
    const { from, to, life } = this.#route
    const isWanted = () => !this.#isGivenUp && !life?.isDead
    this.#send(from, to, isWanted, () => {
      const target = this.#options.members.get(to)
      if (!target?.isUp) {
        this.#back(() => this.#fail('refused'))
        return
      }
      const served = target.life
      this.#response = new Response(served, this.#options.world, {
        write: flight => this.#deliver(flight),
        destroyed: () => this.#back(() => this.#fail('reset')),
      })
      const response = this.#response
      served.run(() => {
        if (target.life === served && target.isUp) this.#serve(target, response)
      })
    })
  }

  abort(): void {
    if (this.#isGivenUp) return
    this.#over()
    const { from, to } = this.#route
    this.#send(
      from,
      to,
      () => true,
      () => this.#response?.closed(),
    )
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    const held = this.#held
    this.#held = undefined
    held?.()
  }

  died(life: Life): void {
    if (this.#route.life === life) this.abort()
    else if (this.#response?.life === life) this.#back(() => this.#fail('reset'))
  }

  /** One piece of the answer; the response goes on when it was read. */
  #deliver(flight: Flight): void {
    const read = () => {
      if (this.#isGivenUp) return
      if (this.#isPaused) {
        this.#held = read
        return
      }
      this.#run(() => {
        if (this.#isGivenUp) return
        if (flight.status !== undefined) this.#listener.head(flight.status)
        if (flight.bytes.length > 0 && !this.#isGivenUp) this.#listener.data(flight.bytes)
        if (flight.isEnd && !this.#isGivenUp) {
          this.#over()
          this.#listener.end()
        }
        this.#response?.taken()
      })
    }
    this.#back(read)
  }

  #fail(kind: 'refused' | 'reset'): void {
    if (this.#isGivenUp) return
    this.#over()
    this.#run(() => this.#listener.fail(kind))
  }

  #run(work: () => void): void {
    const { life } = this.#route
    if (life) life.run(work)
    else work()
  }

  #over(): void {
    this.#isGivenUp = true
    this.#held = undefined
    this.#onOver(this)
  }

  #back(arrive: () => void): void {
    const { from, to } = this.#route
    this.#send(to, from, () => !this.#isGivenUp, arrive)
  }

  /** Until it arrives, or `isWanted` no more. */
  #send(from: string, to: string, isWanted: () => boolean, arrive: () => void): void {
    const { world, network } = this.#options
    let waitMs = RETRANSMIT_MIN_MS
    const lost = () => {
      world.after(waitMs, () => {
        if (isWanted()) network.packet(from, to, arrive, lost)
      })
      waitMs = Math.min(RETRANSMIT_MAX_MS, 2 * waitMs)
    }
    network.packet(from, to, arrive, lost)
  }
}

/** The serving side's end of a request, with the part of `http.ServerResponse` that is used. */
export class Response implements Sink {
  readonly life: Life
  destroyed = false
  readonly #world: World
  readonly #socket: { write(flight: Flight): void; destroyed(): void }
  readonly #listeners = new Map<string, (() => void)[]>()
  #status: number | undefined
  #isHeadSent = false
  #waiting: Buffer[] = []
  #flying = 0
  #isUnderWay = false
  #isEnded = false
  #isEndSent = false
  #needsDrain = false

  constructor(life: Life, world: World, socket: { write(flight: Flight): void; destroyed(): void }) {
    this.life = life
    this.#world = world
    this.#socket = socket
  }

  get writableLength(): number {
    return this.#waiting.reduce((sum, { length }) => sum + length, this.#flying)
  }

  /** The status; 200 when nothing is said before the first byte. */
  head(status: number): void {
    this.#status ??= status
    this.#pump()
  }

  write(chunk: Uint8Array | string): boolean {
    if (this.#isOver || this.#isEnded) return false
    this.#status ??= 200
    this.#waiting.push(Buffer.from(chunk as Uint8Array))
    this.#needsDrain ||= this.writableLength >= HIGH_WATER_BYTES
    this.#pump()
    return !this.#needsDrain
  }

  end(): void {
    if (this.#isOver || this.#isEnded) return
    this.#status ??= 200
    this.#isEnded = true
    this.#pump()
  }

  /** Ends the whole answer with a status and no body. */
  finish(status: number): void {
    this.head(status)
    this.end()
  }

  destroy(): void {
    if (this.#isOver) return
    this.closed()
    this.#socket.destroyed()
  }

  on(event: 'drain' | 'close' | 'error', listener: () => void): void {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener])
  }

  /** The connection is gone. */
  closed(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.#waiting = []
    this.#emit('close')
  }

  /** The other side has read the piece under way. */
  taken(): void {
    if (this.#isOver) return
    this.#isUnderWay = false
    this.#flying = 0
    if (this.#isEndSent) {
      this.closed()
      return
    }
    if (this.#waiting.length > 0 || this.#isEnded) this.#pump()
    else if (this.#needsDrain) {
      this.#needsDrain = false
      this.#emit('drain')
    }
  }

  get #isOver(): boolean {
    return this.destroyed || this.life.isDead
  }

  #pump(): void {
    if (this.#isUnderWay || this.#isOver) return
    const bytes = Buffer.concat(this.#waiting)
    this.#waiting = []
    this.#flying = bytes.length
    this.#isUnderWay = true
    this.#isEndSent = this.#isEnded
    const status = this.#isHeadSent ? undefined : this.#status
    this.#isHeadSent = true
    this.#socket.write({ status, bytes, isEnd: this.#isEnded })
  }

  /** As an event of its own, as the sockets' events are. */
  #emit(event: string): void {
    this.#world.after(0, () =>
      this.life.run(() => {
        for (const listener of this.#listeners.get(event) ?? []) listener()
      }),
    )
  }
}
