import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import type { Clock, SlotMessage } from '../engine/types.ts'
import { messagesBody } from '../engine/wire.ts'
import { LIMITS } from '../limits.ts'
import { LinkError, statusError, toLinkError } from './errors.ts'
import { FRAME_HEAD_BYTES, FrameReader, sealFrame } from './frames.ts'

/** What `Upgrade` names: a lane, which carries Raft's messages one way and the answers to them the other (RFC 9110, 7.8). */
export const LANE_PROTOCOL = 'hypercast-lane'
export const LANE_PATH = '/v1/replicate'

/** Bytes in front of an answer's messages, behind its length: how many frames were taken in since the answer before. */
const TAKEN_BYTES = 4

/** One end of a lane tells what comes; `ended` comes last, once, unless this end ended it. */
interface FramesListener {
  frame(body: Buffer): void
  ended(error: LinkError): void
}

/** Frames each way on one socket. */
class Frames {
  readonly #socket: Duplex
  #isOver = false

  /** @param head what came with the handshake already */
  constructor(socket: Duplex, head: Buffer, listener: FramesListener) {
    this.#socket = socket
    const reader = new FrameReader()
    const take = (chunk: Buffer) => {
      try {
        for (const body of reader.push(chunk)) if (!this.#isOver) listener.frame(body)
      } catch (error) {
        end(toLinkError(error, true))
      }
    }
    const end = (error: LinkError) => {
      if (this.#isOver) return
      this.close()
      listener.ended(error)
    }
    socket.on('error', error => end(toLinkError(error, true)))
    socket.on('end', () => end(new LinkError('broken', 'the other side ended the lane')))
    socket.on('close', () => end(new LinkError('broken', 'the lane closed')))
    if (head.length > 0) socket.unshift(head)
    socket.on('data', take)
  }

  get waitingBytes(): number {
    return this.#socket.writableLength
  }

  write(frame: Buffer): void {
    this.#socket.write(frame)
  }

  close(): void {
    this.#isOver = true
    this.#socket.destroy()
  }
}

/** What the end that opened a lane is told. `failed` comes last, once, and not after `close`. */
export interface LaneListener {
  opened(): void
  /** The other side took in so many frames more, and these are answers to what was in them. */
  answered(taken: number, answers: readonly SlotMessage[]): void
  failed(error: LinkError): void
}

/** The end of a lane that opened it: messages leave in order, each frame without waiting for answers. */
export class Lane {
  readonly #listener: LaneListener
  #frames: Frames | undefined
  #controller: Dispatcher.DispatchController | undefined
  #isOver = false

  constructor(listener: LaneListener) {
    this.#listener = listener
  }

  /** Asks for the lane on a connection of its own, with the headers that say who asks. */
  open(to: Dispatcher, headers: Readonly<Record<string, string>>): void {
    let started = false
    let status = 0
    let errorBody = ''
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: controller => {
        started = true
        this.#controller = controller
        if (this.#isOver) controller.abort(new LinkError('broken', 'given up'))
      },
      onRequestUpgrade: (_controller, _status, _headers, socket) => this.#begin(socket),
      onResponseStart(_controller, statusCode) {
        status = statusCode
      },
      onResponseData(_controller, chunk) {
        if (errorBody.length < LIMITS.MAX_PEER_ERROR_BYTES)
          errorBody += chunk.toString('utf8', 0, LIMITS.MAX_PEER_ERROR_BYTES)
      },
      onResponseEnd: () => this.#fail(statusError(status, errorBody)),
      onResponseError: (_controller, error) =>
        this.#fail(status === 0 ? toLinkError(error, started) : statusError(status, errorBody)),
    }
    try {
      to.dispatch({ method: 'POST', path: LANE_PATH, headers, upgrade: LANE_PROTOCOL }, handler)
    } catch (error) {
      this.#fail(toLinkError(error, false))
    }
  }

  get isOpen(): boolean {
    return this.#frames !== undefined && !this.#isOver
  }

  /** @param at the wire format that the peer reads */
  send(messages: readonly SlotMessage[], at: number): void {
    this.#frames?.write(sealFrame(messagesBody.encode(messages, 'msgpack', at, FRAME_HEAD_BYTES)))
  }

  close(reason: LinkError): void {
    this.#isOver = true
    if (this.#frames) this.#frames.close()
    else this.#controller?.abort(reason)
  }

  #begin(socket: Duplex): void {
    if (this.#isOver) {
      socket.on('error', () => {}).destroy()
      return
    }
    this.#frames = new Frames(socket, Buffer.alloc(0), {
      frame: body => {
        if (body.length < TAKEN_BYTES) throw new LinkError('broken', 'a frame of a lane is too short')
        const messages = body.subarray(TAKEN_BYTES)
        const answers = messages.length === 0 ? [] : messagesBody.decode(messages)
        this.#listener.answered(body.readUInt32BE(), answers)
      },
      ended: error => this.#fail(error),
    })
    this.#listener.opened()
  }

  #fail(error: LinkError): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#listener.failed(error)
  }
}

export interface InboundLaneOptions {
  readonly clock: Clock
  /** The wire format that every peer of the cluster reads. */
  wireFormat(): number
  /** A frame that brings no answer within this time is told to have been taken in. */
  readonly receiptMs: number
  received(messages: readonly SlotMessage[]): void
  ended(error: LinkError): void
}

/** The end of a lane that was asked for it: takes messages in, and gives answers when they are durable. */
export class InboundLane {
  readonly #options: InboundLaneOptions
  readonly #frames: Frames
  #taken = 0
  #cancel: (() => void) | undefined

  constructor(socket: Duplex, head: Buffer, options: InboundLaneOptions) {
    this.#options = options
    this.#frames = new Frames(socket, head, {
      frame: body => this.#take(body),
      ended: error => {
        this.#cancel?.()
        options.ended(error)
      },
    })
  }

  /** False when the other side takes nothing: the lane is closed then. */
  answer(messages: readonly SlotMessage[]): boolean {
    if (this.#frames.waitingBytes > LIMITS.MAX_LANE_ANSWER_BYTES) {
      this.close()
      this.#options.ended(new LinkError('silent', 'answers are not taken'))
      return false
    }
    const at = this.#options.wireFormat()
    // All slots of a pair of peers may answer in one turn: more than one frame may hold.
    for (let from = 0; from < messages.length; from += LIMITS.MAX_MESSAGES_PER_BATCH) {
      const part = messages.slice(from, from + LIMITS.MAX_MESSAGES_PER_BATCH)
      this.#give(messagesBody.encode(part, 'msgpack', at, FRAME_HEAD_BYTES + TAKEN_BYTES))
    }
    return true
  }

  close(): void {
    this.#cancel?.()
    this.#frames.close()
  }

  #take(body: Buffer): void {
    const messages = messagesBody.decode(body)
    this.#taken += 1
    if (this.#taken >= LIMITS.MAX_LINK_INFLIGHT / 2) this.#receipt()
    else this.#cancel ??= this.#options.clock.after(this.#options.receiptMs, () => this.#look())
    this.#options.received(messages)
  }

  #look(): void {
    this.#cancel = undefined
    if (this.#taken > 0) this.#receipt()
  }

  #receipt(): void {
    this.#give(Buffer.allocUnsafe(FRAME_HEAD_BYTES + TAKEN_BYTES))
  }

  #give(frame: Buffer): void {
    frame.writeUInt32BE(this.#taken, FRAME_HEAD_BYTES)
    this.#taken = 0
    this.#frames.write(sealFrame(frame))
  }
}
