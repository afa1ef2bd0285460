import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { type Duplex, Readable } from 'node:stream'
import type { PeerId } from '../../../services/peer/cube/labels.ts'
import { placement } from '../../../services/peer/cube/placement.ts'
import type { Roster } from '../../../services/peer/cube/roster.ts'
import { systemClock } from '../../../services/peer/engine/clock.ts'
import { FORMAT } from '../../../services/peer/engine/formats.ts'
import {
  type Appended,
  type Beat,
  type CubeEvent,
  SlotError,
  type SlotLogs,
  type SlotMessage,
  type SlotStatus,
  type SnapshotChunk,
} from '../../../services/peer/engine/types.ts'
import { WIRE_FORMAT } from '../../../services/peer/engine/wire.ts'
import { HypercastError } from '../../../services/peer/errors.ts'
import { CubeDispatcher } from '../../../services/peer/links/dispatcher.ts'
import { Edges } from '../../../services/peer/links/edges.ts'
import { Executor } from '../../../services/peer/links/execute.ts'
import { LinkHandlers, type PeerBody } from '../../../services/peer/links/handlers.ts'
import { InboundSockets } from '../../../services/peer/links/inbound.ts'
import { ProducerStamps } from '../../../services/peer/links/producer.ts'
import { Router } from '../../../services/peer/links/router.ts'
import { HttpTransport, type LinkSettings } from '../../../services/peer/links/transport.ts'
import type { ApplyResult, Request, TopicRow } from '../../../services/peer/topics/types.ts'

export const quiet = { debug() {}, info() {}, warn() {}, error() {} }

export type TestSettings = LinkSettings & { readonly acceptTimeoutMs: number }

export const settings: TestSettings = {
  heartbeatTimeoutMs: 200,
  connectTimeoutMs: 500,
  replicateTimeoutMs: 300,
  acceptTimeoutMs: 300,
}

/** For tests in which nobody is silent: a slow machine must not look like that. */
export const patient: TestSettings = {
  heartbeatTimeoutMs: 20_000,
  connectTimeoutMs: 20_000,
  replicateTimeoutMs: 20_000,
  acceptTimeoutMs: 20_000,
}

export const row = (name: string): TopicRow => ({
  name,
  incarnation: 1,
  settings: { maxAgeMs: null, maxEvents: null, maxBytes: null },
  earliest: 1,
  latest: 0,
  bytes: 0,
  createdMs: 0,
})

/** What all replicas of one slot agree on: a log without replication. */
export class FakeLog {
  readonly slot: number
  primary: PeerId | null
  readonly applied: Request[] = []
  readonly #results = new Map<string, ApplyResult>()
  readonly #waiting = new Set<() => void>()

  constructor(slot: number, primary: PeerId | null) {
    this.slot = slot
    this.primary = primary
  }

  elect(primary: PeerId | null): void {
    this.primary = primary
    for (const wake of this.#waiting) wake()
  }

  /** Once per producer's stamp, as the state machine does it. */
  apply(request: Request): ApplyResult {
    const { uid, boot, sequence } = request.producer!
    const stamp = `${uid}/${boot}/${sequence}`
    const known = this.#results.get(stamp)
    if (known) return known
    this.applied.push(request)
    const at = this.applied.length
    const result = {
      kind: 'published',
      incarnation: 1,
      first: at,
      last: at,
      sequence: at,
      timeMs: 0,
    } as const
    this.#results.set(stamp, result)
    return result
  }

  /** Resolves when there is news of a primary, or after a while. */
  change(timeoutMs: number): Promise<void> {
    return new Promise(resolve => {
      const wake = () => {
        clearTimeout(timer)
        this.#waiting.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, timeoutMs)
      this.#waiting.add(wake)
    })
  }
}

/** How the primary deals with an append; what it throws is the answer, and it may apply or not. */
export type AppendHook = (slot: number, request: Request) => Promise<ApplyResult | undefined>

export interface FakeSlots extends SlotLogs {
  hook: AppendHook | undefined
  emit(event: CubeEvent): void
}

export function fakeSlots(self: PeerId, roster: Roster, logs: ReadonlyMap<number, FakeLog>): FakeSlots {
  const held = [...logs.keys()].filter(slot => placement(slot, roster, 3).includes(self))
  const listeners = new Set<(event: CubeEvent) => void>()
  const logOf = (slot: number) => {
    if (!held.includes(slot)) throw new SlotError({ kind: 'unavailable', code: 'NOT_A_REPLICA' })
    return logs.get(slot)!
  }
  const primaryHere = async (log: FakeLog, deadlineMs: number) => {
    const waitMs = Math.min(150, deadlineMs - systemClock.monotonicMs())
    if (log.primary === null) await log.change(waitMs)
    if (log.primary !== self) throw new SlotError({ kind: 'notPrimary', primary: log.primary })
  }
  const stored = { offset: 1, incarnation: 1, sequence: 1, timeMs: 0 }
  const slots: FakeSlots = {
    hook: undefined,
    emit: event => {
      for (const listener of listeners) listener(event)
    },
    held,
    holds: slot => held.includes(slot),
    status: slot =>
      ({
        slot,
        home: '',
        replicas: placement(slot, roster, 3),
        primary: logOf(slot).primary,
      }) as unknown as SlotStatus,
    async append(slot, request, deadlineMs): Promise<Appended> {
      const log = logOf(slot)
      await primaryHere(log, deadlineMs)
      const special = await slots.hook?.(slot, request)
      return { result: special ?? log.apply(request), replicas: 2 }
    },
    members: () => ({ rosterVersion: 1, voters: [] }),
    bytesToMove: () => 0,
    async barrier(slot, deadlineMs) {
      await primaryHere(logOf(slot), deadlineMs)
    },
    topic: (_slot, name) => (name.startsWith('no') ? undefined : row(name)),
    topics: slot => [row(`topic-of-${slot}`)],
    incarnation: () => 1,
    read: (_slot, incarnation, from) => [{ ...stored, offset: from, incarnation, data: Buffer.from(self) }],
    offsetAt: () => 7,
    position: () => ({ sequence: 9, index: 9 }),
    readSlot: (_slot, wants, position) => ({
      kind: 'slice',
      events: [{ topic: wants[0]!, event: { ...stored, data: Buffer.from(self) } }],
      gaps: [],
      position,
      latest: 9,
    }),
    placeSlot: async () => ({ kind: 'placed', position: { sequence: 9, index: 9 }, tail: [] }),
    follow: () => () => {},
    onCubeEvent(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  return slots
}

/** The engine as links/ sees it, with a record of what it was told. */
export class FakeEngine {
  readonly received: { readonly from: PeerId; readonly messages: readonly SlotMessage[] }[] = []
  readonly closed: PeerId[] = []
  readonly lost: PeerId[] = []
  roster: Roster = { version: 1, clusterId: 'c', dimension: 1, slots: 1, peers: [] }
  onReceive: (from: PeerId, messages: readonly SlotMessage[]) => Promise<void> | void = () => {}
  onClosed: (peer: PeerId) => void = () => {}
  onLost: (peer: PeerId) => void = () => {}
  onChunk: (slot: number, afterIndex: number) => SnapshotChunk = () => ({ records: [] })

  askForRoster(): void {}

  async receive(from: PeerId, messages: readonly SlotMessage[]): Promise<void> {
    this.received.push({ from, messages })
    await this.onReceive(from, messages)
  }

  heartbeat(_from: PeerId, beat: Beat): Beat {
    return { ...beat, uid: 'answer' }
  }

  connectionClosed(peer: PeerId): void {
    this.closed.push(peer)
    this.onClosed(peer)
  }

  unreachable(peer: PeerId): void {
    this.lost.push(peer)
    this.onLost(peer)
  }

  snapshotChunk(_from: PeerId, slot: number, afterIndex: number): SnapshotChunk {
    return this.onChunk(slot, afterIndex)
  }
}

/** One peer's links behind a real HTTP server on loopback. */
export class TestPeer {
  readonly id: PeerId
  readonly slots: FakeSlots
  readonly engine = new FakeEngine()
  readonly transport: HttpTransport
  readonly edges: Edges
  readonly router: Router
  readonly dispatcher: CubeDispatcher
  readonly handlers: LinkHandlers
  readonly inbound: InboundSockets
  /** Requests that came in, by path, and lanes. */
  readonly requests = new Map<string, number>()
  /** Streams of clients here, by topic. */
  readonly listeners = new Map<string, number>()
  /** False for peers the engine believes down. */
  isUp: (peer: PeerId) => boolean = () => true
  /** Set: requests are taken and never answered, as by a stopped process. */
  frozen = false
  /** Edges that are cut: requests from these peers are reset. */
  readonly cutFrom = new Set<PeerId>()
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor(
    id: PeerId,
    roster: Roster,
    urls: Map<PeerId, string>,
    logs: ReadonlyMap<number, FakeLog>,
    timeouts: TestSettings,
  ) {
    this.id = id
    this.slots = fakeSlots(id, roster, logs)
    const common = { self: id, clock: systemClock, random: Math.random, log: quiet }
    this.transport = new HttpTransport({
      ...common,
      uid: `uid-${id}`,
      clusterId: roster.clusterId,
      url: urls.get(id) ?? '',
      whereabouts: { urlOf: peer => urls.get(peer), missed() {}, uidOf: () => undefined },
      wireFormat: () => WIRE_FORMAT,
      settings: timeouts,
    })
    this.transport.attach(this.engine)
    this.edges = new Edges({
      ...common,
      pools: this.transport.pools,
      identity: this.transport.identity,
      wireFormat: () => WIRE_FORMAT,
      acceptTimeoutMs: timeouts.acceptTimeoutMs,
      isUp: peer => this.isUp(peer),
      trouble: peer => this.engine.connectionClosed(peer),
    })
    const { slots, edges } = this
    this.router = new Router({
      ...common,
      roster: () => roster,
      executor: new Executor(id, urls.get(id) ?? '', slots, topic => this.listeners.get(topic) ?? 0),
      edges,
    })
    this.dispatcher = new CubeDispatcher({
      ...common,
      roster: () => roster,
      slots,
      router: this.router,
      edges,
      producers: new ProducerStamps({ uid: `uid-${id}`, boot: 1 }),
    })
    this.inbound = new InboundSockets(peer => this.engine.connectionClosed(peer))
    const { transport, engine, router, inbound } = this
    this.handlers = new LinkHandlers({
      transport,
      engine,
      router,
      edges,
      inbound,
      clock: systemClock,
      log: quiet,
    })
    this.#server = createServer((request, response) => this.#serve(request, response))
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const from = String(request.headers['hypercast-from'])
      this.requests.set('lane', this.count('lane') + 1)
      socket.on('error', () => {})
      if (this.cutFrom.has(from)) socket.destroy()
      else if (!this.frozen) {
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: hypercast-lane\r\n\r\n',
        )
        this.handlers.lane(from, socket, head)
      }
    })
    this.#server.on('connection', socket => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  async listen(port = 0): Promise<string> {
    await new Promise<void>(resolve => this.#server.listen(port, '127.0.0.1', resolve))
    return this.url
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Resets every connection that came in; the port stays open. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  count(path: string): number {
    return this.requests.get(path) ?? 0
  }

  /** Like kill -9: the port refuses and every connection is reset. */
  async kill(): Promise<void> {
    const closed = new Promise(resolve => this.#server.close(resolve))
    this.cut()
    await closed
  }

  async close(): Promise<void> {
    this.inbound.stop()
    this.dispatcher.close()
    this.edges.close()
    await this.transport.close()
    if (this.#server.listening) await this.kill()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const from = String(request.headers['hypercast-from'])
    const { pathname, searchParams } = new URL(request.url!, 'http://peer')
    this.requests.set(pathname, this.count(pathname) + 1)
    if (this.frozen) return
    if (this.cutFrom.has(from)) {
      request.socket.resetAndDestroy()
      return
    }
    const type = request.headers['content-type']
    try {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const body = Buffer.concat(chunks)
      if (pathname === '/v1/relay/operations') {
        Readable.from(this.handlers.operations(from, type, body)).pipe(response)
        return
      }
      const answer = await this.#answer(pathname, searchParams, from, type, body, request.socket)
      response.setHeader('content-type', answer.contentType)
      response.end(answer.body)
    } catch (error) {
      response.statusCode = error instanceof HypercastError ? 400 : 500
      response.end(String(error))
    }
  }

  #answer(
    path: string,
    query: URLSearchParams,
    from: PeerId,
    type: string | undefined,
    body: Buffer,
    socket: Socket,
  ): Promise<PeerBody> {
    if (path === '/v1/replicate') return this.handlers.replicate(from, type, body)
    if (path === '/v1/heartbeat') return this.handlers.heartbeat(from, type, body, socket)
    return this.handlers.snapshot(from, Number(query.get('slot')), Number(query.get('after')))
  }
}

/** A cube of fake peers over real loopback HTTP. */
export class TestCube {
  readonly roster: Roster
  readonly logs: ReadonlyMap<number, FakeLog>
  readonly peers: ReadonlyMap<PeerId, TestPeer>

  constructor(roster: Roster, logs: ReadonlyMap<number, FakeLog>, peers: ReadonlyMap<PeerId, TestPeer>) {
    this.roster = roster
    this.logs = logs
    this.peers = peers
  }

  peer(id: PeerId): TestPeer {
    return this.peers.get(id)!
  }

  async close(): Promise<void> {
    await Promise.all([...this.peers.values()].map(peer => peer.close()))
  }
}

/** Starts `count` peers of a cube with 8 slots; the home of each is its primary. */
export async function startCube(
  count = 8,
  dimension = 3,
  timeouts = settings,
  format = FORMAT,
): Promise<TestCube> {
  const ids = Array.from({ length: count }, (_, i) => i.toString(2).padStart(dimension, '0'))
  const peersOf = ids.map((id, i) => ({ id, uid: `uid-${id}`, number: i + 1, url: '', format }))
  const roster: Roster = { version: 1, clusterId: 'test', dimension, slots: 8, peers: peersOf, format }
  const logs = new Map<number, FakeLog>()
  for (let slot = 0; slot < 8; slot += 1) logs.set(slot, new FakeLog(slot, placement(slot, roster, 1)[0]!))
  const urls = new Map<PeerId, string>()
  const peers = new Map(ids.map(id => [id, new TestPeer(id, roster, urls, logs, timeouts)]))
  for (const [id, peer] of peers) urls.set(id, await peer.listen())
  return new TestCube(roster, logs, peers)
}

export const inMs = (ms: number): number => systemClock.monotonicMs() + ms

/** A promise and the way to settle it. */
export function signal<T = void>(): { readonly promise: Promise<T>; resolve(value: T): void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>(accept => {
    resolve = accept
  })
  return { promise, resolve: value => resolve(value) }
}
