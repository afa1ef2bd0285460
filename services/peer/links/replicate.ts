import type { Dispatcher } from 'undici'
import type { Clock, SlotMessage } from '../engine/types.ts'
import { CONTENT_TYPES } from '../engine/wire.ts'
import { LIMITS } from '../limits.ts'
import { Backoff } from './backoff.ts'
import { LinkError, toLinkError } from './errors.ts'
import { Lane } from './lane.ts'

export interface ReplicateLinkOptions {
  readonly clock: Clock
  readonly random: () => number
  readonly headers: Readonly<Record<string, string>>
  /** The wire format that the peer reads. */
  wireFormat(): number
  /** Of what was sent nothing taken in for so long means that the peer is silent. */
  readonly timeoutMs: number
  /** Where a lane is asked for. Throws LinkError for a peer that is not known. */
  connection(): Dispatcher
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
 * Raft's messages to one peer, in order, on a lane (lane.ts) that is opened when there is something to say and stays open.
 * After a failure what waits is dropped, and so is all that comes until a short pause is over: Raft sends again.
 */
export class ReplicateLink {
  readonly #options: ReplicateLinkOptions
  readonly #backoff: Backoff
  #queue: Batch[] = []
  #queuedBytes = 0
  /** Frames that the other side has not said to have taken in. */
  #inFlight = 0
  #lane: Lane | undefined
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
    this.#drop(new LinkError('broken', 'the link is closed'))
    this.#queue = []
    this.#queuedBytes = 0
    this.#retryAtMs = Number.POSITIVE_INFINITY
    this.#cancelWatch?.()
  }

  #pump(): void {
    if (this.#queue.length === 0) return
    const lane = this.#lane ?? this.#open()
    if (!lane?.isOpen) return
    while (this.#inFlight < LIMITS.MAX_LINK_INFLIGHT && this.#queue.length > 0) {
      this.#begins()
      this.#inFlight += 1
      lane.send(this.#next(), this.#options.wireFormat())
    }
  }

  #open(): Lane | undefined {
    const { headers, connection } = this.#options
    this.#begins()
    const lane = new Lane({
      opened: () => {
        this.#progressMs = this.#options.clock.monotonicMs()
        this.#pump()
      },
      answered: (taken, answers) => this.#answered(taken, answers),
      failed: error => this.#fail(error),
    })
    this.#lane = lane
    try {
      lane.open(connection(), headers)
    } catch (error) {
      this.#fail(toLinkError(error, false))
    }
    return this.#lane
  }

  /** The next frame's messages: all that wait, within the bounds of one. */
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

  #answered(taken: number, answers: readonly SlotMessage[]): void {
    this.#inFlight = Math.max(0, this.#inFlight - taken)
    this.#progressMs = this.#options.clock.monotonicMs()
    this.#backoff.reset()
    if (answers.length > 0) this.#options.received(answers)
    this.#pump()
  }

  #fail(error: LinkError): void {
    this.#drop(error)
    this.#queue = []
    this.#queuedBytes = 0
    this.#retryAtMs = this.#options.clock.monotonicMs() + this.#backoff.nextMs()
    this.#options.failed(error)
  }

  #drop(reason: LinkError): void {
    const lane = this.#lane
    this.#lane = undefined
    this.#inFlight = 0
    lane?.close(reason)
  }

  get #isWaiting(): boolean {
    return this.#inFlight > 0 || (this.#lane !== undefined && !this.#lane.isOpen)
  }

  /** From here on the other side has `timeoutMs`, if it is not already waited for. One timer for all that is under way. */
  #begins(): void {
    const { clock, timeoutMs } = this.#options
    if (!this.#isWaiting) this.#progressMs = clock.monotonicMs()
    if (this.#cancelWatch) return
    const look = () => {
      this.#cancelWatch = undefined
      if (!this.#isWaiting) return
      const leftMs = this.#progressMs + timeoutMs - clock.monotonicMs()
      if (leftMs > 0) this.#cancelWatch = clock.after(leftMs, look)
      else this.#fail(new LinkError('silent', `nothing was taken in for ${timeoutMs} ms`))
    }
    this.#cancelWatch = clock.after(timeoutMs, look)
  }
}

/** Cuts messages into batches within the bounds of a frame. */
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
