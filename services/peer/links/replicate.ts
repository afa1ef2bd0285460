import type { Dispatcher } from 'undici'
import type { Clock, SlotMessage } from '../engine/types.ts'
import { CONTENT_TYPES, messagesBody } from '../engine/wire.ts'
import { LIMITS } from '../limits.ts'
import { Backoff } from './backoff.ts'
import { LinkError, toLinkError } from './errors.ts'
import { collect } from './exchange.ts'

export interface ReplicateLinkOptions {
  readonly clock: Clock
  readonly random: () => number
  readonly headers: Readonly<Record<string, string>>
  /** The wire format that the peer reads. */
  wireFormat(): number
  /** An answer later than this means that the peer is silent. */
  readonly timeoutMs: number
  /** The pipelined connection. */
  connection(): Dispatcher
  /** Ends that connection with all that is under way on it. */
  reset(reason: LinkError): void
  /** The answers to what was sent. */
  received(messages: readonly SlotMessage[]): void
  /** Something that was sent did not arrive or was not answered; told once for all that was lost with it. */
  failed(error: LinkError): void
}

interface Batch {
  readonly messages: readonly SlotMessage[]
  readonly sizeBytes: number
}

/** Bytes of one message besides its entries' data, roughly. */
const MESSAGE_BYTES = 64

/**
 * Raft's messages to one peer, in order: requests follow each other on one connection without waiting for answers.
 * After a failure what waits is dropped, and so is all that comes until a short pause is over: Raft sends again.
 */
export class ReplicateLink {
  readonly #options: ReplicateLinkOptions
  readonly #backoff: Backoff
  #queue: Batch[] = []
  #queuedBytes = 0
  #inFlight = 0
  /** Rises with each failure: what was sent before it is of no interest any more. */
  #life = 0
  #retryAtMs = 0
  #progressMs = 0
  #cancelWatch: (() => void) | undefined

  constructor(options: ReplicateLinkOptions) {
    this.#options = options
    this.#backoff = new Backoff(options.random)
  }

  send(messages: readonly SlotMessage[]): void {
    if (this.#options.clock.monotonicMs() < this.#retryAtMs) return
    for (const batch of cut(messages)) {
      this.#queue.push(batch)
      this.#queuedBytes += batch.sizeBytes
    }
    while (this.#queuedBytes > LIMITS.MAX_LINK_QUEUE_BYTES && this.#queue.length > 1) {
      this.#queuedBytes -= this.#queue.shift()!.sizeBytes
    }
    this.#pump()
  }

  /** The peer was heard: there is no reason to hold anything back. */
  heard(): void {
    this.#retryAtMs = 0
    this.#backoff.reset()
  }

  close(): void {
    this.#life += 1
    this.#queue = []
    this.#queuedBytes = 0
    this.#retryAtMs = Number.POSITIVE_INFINITY
    this.#cancelWatch?.()
  }

  #pump(): void {
    while (this.#inFlight < LIMITS.MAX_LINK_INFLIGHT && this.#queue.length > 0) this.#post(this.#next())
  }

  /** The next request's messages: all that wait, within the bounds of one. */
  #next(): SlotMessage[] {
    const messages: SlotMessage[] = []
    let sizeBytes = 0
    let taken = 0
    for (const batch of this.#queue) {
      const fits =
        sizeBytes + batch.sizeBytes <= LIMITS.CUT_BATCH_BYTES &&
        messages.length + batch.messages.length <= LIMITS.MAX_MESSAGES_PER_BATCH
      if (taken > 0 && !fits) break
      messages.push(...batch.messages)
      sizeBytes += batch.sizeBytes
      taken += 1
    }
    this.#queue.splice(0, taken)
    this.#queuedBytes -= sizeBytes
    return messages
  }

  #post(messages: readonly SlotMessage[]): void {
    const { clock, headers } = this.#options
    const life = this.#life
    this.#inFlight += 1
    if (this.#inFlight === 1) this.#progressMs = clock.monotonicMs()
    this.#watch()
    const body = messagesBody.encode(messages, 'msgpack', this.#options.wireFormat())
    this.#ask({ method: 'POST', path: '/v1/replicate', headers, body, pipelined: true }).then(
      answers => life === this.#life && this.#answered(answers),
      error => life === this.#life && this.#fail(toLinkError(error, true)),
    )
  }

  async #ask(ask: Parameters<typeof collect>[1]): Promise<SlotMessage[]> {
    return [...messagesBody.decode(await collect(this.#options.connection(), ask, this.#options.clock))]
  }

  #answered(answers: readonly SlotMessage[]): void {
    this.#inFlight -= 1
    this.#progressMs = this.#options.clock.monotonicMs()
    this.#backoff.reset()
    if (answers.length > 0) this.#options.received(answers)
    this.#pump()
  }

  #fail(error: LinkError): void {
    this.#life += 1
    this.#inFlight = 0
    this.#queue = []
    this.#queuedBytes = 0
    this.#retryAtMs = this.#options.clock.monotonicMs() + this.#backoff.nextMs()
    // Without this, undici would send again what was under way, and it would arrive behind newer messages.
    this.#options.reset(error)
    this.#options.failed(error)
  }

  /** One timer for all requests: it looks again only when the time of the oldest progress could be over. */
  #watch(): void {
    if (this.#cancelWatch) return
    const { clock, timeoutMs } = this.#options
    const look = () => {
      this.#cancelWatch = undefined
      if (this.#inFlight === 0) return
      const leftMs = this.#progressMs + timeoutMs - clock.monotonicMs()
      if (leftMs > 0) this.#cancelWatch = clock.after(leftMs, look)
      else this.#fail(new LinkError('silent', `no answer in ${timeoutMs} ms`))
    }
    this.#cancelWatch = clock.after(timeoutMs, look)
  }
}

/** Cuts messages into batches within the bounds of a request. */
function cut(messages: readonly SlotMessage[]): Batch[] {
  const batches: { messages: SlotMessage[]; sizeBytes: number }[] = []
  for (const message of messages) {
    const sizeBytes = sizeOf(message)
    let last = batches.at(-1)
    if (
      !last ||
      last.messages.length >= LIMITS.MAX_MESSAGES_PER_BATCH ||
      last.sizeBytes + sizeBytes > LIMITS.CUT_BATCH_BYTES
    ) {
      last = { messages: [], sizeBytes: 0 }
      batches.push(last)
    }
    last.messages.push(message)
    last.sizeBytes += sizeBytes
  }
  return batches
}

function sizeOf({ message }: SlotMessage): number {
  if (message.type !== 'append') return MESSAGE_BYTES
  return message.entries.reduce((sum, entry) => sum + entry.data.length + MESSAGE_BYTES, MESSAGE_BYTES)
}

/** Headers of a request with a MessagePack body. */
export function packedHeaders(identity: Readonly<Record<string, string>>): Record<string, string> {
  return { ...identity, 'content-type': CONTENT_TYPES.msgpack, accept: CONTENT_TYPES.msgpack }
}
