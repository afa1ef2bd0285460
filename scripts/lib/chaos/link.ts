import { connect, createServer, type Server, type Socket } from 'node:net'
import { Pipe, type Shape } from './pipe.ts'

export type Direction = 'forward' | 'backward'

const HEALTHY: Shape = { held: false, delayMs: 0, bytesPerS: Number.POSITIVE_INFINITY }
const PROBE_EVERY_MS = 100

/**
 * The way on which one peer reaches another: a relay on loopback that can hold bytes back (a cut: TCP would send them
 * again, so they arrive when it ends), delay them, make them slow, or reset the connections.
 *
 * A dead process refuses connections, and peers take that for evidence. So the link refuses them, too, while its
 * target does: it stops listening as soon as it is refused, and listens again when the target accepts.
 */
export class Link {
  readonly #port: number
  #targetPort: number
  readonly #shapes: Record<Direction, Shape> = { forward: HEALTHY, backward: HEALTHY }
  readonly #pairs = new Set<{ readonly sockets: readonly Socket[]; readonly pipes: readonly Pipe[] }>()
  #server: Server | undefined
  #probe: NodeJS.Timeout | undefined
  #closed = false

  /** Listens on `port` of 127.0.0.1 from `open()` on. */
  constructor(port: number, targetPort: number) {
    this.#port = port
    this.#targetPort = targetPort
  }

  /** Connections that are relayed now. */
  get connections(): number {
    return this.#pairs.size
  }

  /** Resolves when it listens; rejects when the port is taken. */
  open(): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => this.#relay(socket))
    this.#server = server
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ port: this.#port, host: '127.0.0.1' }, resolve)
    })
  }

  /** How bytes of one direction travel from now on; what the caller does not name is healthy. */
  shape(direction: Direction, shape: Partial<Shape>): void {
    this.#shapes[direction] = { ...HEALTHY, ...shape }
    for (const { pipes } of this.#pairs) for (const pipe of pipes) pipe.reshape()
  }

  /** New connections lead to another port from now on. */
  retarget(port: number): void {
    this.#targetPort = port
  }

  /** Both directions healthy again; bytes that were held arrive. */
  heal(): void {
    this.shape('forward', HEALTHY)
    this.shape('backward', HEALTHY)
  }

  /** Every connection ends with a reset on both sides. */
  reset(): void {
    for (const { sockets } of this.#pairs) for (const socket of sockets) socket.resetAndDestroy()
  }

  /**
   * Takes no connections until the target does: it is gone, or about to be killed. Called by whoever kills it, since
   * the link itself would first take a connection before it learns, and what comes late is not the same evidence.
   */
  refuse(): void {
    if (!this.#server || this.#closed) return
    this.#server.close()
    this.#server = undefined
    this.#probeLater()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#probe)
    this.#server?.close()
    for (const { sockets } of this.#pairs) for (const socket of sockets) socket.destroy()
  }

  #relay(near: Socket): void {
    const far = connect({ port: this.#targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    far.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') this.refuse()
    })
    near.on('error', () => {})
    const pair = {
      sockets: [near, far],
      pipes: [
        new Pipe(near, far, () => this.#shapes.forward),
        new Pipe(far, near, () => this.#shapes.backward),
      ],
    }
    this.#pairs.add(pair)
    const forget = () => {
      if (near.destroyed && far.destroyed) this.#pairs.delete(pair)
    }
    near.once('close', forget)
    far.once('close', forget)
  }

  #probeLater(): void {
    this.#probe = setTimeout(() => {
      const probe = connect({ port: this.#targetPort, host: '127.0.0.1' })
      probe.once('error', () => !this.#closed && this.#probeLater())
      probe.once('connect', () => {
        probe.destroy()
        if (!this.#closed) this.open().catch(() => this.#probeLater())
      })
    }, PROBE_EVERY_MS)
  }
}
