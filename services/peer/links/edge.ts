import type { Dispatcher } from 'undici'
import type { Clock } from '../engine/types.ts'
import { answerBody, operationsBody } from '../engine/wire.ts'
import { LIMITS } from '../limits.ts'
import { LinkError, type LinkFailure, toLinkError } from './errors.ts'
import { exchange } from './exchange.ts'
import { FrameReader } from './frames.ts'
import type { Forwarded, ForwardedAnswer } from './types.ts'

/** What came of sending an operation over one edge. */
export type HopOutcome =
  | { readonly kind: 'answer'; readonly answer: ForwardedAnswer }
  | { readonly kind: 'failed'; readonly failure: LinkFailure }

export interface EdgeOptions {
  readonly clock: Clock
  readonly headers: Readonly<Record<string, string>>
  /** The wire format that the peer reads. */
  wireFormat(): number
  /** The other side says within this time that it has a request; one that does not is silent. */
  readonly acceptTimeoutMs: number
  connection(): Dispatcher
}

interface Waiting {
  readonly forwarded: Forwarded
  readonly sizeBytes: number
  settle(outcome: HopOutcome): void
}

/** Bytes of an operation besides its events' data, roughly. */
const OPERATION_BYTES = 256

/**
 * One edge of the cube: operations that take it in the same turn travel together in one request, and each answer
 * comes back as soon as it is there.
 */
export class Edge {
  readonly #options: EdgeOptions
  #queue: Waiting[] = []
  #flushAsked = false
  readonly #underWay = new Set<(reason: LinkError) => void>()

  constructor(options: EdgeOptions) {
    this.#options = options
  }

  /** Sends an operation to the other side at the end of this turn. Never rejects. */
  forward(forwarded: Forwarded): Promise<HopOutcome> {
    return new Promise(settle => {
      this.#queue.push({ forwarded, sizeBytes: sizeOf(forwarded), settle })
      if (this.#flushAsked) return
      this.#flushAsked = true
      this.#options.clock.endOfTurn(() => {
        this.#flushAsked = false
        this.#flush()
      })
    })
  }

  /** Gives up all that waits or is under way: the other side is believed gone. */
  drop(reason: LinkError): void {
    const queue = this.#queue
    this.#queue = []
    for (const { settle } of queue) settle({ kind: 'failed', failure: 'unsent' })
    for (const giveUp of [...this.#underWay]) giveUp(reason)
  }

  #flush(): void {
    while (this.#queue.length > 0 && this.#underWay.size < LIMITS.MAX_EDGE_REQUESTS) this.#post(this.#next())
  }

  #next(): Waiting[] {
    let sizeBytes = 0
    let count = 0
    for (const waiting of this.#queue) {
      sizeBytes += waiting.sizeBytes
      if (count > 0 && (sizeBytes > LIMITS.CUT_BATCH_BYTES || count >= LIMITS.MAX_FORWARDED_PER_BATCH)) break
      count += 1
    }
    return this.#queue.splice(0, count)
  }

  #post(batch: readonly Waiting[]): void {
    const { clock, headers, acceptTimeoutMs, wireFormat } = this.#options
    const frames = new FrameReader()
    const open = new Map(batch.map((waiting, index) => [index, waiting]))
    let accepted = false
    let over = false
    const finish = (failure: LinkFailure) => {
      over = true
      cancel()
      this.#underWay.delete(giveUp)
      for (const { settle } of open.values()) settle({ kind: 'failed', failure })
      open.clear()
      this.#flush()
    }
    let cancel = clock.after(acceptTimeoutMs, () =>
      giveUp(new LinkError('silent', 'it does not take requests')),
    )
    const accept = () => {
      accepted = true
      cancel()
      const patienceMs = Math.max(...batch.map(({ forwarded }) => forwarded.patienceMs))
      cancel = clock.after(patienceMs + LIMITS.ANSWER_GRACE_MS, () =>
        giveUp(new LinkError('silent', 'it does not answer')),
      )
    }
    let abort: ((reason: LinkError) => void) | undefined
    const giveUp = (reason: LinkError) => abort?.(reason)
    this.#underWay.add(giveUp)
    const listener = {
      data(chunk: Buffer) {
        if (!accepted) accept()
        try {
          for (const body of frames.push(chunk)) if (body.length > 0) settleOne(open, body)
        } catch (error) {
          giveUp(toLinkError(error, true))
        }
      },
      end: () => finish('broken'),
      fail: (error: LinkError) => finish(error.failure),
    }
    const ask = { method: 'POST', path: '/v1/relay/operations', headers } as const
    try {
      const operations = batch.map(({ forwarded }) => forwarded)
      const body = operationsBody.encode(operations, 'msgpack', wireFormat())
      const started = exchange(this.#options.connection(), { ...ask, body }, listener)
      if (!over) abort = started
    } catch (error) {
      finish(toLinkError(error, false).failure)
    }
  }
}

function settleOne(open: Map<number, Waiting>, body: Buffer): void {
  const { index, answer } = answerBody.decode(body)
  open.get(index)?.settle({ kind: 'answer', answer })
  open.delete(index)
}

function sizeOf({ operation }: Forwarded): number {
  if (operation.kind !== 'append' || operation.request.kind !== 'publish') return OPERATION_BYTES
  return operation.request.events.reduce((sum, event) => sum + event.data.length + 64, OPERATION_BYTES)
}
