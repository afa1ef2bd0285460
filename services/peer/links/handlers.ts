import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { PeerId } from '../cube/labels.ts'
import type { Roster } from '../cube/roster.ts'
import { formatOf } from '../cube/roster-format.ts'
import { wireFormatOf } from '../engine/formats.ts'
import type { Beat, Clock, SnapshotChunk } from '../engine/types.ts'
import { SlotError } from '../engine/types.ts'
import {
  answerBody,
  type BodyFormat,
  beatBody,
  bodyFormat,
  CONTENT_TYPES,
  messagesBody,
  operationsBody,
  rosterBody,
  snapshotBody,
} from '../engine/wire.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { AnswerStream } from './answers.ts'
import type { Edges } from './edges.ts'
import { EMPTY_FRAME, FRAME_HEAD_BYTES, sealFrame } from './frames.ts'
import type { InboundSockets } from './inbound.ts'
import type { Router } from './router.ts'
import type { HttpTransport, LinkLog } from './transport.ts'
import type { Forwarded, ForwardedAnswer } from './types.ts'

export interface LinkHandlersOptions {
  readonly transport: Pick<HttpTransport, 'handleReplicate' | 'takeLane' | 'closeLanes' | 'heard'>
  readonly engine: {
    readonly roster: Roster
    heartbeat(from: PeerId, beat: Beat): Beat
    snapshotChunk(from: PeerId, slot: number, afterIndex: number): SnapshotChunk
  }
  readonly router: Pick<Router, 'route'>
  readonly edges: Pick<Edges, 'heard'>
  readonly inbound: InboundSockets
  readonly clock: Clock
  readonly log: LinkLog
}

/** A body between peers with its media type. */
export interface PeerBody {
  readonly contentType: string
  readonly body: Uint8Array
}

/**
 * What other peers ask of this one. Bodies come undecoded; the answer has the format of the question. All throw or
 * reject with HypercastError (INVALID_REQUEST, UNSUPPORTED_MEDIA_TYPE) for what cannot be read, and then did nothing.
 */
export class LinkHandlers {
  readonly #options: LinkHandlersOptions
  #relayed = 0

  constructor(options: LinkHandlersOptions) {
    this.#options = options
  }

  /** POST /v1/replicate with `Upgrade`: a lane, which the socket is from now on. */
  lane(from: PeerId, socket: Duplex, head: Buffer): void {
    this.#heard(from)
    this.#options.transport.takeLane(from, socket, head, () => this.#heard(from))
  }

  /** Ends all of them. */
  closeLanes(): void {
    this.#options.transport.closeLanes()
  }

  /** POST /v1/replicate: one batch of Raft's messages; the answer carries what answers them. */
  async replicate(from: PeerId, contentType: string | undefined, body: Uint8Array): Promise<PeerBody> {
    const format = bodyFormat(contentType)
    const messages = messagesBody.decode(body, format)
    this.#heard(from)
    const answers = await this.#options.transport.handleReplicate(from, messages)
    return peerBody(format, messagesBody.encode(answers, format, this.#at))
  }

  /** POST /v1/heartbeat. The socket is the sender's heartbeat connection: its end is the first sign of the sender's. */
  async heartbeat(
    from: PeerId,
    contentType: string | undefined,
    body: Uint8Array,
    socket?: Socket,
  ): Promise<PeerBody> {
    const format = bodyFormat(contentType)
    const beat = beatBody.decode(body, format)
    this.#heard(from)
    if (socket && format === 'msgpack') this.#options.inbound.seen(from, socket)
    return peerBody(format, beatBody.encode(this.#options.engine.heartbeat(from, beat), format, this.#at))
  }

  /** GET /v1/relay/roster: the version this peer goes by. */
  roster(): PeerBody {
    return peerBody('msgpack', rosterBody.encode(this.#options.engine.roster, 'msgpack', this.#at))
  }

  /** GET /v1/relay/snapshot?slot=&after=. */
  async snapshot(from: PeerId, slot: number, afterIndex: number): Promise<PeerBody> {
    try {
      const chunk = this.#options.engine.snapshotChunk(from, slot, afterIndex)
      return peerBody('msgpack', snapshotBody.encode(chunk, 'msgpack', this.#at))
    } catch (error) {
      if (error instanceof SlotError) throw new HypercastError('NO_PRIMARY', `Slot ${slot} is not held here.`)
      throw error
    }
  }

  /**
   * POST /v1/relay/operations. The answers come one by one as they are ready, each with the place of its operation:
   * in frames (four bytes of length, big-endian, then MessagePack), or as a line of JSON each.
   * An empty frame or line comes first when they take a while.
   */
  operations(_from: PeerId, contentType: string | undefined, body: Uint8Array): AsyncIterable<Buffer> {
    const format = bodyFormat(contentType)
    const operations = operationsBody.decode(body, format)
    const accept = format === 'msgpack' ? EMPTY_FRAME : NEWLINE
    const stream = new AnswerStream(accept, operations.length, this.#options.clock)
    operations.forEach((forwarded, index) => {
      this.#relay(forwarded, stream).then(answer => stream.push(answerOn(format, index, answer, this.#at)))
    })
    return stream
  }

  /** The wire format that every peer of the cluster reads. */
  get #at(): number {
    return wireFormatOf(formatOf(this.#options.engine.roster))
  }

  /** Never rejects: a defect here is an answer too. */
  async #relay(forwarded: Forwarded, stream: AnswerStream): Promise<ForwardedAnswer> {
    if (this.#relayed >= LIMITS.MAX_FORWARDS_INFLIGHT) {
      return { kind: 'answered', path: [], result: { kind: 'failed', code: 'OVERLOADED', definite: true } }
    }
    this.#relayed += 1
    try {
      return await this.#options.router.route(forwarded, stream)
    } catch (error) {
      const text = error instanceof Error ? error.stack : String(error)
      this.#options.log.error({ error: text }, 'a forwarded operation failed')
      return { kind: 'answered', path: [], result: { kind: 'failed', code: 'INTERNAL', definite: false } }
    } finally {
      this.#relayed -= 1
    }
  }

  #heard(from: PeerId): void {
    this.#options.transport.heard(from)
    this.#options.edges.heard(from)
  }
}

const NEWLINE = Buffer.from('\n')

function answerOn(format: BodyFormat, index: number, answer: ForwardedAnswer, at: number): Buffer {
  if (format === 'json') return Buffer.concat([answerBody.encode({ index, answer }, 'json', at), NEWLINE])
  return sealFrame(answerBody.encode({ index, answer }, 'msgpack', at, FRAME_HEAD_BYTES))
}

function peerBody(format: BodyFormat, body: Uint8Array): PeerBody {
  return { contentType: CONTENT_TYPES[format], body }
}
