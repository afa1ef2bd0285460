import { operationsBody } from '../../../services/peer/engine/wire.ts'
import type { exchange } from '../../../services/peer/links/exchange.ts'
import { decodeWants, parseTrunkQuery, WANTS_PATH } from '../../../services/peer/links/trunk-wants.ts'
import { TrunkParser } from '../../../services/peer/links/trunk-wire.ts'
import type { Sink } from '../../../services/peer/streams/types.ts'
import type { Network } from './network.ts'
import type { SimulatedPeer } from './peer.ts'
import { StreamedRequest } from './streamed-request.ts'

type Dispatcher = Parameters<typeof exchange>[0]
type DispatchHandler = Parameters<Dispatcher['dispatch']>[1]
type DispatchController = Parameters<NonNullable<DispatchHandler['onRequestStart']>>[0]
type RequestOptions = Parameters<Dispatcher['request']>[0]

/** Stands for undici's connections of forwarded operations to `peer`. */
export function operationsWire(network: Network, from: SimulatedPeer, peer: string): Dispatcher {
  const wire: Pick<Dispatcher, 'dispatch'> = {
    dispatch({ path, body }, handler) {
      const controller = { abort: () => request.abort() } as unknown as DispatchController
      handler.onRequestStart?.(controller, {})
      const isWants = path === WANTS_PATH
      if (!isWants) network.tally.hops += operationsBody.decode(body as Buffer).length
      const serve = (target: SimulatedPeer, sink: Sink) => {
        if (isWants) {
          takeWants(target, from.id, body as Buffer, sink)
          return
        }
        const answers = target.handlers.operations(from.id, 'application/vnd.msgpack', body as Buffer)
        void pipe(answers, sink)
      }
      const request = new StreamedRequest(network, isWants ? 'follow' : 'operation', from, peer, serve, {
        data(chunk) {
          handler.onResponseStart?.(controller, 200, {}, '')
          handler.onResponseData?.(controller, chunk)
        },
        end: () => {
          // Also of an answer without a body.
          handler.onResponseStart?.(controller, 200, {}, '')
          handler.onResponseEnd?.(controller, {})
        },
        fail: error => handler.onResponseError?.(controller, error),
      })
      return true
    },
  }
  return wire as Dispatcher
}

async function pipe(answers: AsyncIterable<Buffer>, sink: Sink): Promise<void> {
  for await (const chunk of answers) {
    if (sink.destroyed) return
    sink.write(chunk)
  }
  sink.end()
}

/** Stands for undici's connections for streams from `peer`. */
export function streamWire(network: Network, from: SimulatedPeer, peer: string): Dispatcher {
  const wire: Pick<Dispatcher, 'request'> = {
    request: (async (options: RequestOptions) => {
      const body = new StreamedBody(network, from, peer, options)
      return { statusCode: await body.status, body }
    }) as unknown as Dispatcher['request'],
  }
  return wire as Dispatcher
}

/** An answer that is read as it comes. Between two pieces of it no more than the timeout may pass. */
class StreamedBody implements AsyncIterable<Buffer>, AsyncIterator<Buffer> {
  readonly status: Promise<number>
  readonly #peer: SimulatedPeer
  readonly #request: StreamedRequest
  readonly #silenceMs: number
  readonly #chunks: Buffer[] = []
  #over: Error | 'end' | undefined
  #answered: (status: number) => void = () => {}
  #failed: (error: Error) => void = () => {}
  #cancel = () => {}
  #wake = () => {}

  constructor(network: Network, from: SimulatedPeer, peer: string, options: RequestOptions) {
    this.#peer = from
    this.#silenceMs = options.bodyTimeout!
    this.status = new Promise((resolve, reject) => {
      this.#answered = resolve
      this.#failed = reject
    })
    const query = Object.fromEntries(new URL(options.path, 'http://peer.invalid').searchParams)
    const counted = new TrunkParser()
    this.#watch()
    this.#request = new StreamedRequest(
      network,
      'follow',
      from,
      peer,
      (target, sink) => openTrunk(target, from.id, query, sink),
      {
        data: chunk => {
          for (const frame of counted.push(chunk)) {
            if (frame.kind === 'events') network.tally.followedEvents += frame.events.length
          }
          this.#watch()
          this.#answered(200)
          this.#chunks.push(chunk)
          this.#wake()
        },
        end: () => this.#finish('end'),
        fail: error => this.#finish(error),
      },
    )
    const signal = options.signal as AbortSignal
    signal.addEventListener('abort', () => this.#giveUp('aborted'), { once: true })
    if (signal.aborted) this.#giveUp('aborted')
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

  async return(): Promise<IteratorResult<Buffer>> {
    this.#giveUp('nobody reads it')
    return { done: true, value: undefined }
  }

  async dump(): Promise<void> {
    this.#giveUp('nobody reads it')
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #watch(): void {
    this.#cancel()
    this.#cancel = this.#peer.life.clock.after(this.#silenceMs, () => this.#giveUp('silence'))
  }

  #giveUp(why: string): void {
    if (this.#over) return
    this.#request.abort()
    this.#finish(new Error(why))
  }

  #finish(how: Error | 'end'): void {
    if (this.#over) return
    this.#over = how
    this.#cancel()
    this.#failed(how === 'end' ? new Error('no answer') : how)
    this.#wake()
  }
}

/** A refusal closes the connection: the lower end looks elsewhere, as for an error status. */
function openTrunk(
  target: SimulatedPeer,
  from: string,
  query: Readonly<Record<string, string>>,
  sink: Sink,
): void {
  try {
    target.streams.openTrunk(from, parseTrunkQuery(query), sink)
  } catch {
    sink.destroy()
  }
}

function takeWants(target: SimulatedPeer, from: string, body: Buffer, sink: Sink): void {
  try {
    target.streams.wants(from, decodeWants(body))
    sink.end()
  } catch {
    sink.destroy()
  }
}
