import { ERRORS } from '../../services/peer/errors.ts'
import { asHypercastError } from '../../services/peer/http/problems.ts'
import type { exchange } from '../../services/peer/links/exchange.ts'
import { decodeWants, parseTrunkQuery, WANTS_PATH } from '../../services/peer/links/trunk-wants.ts'
import type { Asked, Connections, ReplyListener, Response } from './connections.ts'
import type { Ingress } from './ingress.ts'
import type { Member } from './member.ts'
import { admits, hostOf } from './network.ts'

type Dispatcher = Parameters<typeof exchange>[0]
type DispatchHandler = Parameters<Dispatcher['dispatch']>[1]
type DispatchController = Parameters<NonNullable<DispatchHandler['onRequestStart']>>[0]
type RequestOptions = Parameters<Dispatcher['request']>[0]

export interface PeerConnectionOptions {
  /** Who asks. */
  readonly member: Member
  readonly connections: Connections
  readonly of: (member: Member) => Ingress | undefined
}

/** Stands for undici's connections for operations and other short requests to `peer`, over the simulated network. */
export function operationsConnection(options: PeerConnectionOptions, peer: string): Dispatcher {
  const { member, connections, of } = options
  const { id, life } = member
  const connection: Pick<Dispatcher, 'dispatch'> = {
    dispatch({ path, body }, handler) {
      const controller = { abort: () => asked?.abort() } as unknown as DispatchController
      handler.onRequestStart?.(controller, {})
      const serve = (target: Member, response: Response) => {
        if (!admits(target, member)) {
          response.finish(ERRORS.STRANGER.status)
          return
        }
        if (path === WANTS_PATH) {
          takeWants(of(target)!, id, body as Buffer, response)
          return
        }
        const answers = of(target)!.handlers.operations(id, 'application/vnd.msgpack', body as Buffer)
        void pipe(answers, response)
      }
      const listener: ReplyListener = {
        head: status => handler.onResponseStart?.(controller, status, {}, ''),
        data: chunk => handler.onResponseData?.(controller, chunk),
        end: () => handler.onResponseEnd?.(controller, {}),
        fail: kind => handler.onResponseError?.(controller, socketError(kind)),
      }
      const to = hostOf(member, peer)
      const asked: Asked | undefined =
        to === undefined ? undefined : connections.ask({ from: member.host, life, to }, serve, listener)
      if (!asked) queueMicrotask(() => life.run(() => listener.fail('refused')))
      return true
    },
  }
  return connection as Dispatcher
}

/** `POST /v1/relay/wants`, as http/routes/relay.ts answers it. */
function takeWants(ingress: Ingress, from: string, body: Buffer, response: Response): void {
  try {
    ingress.streams.wants(from, decodeWants(body))
    response.end()
  } catch (error) {
    response.finish(ERRORS[asHypercastError(error).code].status)
  }
}

/** What `Readable.from(answers)` does when it is sent: a reader that goes away ends the iteration. */
async function pipe(answers: AsyncIterable<Buffer>, response: Response): Promise<void> {
  const iterator = answers[Symbol.asyncIterator]()
  let drained = () => {}
  response.on('drain', () => drained())
  response.on('close', () => {
    void iterator.return?.()
    drained()
  })
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    if (response.write(next.value) || response.destroyed) continue
    await new Promise<void>(resolve => {
      drained = resolve
    })
  }
  response.end()
}

/** Stands for undici's connections for streams from `peer`: `request` with its timeouts and its body. */
export function streamConnection(options: PeerConnectionOptions, peer: string): Dispatcher {
  const connection: Pick<Dispatcher, 'request'> = {
    request: (async (request: RequestOptions) => {
      const reply = new StreamedReply(options, peer, request)
      const statusCode = await reply.status
      return { statusCode, body: reply }
    }) as unknown as Dispatcher['request'],
  }
  return connection as Dispatcher
}

/** An answer that is read as it comes. Between two parts of it no more than the timeouts may pass. */
class StreamedReply implements AsyncIterable<Buffer>, AsyncIterator<Buffer> {
  readonly status: Promise<number>
  readonly #member: Member
  #asked: Asked | undefined
  readonly #bodyTimeoutMs: number
  #chunks: Buffer[] = []
  #over: Error | 'end' | undefined
  #cancel = () => {}
  #wake = () => {}
  #settle!: { resolve(status: number): void; reject(error: Error): void }

  constructor(options: PeerConnectionOptions, peer: string, request: RequestOptions) {
    const { member, connections, of } = options
    this.#member = member
    this.#bodyTimeoutMs = request.bodyTimeout!
    this.status = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    const query = Object.fromEntries(new URL(request.path, 'http://peer.invalid').searchParams)
    const serve = (target: Member, response: Response) => {
      if (!admits(target, member)) {
        response.finish(ERRORS.STRANGER.status)
        return
      }
      try {
        of(target)!.streams.openTrunk(member.id, parseTrunkQuery(query), response)
      } catch {
        response.finish(503)
      }
    }
    const listener: ReplyListener = {
      head: status => {
        this.#watch(this.#bodyTimeoutMs)
        this.#settle.resolve(status)
      },
      data: chunk => {
        this.#watch(this.#bodyTimeoutMs)
        this.#chunks.push(chunk)
        this.#wake()
      },
      end: () => this.#finish('end'),
      fail: kind => this.#finish(socketError(kind)),
    }
    const to = hostOf(member, peer)
    if (to !== undefined) {
      this.#asked = connections.ask({ from: member.host, life: member.life, to }, serve, listener)
    }
    this.#watch(request.headersTimeout!)
    if (to === undefined) this.#finish(socketError('refused'))
    const signal = request.signal as AbortSignal
    const aborted = () => this.#giveUp(new Error('aborted'))
    if (signal.aborted) aborted()
    else signal.addEventListener('abort', aborted, { once: true })
  }

  async next(): Promise<IteratorResult<Buffer>> {
    while (this.#chunks.length === 0) {
      if (this.#over === 'end') return { done: true, value: undefined }
      if (this.#over) throw this.#over
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    return { done: false, value: this.#chunks.shift()! }
  }

  /** Whoever stops reading ends the connection. */
  async return(): Promise<IteratorResult<Buffer>> {
    this.#giveUp(new Error('nobody reads it'))
    return { done: true, value: undefined }
  }

  /** Reads the rest away. */
  async dump(): Promise<void> {
    this.#giveUp(new Error('nobody reads it'))
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #watch(timeoutMs: number): void {
    this.#cancel()
    this.#cancel = this.#member.life.clock.after(timeoutMs, () => this.#giveUp(new Error('silence')))
  }

  #giveUp(error: Error): void {
    if (this.#over) return
    this.#asked?.abort()
    this.#chunks = []
    this.#finish(error)
  }

  #finish(how: Error | 'end'): void {
    if (this.#over) return
    this.#over = how
    this.#cancel()
    this.#settle.reject(how === 'end' ? new Error('no answer') : how)
    this.#wake()
  }
}

function socketError(kind: 'refused' | 'reset'): Error {
  return Object.assign(new Error(kind), { code: kind === 'refused' ? 'ECONNREFUSED' : 'ECONNRESET' })
}
