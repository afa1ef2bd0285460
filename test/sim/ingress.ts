import { createHash } from 'node:crypto'
import { replicasOf, slotOf } from '../../services/peer/cube/placement.ts'
import type { Roster } from '../../services/peer/cube/roster.ts'
import { ERRORS, type ErrorCode, HypercastError } from '../../services/peer/errors.ts'
import { asHypercastError } from '../../services/peer/http/problems.ts'
import { readStart, type StartRequest } from '../../services/peer/http/start.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import { CubeDispatcher } from '../../services/peer/links/dispatcher.ts'
import { Edges } from '../../services/peer/links/edges.ts'
import { Executor } from '../../services/peer/links/execute.ts'
import { makeOpenFollow } from '../../services/peer/links/follow.ts'
import { LinkHandlers } from '../../services/peer/links/handlers.ts'
import { InboundSockets } from '../../services/peer/links/inbound.ts'
import { ProducerStamps } from '../../services/peer/links/producer.ts'
import { packedHeaders } from '../../services/peer/links/replicate.ts'
import { Router } from '../../services/peer/links/router.ts'
import type { Operation, OperationResult } from '../../services/peer/links/types.ts'
import type { Configuration } from '../../services/peer/raft/types.ts'
import { TopicStreams } from '../../services/peer/streams/hub.ts'
import type { Request } from '../../services/peer/topics/types.ts'
import type { Connections, Response } from './connections.ts'
import { followConnection, operationsConnection, type PeerConnectionOptions } from './edges.ts'
import type { Life } from './life.ts'
import { type Member, SETTINGS } from './member.ts'
import type { Chance } from './world.ts'

/** Small bounds, so that subscribers fall behind the ring and fill their buffers in a short run. */
const STREAM_BOUNDS = { ringEvents: 12, ringBytes: 6_000, bufferBytes: 900, replayEvents: 8 }
const STREAM_SETTINGS = { heartbeatMs: 1_000, stallTimeoutMs: 2_500, retryMs: 500, flushMs: 2 }

export interface IngressOptions {
  readonly member: Member
  readonly roster: Roster
  readonly connections: Connections
  readonly chance: Chance
  /** The peers' ingresses; undefined for one that does not run. */
  readonly of: (member: Member) => Ingress | undefined
  /** What the peer would log as an error: nothing may. */
  readonly onError: (what: string) => void
}

/** What an HTTP client is answered: a result, or an error of the table. */
export type Answered =
  | { readonly kind: 'done'; readonly result: OperationResult }
  | { readonly kind: 'error'; readonly code: ErrorCode }

/**
 * What stands above the engine in one life of a peer, wired as in peer.ts: the ingress with its edges to the other
 * peers, and the streams. Its HTTP surface is thin: what the routes of http/ do with results and errors.
 */
export class Ingress {
  readonly streams: TopicStreams
  readonly handlers: LinkHandlers
  readonly #dispatcher: CubeDispatcher
  readonly #edges: Edges
  readonly #life: Life
  #isStopping = false

  constructor({ member, roster, connections, chance, of, onError }: IngressOptions) {
    const { id: self, engine, store, life } = member
    const { clock } = life
    this.#life = life
    const random = () => chance.next()
    const log = {
      ...{ debug() {}, info() {}, warn() {} },
      error: (fields: object, message: string) => onError(`${self}: ${message}: ${JSON.stringify(fields)}`),
    }
    const peerOptions: PeerConnectionOptions = { member, connections, of }
    const identity = { 'hypercast-cluster': roster.clusterId, 'hypercast-from': self }
    this.#edges = new Edges({
      clock,
      random,
      pools: { operations: peer => operationsConnection(peerOptions, peer) },
      identity,
      acceptTimeoutMs: SETTINGS.electionMs / 2,
      isUp: peer => engine.peerUp(peer),
      trouble: peer => engine.connectionClosed(peer),
    })
    const executor = new Executor(self, engine)
    const router = new Router({ self, roster: () => engine.roster, clock, executor, edges: this.#edges })
    this.#dispatcher = new CubeDispatcher({
      self,
      roster: () => engine.roster,
      clock,
      random,
      log,
      slots: engine,
      router,
      edges: this.#edges,
      producers: new ProducerStamps(store.identity),
    })
    this.streams = new TopicStreams({
      self,
      slots: engine,
      dispatcher: this.#dispatcher,
      clock,
      random,
      log,
      openFollow: makeOpenFollow({
        connections: peer => followConnection(peerOptions, peer),
        headers: () => packedHeaders(identity),
      }),
      settings: STREAM_SETTINGS,
      slotOf: topic => slotOf(createHash('sha256').update(topic, 'utf8').digest(), roster.slots),
      replicasOf: slot => replicasOf(slot, engine.roster, LIMITS),
      bounds: STREAM_BOUNDS,
    })
    this.handlers = new LinkHandlers({
      transport: { handleReplicate: async () => [], heard() {} },
      engine,
      router,
      edges: this.#edges,
      inbound: new InboundSockets(() => {}),
      clock,
      log,
    })
  }

  /** A sign of life of another peer. */
  heard(peer: string): void {
    this.#edges.heard(peer)
  }

  /** The peer stops: clients are turned away from now on. */
  stop(): void {
    this.#isStopping = true
  }

  /** Ends what is open, in the order of peer.ts. */
  async close(): Promise<void> {
    await this.streams.close()
    this.#dispatcher.close()
    this.#edges.close()
  }

  /** A command of a client, as http/outcome.ts answers it. */
  async append(request: Request, patienceMs: number): Promise<Answered> {
    if (this.#isStopping) return { kind: 'error', code: 'STOPPING' }
    const { result } = await this.#dispatcher.append(request, this.#deadline(patienceMs))
    if (result.kind === 'appended' && result.result.kind === 'refused') {
      const { code } = result.result
      // This peer gave the request up before: whether an attempt of it was applied cannot be told any more.
      if (code === 'STALE_PRODUCER') return { kind: 'error', code: 'OUTCOME_UNKNOWN' }
    }
    return answered(result)
  }

  /** For the engine: who takes part in a slot. */
  async members(slot: number, deadlineMs: number): Promise<Configuration | null> {
    const { result } = await this.#dispatcher.dispatch({ kind: 'members', slot }, deadlineMs)
    return result.kind === 'members' ? result.configuration : null
  }

  /** The same for somebody outside; null when nobody could say. */
  membersWithin(slot: number, patienceMs: number): Promise<Configuration | null> {
    return this.members(slot, this.#deadline(patienceMs))
  }

  /** A read of a client. */
  async ask(operation: Operation, patienceMs: number): Promise<Answered> {
    if (this.#isStopping) return { kind: 'error', code: 'STOPPING' }
    const { result } = await this.#dispatcher.dispatch(operation, this.#deadline(patienceMs))
    return answered(result)
  }

  /** `GET …/events` as SSE, answered as http/routes/events.ts does. */
  async events(topic: string, query: StartRequest, patienceMs: number, response: Response): Promise<void> {
    const retry = ({ code }: HypercastError) => {
      response.write(`retry: ${STREAM_SETTINGS.retryMs}\n: ${code}\n\n`)
      response.end()
    }
    if (this.#isStopping) return retry(new HypercastError('STOPPING'))
    try {
      const start = readStart(query, { kind: 'latest' })
      const options = { topic, start, named: false, format: 'plain' } as const
      const opened = await this.streams.open(options, this.#deadline(patienceMs))
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
