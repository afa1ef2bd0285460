import type { Roster } from '../../services/peer/cube/roster.ts'
import type { EngineLog } from '../../services/peer/engine/settings.ts'
import { ERRORS, type ErrorCode, HypercastError } from '../../services/peer/errors.ts'
import { asHypercastError } from '../../services/peer/http/problems.ts'
import { readSeveralStart, readStart, type StartRequest } from '../../services/peer/http/start.ts'
import { LinkHandlers } from '../../services/peer/links/handlers.ts'
import { InboundSockets } from '../../services/peer/links/inbound.ts'
import { packedHeaders } from '../../services/peer/links/replicate.ts'
import { makeTrunkLinks } from '../../services/peer/links/trunk.ts'
import type { Operation, OperationResult } from '../../services/peer/links/types.ts'
import { OwnAddress } from '../../services/peer/membership/address.ts'
import type { JoinWish } from '../../services/peer/membership/admission.ts'
import type { JoinAnswer } from '../../services/peer/membership/joining.ts'
import type { Configuration } from '../../services/peer/raft/types.ts'
import type { TopicStreams } from '../../services/peer/streams/hub.ts'
import type { OpenedStream } from '../../services/peer/streams/types.ts'
import type { Request } from '../../services/peer/topics/types.ts'
import { membersOf, type Wiring, wire } from '../../services/peer/wiring.ts'
import type { Connections, Response } from './connections.ts'
import { operationsConnection, type PeerConnectionOptions, streamConnection } from './edges.ts'
import type { Life } from './life.ts'
import { type Member, SETTINGS } from './member.ts'
import { urlOf } from './network.ts'
import type { Questions } from './questions.ts'
import type { Chance } from './world.ts'

/** Small bounds, so that subscribers fall behind what is held, and buffers and trunks are full, in a short run. */
const STREAM_BOUNDS = {
  ...{ ringEvents: 12, ringBytes: 6_000, bufferBytes: 900, replayEvents: 8 },
  ...{ channelEvents: 8, channelBytes: 4_000, trunkBytes: 700 },
}
const STREAM_SETTINGS = { heartbeatMs: 1_000, stallTimeoutMs: 2_500, retryMs: 500, flushMs: 2 }

export interface IngressOptions {
  readonly member: Member
  readonly roster: Roster
  readonly connections: Connections
  readonly questions: Questions
  readonly chance: Chance
  /** Silence after which a peer is evicted; 0 for never. */
  readonly evictAfterMs: number
  /** The peers' ingresses; undefined for one that does not run. */
  readonly of: (member: Member) => Ingress | undefined
  /** The peer had the others look for another one, and was told that nobody reaches it. */
  readonly missed: (peer: string) => void
  /** What the peer would log as an error: nothing may. */
  readonly onError: (what: string) => void
}

/** What an HTTP client is answered: a result, or an error of the table. */
export type Answered =
  | { readonly kind: 'done'; readonly result: OperationResult }
  | { readonly kind: 'error'; readonly code: ErrorCode }

/**
 * What stands above the engine in one life of a peer, wired as in a process: the ingress with its edges to the other
 * peers, the streams, and how peers come and go. Its HTTP surface is thin: what the routes of http/ do with results and
 * errors.
 */
export class Ingress {
  readonly handlers: LinkHandlers
  readonly #wiring: Wiring
  readonly #member: Member
  readonly #life: Life
  readonly #questions: Questions
  readonly #log: EngineLog
  #isStopping = false

  constructor(options: IngressOptions) {
    const { member, roster, connections, questions, chance, evictAfterMs, of, missed, onError } = options
    const { id: self, uid, engine, store, life } = member
    const { clock } = life
    this.#member = member
    this.#life = life
    this.#questions = questions
    this.#log = {
      ...{ debug() {}, info() {}, warn() {} },
      error: (fields: object, message: string) => onError(`${self}: ${message}: ${JSON.stringify(fields)}`),
    }
    const log = this.#log
    const peerOptions: PeerConnectionOptions = { member, connections, of }
    const { clusterId } = roster
    const headers = { 'hypercast-cluster': clusterId, 'hypercast-from': self, 'hypercast-uid': uid }
    this.#wiring = wire({
      ...{
        self,
        engine,
        store: store.identity,
        clock,
        random: () => chance.next(),
        log,
        url: urlOf(member.host),
        headers,
        evictAfterMs,
      },
      pools: { operations: peer => operationsConnection(peerOptions, peer) },
      acceptTimeoutMs: SETTINGS.electionMs / 2,
      trunks: makeTrunkLinks({
        streams: peer => streamConnection(peerOptions, peer),
        requests: peer => operationsConnection(peerOptions, peer),
        headers: () => packedHeaders(headers),
        clock,
      }),
      streaming: STREAM_SETTINGS,
      bounds: STREAM_BOUNDS,
      identify: url => questions.identify(member, url),
    })
    const { router, edges, dispatcher } = this.#wiring
    const dispatch = dispatcher.dispatch.bind(dispatcher)
    dispatcher.dispatch = (operation, deadlineMs) => {
      const asked = dispatch(operation, deadlineMs)
      if (operation.kind === 'ping') {
        void asked.then(({ result }) => {
          if (result.kind !== 'pong') missed(operation.peer)
        })
      }
      return asked
    }
    this.handlers = new LinkHandlers({
      transport: { handleReplicate: async () => [], takeLane() {}, closeLanes() {}, heard() {} },
      engine,
      router,
      edges,
      inbound: new InboundSockets(() => {}),
      clock,
      log,
    })
  }

  get streams(): TopicStreams {
    return this.#wiring.streams
  }

  /** The peer takes part: it sees to who is to go, and to its own address, until the signal is given. */
  start(signal: AbortSignal): void {
    const { uid, run, host, engine } = this.#member
    const { departures, dispatcher } = this.#wiring
    departures.start()
    const address = new OwnAddress({
      ...{ uid, run, url: urlOf(host), rosters: engine.rosters, dispatcher, clock: this.#life.clock },
      ...{ log: this.#log, signal },
      identify: url => this.#questions.identify(this.#member, url),
      adopt: now => engine.adopt(now),
      askForRoster: peer => engine.askForRoster(peer),
      onRoster: listener => engine.onRoster(listener),
    })
    void address.watch()
  }

  /** A sign of life of another peer. */
  heard(peer: string): void {
    this.#wiring.edges.heard(peer)
  }

  /** The peer stops: clients are turned away from now on. */
  stop(): void {
    this.#isStopping = true
    this.#wiring.departures.stop()
  }

  /** Ends what is open, in the order of peer.ts. */
  async close(): Promise<void> {
    const { streams, dispatcher, edges } = this.#wiring
    await streams.close()
    dispatcher.close()
    edges.close()
  }

  /** A command of a client, as http/outcome.ts answers it. */
  async append(request: Request, patienceMs: number): Promise<Answered> {
    if (this.#isStopping) return { kind: 'error', code: 'STOPPING' }
    const { result } = await this.#wiring.dispatcher.append(request, this.#deadline(patienceMs))
    if (result.kind === 'appended' && result.result.kind === 'refused') {
      const { code } = result.result
      // This peer gave the request up before: whether an attempt of it was applied cannot be told any more.
      if (code === 'STALE_PRODUCER') return { kind: 'error', code: 'OUTCOME_UNKNOWN' }
    }
    return answered(result)
  }

  /** For the engine: who takes part in a slot. */
  members(slot: number, deadlineMs: number): Promise<Configuration | null> {
    return membersOf(this.#wiring.dispatcher, slot, deadlineMs)
  }

  /** The same for somebody outside; null when nobody could say. */
  membersWithin(slot: number, patienceMs: number): Promise<Configuration | null> {
    return this.members(slot, this.#deadline(patienceMs))
  }

  /** `POST /v1/peers`. */
  async join(wish: Omit<JoinWish, 'by'>, patienceMs: number): Promise<JoinAnswer> {
    if (this.#isStopping) return problem(new HypercastError('STOPPING'))
    try {
      const by = `${wish.uid} at peer ${this.#member.id}`
      const admitted = await this.#wiring.admission.join({ ...wish, by }, this.#deadline(patienceMs))
      const { roster, peer, fresh } = admitted
      return { status: fresh ? 201 : 200, body: JSON.parse(JSON.stringify({ peer, roster })) }
    } catch (error) {
      return problem(error)
    }
  }

  /** `DELETE /v1/peers/:id`; the code of the error, undefined when the peer is on its way out. */
  async leave(id: string, force: boolean, patienceMs: number): Promise<ErrorCode | undefined> {
    if (this.#isStopping) return 'STOPPING'
    try {
      await this.#wiring.admission.leave(id, 'operator', force, this.#deadline(patienceMs))
      return undefined
    } catch (error) {
      const { code } = asHypercastError(error)
      if (code === 'INTERNAL') throw error
      return code
    }
  }

  /** A read of a client. */
  async ask(operation: Operation, patienceMs: number): Promise<Answered> {
    if (this.#isStopping) return { kind: 'error', code: 'STOPPING' }
    const { result } = await this.#wiring.dispatcher.dispatch(operation, this.#deadline(patienceMs))
    return answered(result)
  }

  /** `GET …/events` as SSE, answered as http/routes/events.ts does. */
  async events(topic: string, query: StartRequest, patienceMs: number, response: Response): Promise<void> {
    await this.#stream(response, () => {
      const start = readStart(query, { kind: 'latest' })
      const options = { topic, start, named: false, format: 'plain' } as const
      return this.streams.open(options, this.#deadline(patienceMs))
    })
  }

  /** `GET /v1/events`, answered as http/routes/several.ts does. */
  several(wants: readonly string[], query: StartRequest, response: Response): void {
    void this.#stream(response, () => this.streams.openSeveral({ wants, start: readSeveralStart(query) }))
  }

  async #stream(response: Response, open: () => OpenedStream | Promise<OpenedStream>): Promise<void> {
    const retry = ({ code }: HypercastError) => {
      response.write(`retry: ${STREAM_SETTINGS.retryMs}\n: ${code}\n\n`)
      response.end()
    }
    if (this.#isStopping) return retry(new HypercastError('STOPPING'))
    try {
      const opened = await open()
      if (opened.kind === 'ended') {
        response.finish(204)
        return
      }
      response.head(200)
      opened.attach(response)
    } catch (error) {
      const known = asHypercastError(error)
      if (known.code === 'INTERNAL') throw error
      if (ERRORS[known.code].status < 500) response.finish(ERRORS[known.code].status)
      else retry(known)
    }
  }

  #deadline(patienceMs: number): number {
    return this.#life.clock.monotonicMs() + patienceMs
  }
}

function answered(result: OperationResult): Answered {
  if (result.kind !== 'failed') return { kind: 'done', result }
  return { kind: 'error', code: result.definite ? result.code : 'OUTCOME_UNKNOWN' }
}

/** As http/problems.ts answers errors. */
function problem(error: unknown): JoinAnswer {
  const { code, message } = asHypercastError(error)
  if (code === 'INTERNAL') throw error
  return { status: ERRORS[code].status, body: { code, detail: message } }
}
