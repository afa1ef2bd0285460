import type { Duplex } from 'node:stream'
import type { PeerId } from '../cube/labels.ts'
import type { Roster } from '../cube/roster.ts'
import type { Beat, Clock, DialResult, SlotMessage, SnapshotChunk, Transport } from '../engine/types.ts'
import { NotListedError } from '../engine/types.ts'
import { beatBody, rosterBody, snapshotBody } from '../engine/wire.ts'
import { ERRORS, HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { RESPONSE_TYPES } from '../raft/types.ts'
import { dial } from './dial.ts'
import { LinkError } from './errors.ts'
import { collect } from './exchange.ts'
import { InboundLanes } from './inbound-lanes.ts'
import { PeerPools } from './pools.ts'
import { packedHeaders, ReplicateLink } from './replicate.ts'
import type { Whereabouts } from './whereabouts.ts'

const STRANGER_STATUS = ERRORS.STRANGER.status
const MISDIRECTED_STATUS = ERRORS.MISDIRECTED.status

/** What the transport calls of the engine it carries for. */
export interface EngineSide {
  receive(from: PeerId, messages: readonly SlotMessage[]): Promise<void>
  connectionClosed(peer: PeerId): void
  unreachable(peer: PeerId): void
  /** The peer does not know this one: one of the two goes by an old roster. */
  askForRoster(peer: PeerId): void
}

export interface LinkLog {
  debug(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Durations in milliseconds. */
export interface LinkSettings {
  readonly heartbeatTimeoutMs: number
  readonly connectTimeoutMs: number
  /** Silence on a link with messages under way after which it is given up. */
  readonly replicateTimeoutMs: number
}

export interface HttpTransportOptions {
  readonly self: PeerId
  readonly uid: string
  readonly clusterId: string
  /** Where this peer is reached. */
  readonly url: string
  readonly whereabouts: Pick<Whereabouts, 'urlOf' | 'uidOf' | 'missed'>
  /** The wire format that every peer of the cluster reads. */
  wireFormat(): number
  readonly clock: Clock
  /** In [0, 1); for jitter. */
  readonly random: () => number
  readonly log: LinkLog
  readonly settings: LinkSettings
}

/**
 * The engine's way to other peers over HTTP. Raft's messages go on a lane to each peer; what answers a message goes back
 * on the lane that brought it.
 */
export class HttpTransport implements Transport {
  readonly pools: PeerPools
  /** Says to other peers who asks. */
  readonly identity: Readonly<Record<string, string>>
  readonly #options: HttpTransportOptions
  readonly #links = new Map<PeerId, ReplicateLink>()
  readonly #inbound: InboundLanes
  /** Answers in the making to single batches, by the peer that waits for them, oldest first. */
  readonly #parked = new Map<PeerId, SlotMessage[][]>()
  readonly #piggybackMs: number
  #engine: EngineSide | undefined
  #stopped = false

  constructor(options: HttpTransportOptions) {
    this.#options = options
    this.#piggybackMs = LIMITS.PIGGYBACK_WAIT_SHARE * options.settings.replicateTimeoutMs
    this.identity = {
      'hypercast-cluster': options.clusterId,
      'hypercast-from': options.self,
      'hypercast-uid': options.uid,
      'hypercast-url': options.url,
    }
    this.#inbound = new InboundLanes({
      clock: options.clock,
      wireFormat: options.wireFormat,
      receiptMs: this.#piggybackMs,
      log: options.log,
      received: (from, messages) => this.#take(from, messages),
    })
    this.pools = new PeerPools({
      urlOf: peer => options.whereabouts.urlOf(peer),
      connectTimeoutMs: options.settings.connectTimeoutMs,
      onClosed: peer => this.#engine?.connectionClosed(peer),
    })
  }

  /** The engine is made after its transport; nothing is sent or taken before this. */
  attach(engine: EngineSide): void {
    this.#engine = engine
  }

  /** See Transport.send. Answers leave on the lane of the peer that they are for, if it has one here. */
  send(to: PeerId, messages: readonly SlotMessage[]): void {
    if (this.#stopped || messages.length === 0) return
    const own: SlotMessage[] = []
    const answers: SlotMessage[] = []
    for (const message of messages) (RESPONSE_TYPES.has(message.message.type) ? answers : own).push(message)
    if (answers.length > 0 && !this.#inbound.answer(to, answers)) own.unshift(...this.#unparked(to, answers))
    if (own.length > 0) this.#link(to).send(own)
  }

  /** Another peer opened a lane to this one: the one it had before is closed. `heard` is called with all that comes. */
  takeLane(from: PeerId, socket: Duplex, head: Buffer, heard: () => void): void {
    if (this.#stopped || !this.#engine) socket.destroy()
    else this.#inbound.take(from, socket, head, heard)
  }

  /** Ends the lanes of all other peers to this one. A connection on which a peer asks is its own, wherever it is reached. */
  retainLanes(isKept: (peer: PeerId) => boolean): void {
    this.#inbound.retain(isKept)
  }

  /** Ends the lanes of other peers, and takes none any more; what waits to be answered on them is lost. */
  closeLanes(): void {
    this.#inbound.close()
  }

  /**
   * Takes in a single batch of another peer and gives back the answers it caused: when they are durable, or what there is of
   * them when that takes too long; the others leave by themselves then. Rejects with HypercastError
   * OVERLOADED when too many wait already, NOT_FOUNDED before there is an engine.
   */
  async handleReplicate(from: PeerId, messages: readonly SlotMessage[]): Promise<readonly SlotMessage[]> {
    const engine = this.#engine
    if (!engine) throw new HypercastError('NOT_FOUNDED')
    const answers: SlotMessage[] = []
    const parked = this.#parked.get(from) ?? []
    if (parked.length >= LIMITS.MAX_PARKED_ANSWERS) throw new HypercastError('OVERLOADED')
    this.#parked.set(from, parked)
    parked.push(answers)
    let cancel = () => {}
    const tooLong = new Promise<void>(resolve => {
      cancel = this.#options.clock.after(this.#piggybackMs, resolve)
    })
    try {
      await Promise.race([engine.receive(from, messages), tooLong])
    } finally {
      cancel()
      parked.splice(parked.indexOf(answers), 1)
      if (parked.length === 0) this.#parked.delete(from)
    }
    return answers
  }

  /** See Transport.heartbeat. Rejects with LinkError or CodecError. */
  async heartbeat(to: PeerId, beat: Beat): Promise<Beat> {
    const { clock, settings, whereabouts } = this.#options
    const url = whereabouts.urlOf(to)
    const ask = {
      method: 'POST',
      path: '/v1/heartbeat',
      headers: this.#headersTo(to),
      body: beatBody.encode(beat, 'msgpack', this.#options.wireFormat()),
      timeoutMs: settings.heartbeatTimeoutMs,
    } as const
    const body = await collect(this.pools.heartbeat(to), ask, clock).catch(error => {
      if (isMiss(error)) whereabouts.missed(to, url)
      throw error instanceof LinkError && error.status === STRANGER_STATUS ? new NotListedError(to) : error
    })
    const answer = beatBody.decode(body)
    this.heard(to)
    return answer
  }

  /** See Transport.dial. */
  async dial(to: PeerId): Promise<DialResult> {
    const { clock, settings, whereabouts } = this.#options
    const url = whereabouts.urlOf(to)
    if (url === undefined) return 'silent'
    const result = await dial(url, settings.connectTimeoutMs, clock)
    if (result !== 'open') whereabouts.missed(to, url)
    return result
  }

  /** See Transport.roster. Rejects with LinkError or CodecError. */
  async roster(to: PeerId): Promise<Roster> {
    const { clock, settings } = this.#options
    const ask = {
      method: 'GET',
      path: '/v1/relay/roster',
      headers: packedHeaders(this.identity),
      timeoutMs: settings.replicateTimeoutMs,
    } as const
    return rosterBody.decode(await collect(this.pools.bulk(to), ask, clock))
  }

  /** See Transport.snapshot. Rejects with LinkError or CodecError. */
  async snapshot(to: PeerId, slot: number, afterIndex: number): Promise<SnapshotChunk> {
    const ask = {
      method: 'GET',
      path: `/v1/relay/snapshot?slot=${slot}&after=${afterIndex}`,
      headers: packedHeaders(this.identity),
      timeoutMs: LIMITS.SNAPSHOT_CHUNK_TIMEOUT_MS,
    } as const
    return snapshotBody.decode(await collect(this.pools.bulk(to), ask, this.#options.clock))
  }

  /** A sign of life: what is for this peer is held back no longer. */
  heard(peer: PeerId): void {
    this.#links.get(peer)?.heard()
  }

  /** Links, sets of connections and senders that wait for answers, all together. */
  get size(): number {
    return this.#links.size + this.#inbound.size + this.pools.size + this.#parked.size
  }

  /**
   * Gives up the links and connections to all other peers. What is under way on them fails with `reason`; of messages to
   * one that is listed on, the engine is told that they were not delivered.
   */
  retain(isKept: (peer: PeerId) => boolean, reason: LinkError): void {
    const lost: PeerId[] = []
    for (const peer of this.#links.keys()) {
      if (isKept(peer)) continue
      this.#forget(peer)
      lost.push(peer)
    }
    this.pools.retain(isKept, reason)
    for (const peer of lost)
      if (this.#options.whereabouts.urlOf(peer) !== undefined) this.#engine?.unreachable(peer)
  }

  async close(): Promise<void> {
    this.#stopped = true
    for (const link of this.#links.values()) link.close()
    this.#inbound.close()
    await this.pools.close()
  }

  #link(to: PeerId): ReplicateLink {
    const known = this.#links.get(to)
    if (known) return known
    const { clock, random, settings, log, wireFormat, whereabouts } = this.#options
    let url: string | undefined
    const link = new ReplicateLink({
      clock,
      random,
      headers: this.#headersTo(to),
      wireFormat,
      timeoutMs: settings.replicateTimeoutMs,
      connection: () => {
        url = whereabouts.urlOf(to)
        return this.pools.replicate(to)
      },
      received: answers =>
        this.#take(
          to,
          answers.filter(({ message }) => RESPONSE_TYPES.has(message.type)),
        ),
      failed: error => {
        log.debug({ peer: to, failure: error.failure, error: error.message }, 'messages were not delivered')
        if (this.#stopped) return
        if (isMiss(error)) whereabouts.missed(to, url)
        if (whereabouts.urlOf(to) === undefined) this.#forget(to)
        if (isElsewhere(error)) this.#engine?.askForRoster(to)
        this.#engine?.unreachable(to)
      },
    })
    this.#links.set(to, link)
    return link
  }

  /** Whom the request is for stands in it: at an address may be another peer than the one that is looked for. */
  #headersTo(to: PeerId): Record<string, string> {
    const uid = this.#options.whereabouts.uidOf(to)
    return packedHeaders({ ...this.identity, ...(uid && { 'hypercast-to': uid }) })
  }

  #forget(peer: PeerId): void {
    this.#links.get(peer)?.close()
    this.#links.delete(peer)
  }

  /** Gives answers to whoever waits for a single batch's; the rest is given back. */
  #unparked(to: PeerId, answers: SlotMessage[]): SlotMessage[] {
    const waiting = this.#parked.get(to)?.[0]
    if (!waiting) return answers
    const room = LIMITS.MAX_MESSAGES_PER_BATCH - waiting.length
    waiting.push(...answers.slice(0, room))
    return answers.slice(room)
  }

  #take(from: PeerId, messages: readonly SlotMessage[]): void {
    this.#engine?.receive(from, messages).catch(error => {
      this.#options.log.error(
        { peer: from, error: String(error) },
        'messages of a peer could not be taken in',
      )
    })
  }
}

/** The peer is not where it was looked for, or cannot be told from one that is not. */
function isMiss(error: unknown): boolean {
  if (!(error instanceof LinkError)) return false
  return error.failure === 'rejected' ? isElsewhere(error) : error.failure !== 'broken'
}

/** Somebody else answers there, or somebody who goes by another roster. */
function isElsewhere({ status }: LinkError): boolean {
  return status === STRANGER_STATUS || status === MISDIRECTED_STATUS
}
