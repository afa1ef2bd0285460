import { createHash } from 'node:crypto'
import type { PeerConfig } from './config.ts'
import type { PeerId } from './cube/labels.ts'
import { replicasOf, slotOf } from './cube/placement.ts'
import type { Roster } from './cube/roster.ts'
import { systemClock } from './engine/clock.ts'
import { Engine } from './engine/engine.ts'
import { StrangerError } from './engine/founding.ts'
import type { EngineLog } from './engine/settings.ts'
import { WIRE_FORMAT } from './engine/wire.ts'
import { PeerJournal } from './journal.ts'
import { LIMITS } from './limits.ts'
import { CubeDispatcher } from './links/dispatcher.ts'
import { Edges } from './links/edges.ts'
import { Executor } from './links/execute.ts'
import { makeOpenFollow } from './links/follow.ts'
import { LinkHandlers } from './links/handlers.ts'
import { identify } from './links/identity.ts'
import { InboundSockets } from './links/inbound.ts'
import { ProducerStamps } from './links/producer.ts'
import { packedHeaders } from './links/replicate.ts'
import { Router } from './links/router.ts'
import { HttpTransport } from './links/transport.ts'
import { Admission } from './membership/admission.ts'
import { Departures } from './membership/departures.ts'
import type { PeerMetrics } from './metrics.ts'
import type { Configuration } from './raft/types.ts'
import type { LogStore } from './store/types.ts'
import { TopicStreams } from './streams/hub.ts'

/** What stands only once there is a roster. */
export interface Parts {
  readonly self: PeerId
  readonly engine: Engine
  readonly dispatcher: CubeDispatcher
  readonly streams: TopicStreams
  readonly handlers: LinkHandlers
  readonly journal: PeerJournal
  readonly admission: Admission
  readonly departures: Departures
  /** Ends what goes out to other peers. */
  close(): Promise<void>
}

export interface AssemblyOptions {
  readonly config: PeerConfig
  readonly log: EngineLog
  readonly roster: Roster
  readonly store: LogStore
  readonly metrics: PeerMetrics
  /** An invariant is broken or the disk failed: the process must end. */
  onFatal(error: Error): void
  /** The roster does not list this peer any more. */
  onRemoved(self: PeerId): void
}

/**
 * Wires the rooms together around a roster that lists this peer's store. Throws StrangerError when it does not.
 */
export function assemble({
  config,
  log,
  onFatal,
  onRemoved,
  roster,
  store,
  metrics,
}: AssemblyOptions): Parts {
  const self = ownId(roster, store.identity.uid)
  const clock = systemClock
  const random = Math.random
  let urls = urlsOf(roster)
  const transport = new HttpTransport({
    self,
    uid: store.identity.uid,
    clusterId: roster.clusterId,
    urlOf: peer => urls.get(peer),
    clock,
    random,
    log,
    settings: {
      heartbeatTimeoutMs: config.electionMs,
      connectTimeoutMs: config.electionMs,
      replicateTimeoutMs: 2 * config.electionMs,
    },
  })
  const journal = new PeerJournal({ log, slots: () => engine, clock })
  const engine: Engine = new Engine({
    self,
    roster,
    members: (slot, deadlineMs) => membersOf(dispatcher, slot, deadlineMs),
    store,
    transport,
    clock,
    random,
    log,
    observer: {
      committed: durationMs => metrics.committed(durationMs),
      flushed: (durationMs, entries) => metrics.flushed(durationMs, entries),
      election: () => metrics.election(),
      beat: (peer, ok) => {
        metrics.beat(peer, ok)
        journal.beat(peer, ok)
      },
    },
    settings: config,
    onFatal: error => onFatal(error instanceof Error ? error : new Error(String(error))),
    onRemoved: () => onRemoved(self),
  })
  transport.attach(engine)
  engine.onRoster(now => {
    urls = urlsOf(now)
  })
  const inbound = new InboundSockets(peer => engine.connectionClosed(peer))
  const edges = new Edges({
    clock,
    random,
    pools: transport.pools,
    identity: transport.identity,
    acceptTimeoutMs: Math.max(config.electionMs / 2, 4 * LIMITS.ACCEPT_AFTER_MS),
    isUp: peer => engine.peerUp(peer),
    trouble: peer => engine.connectionClosed(peer),
  })
  const executor = new Executor(self, engine)
  const router = new Router({ self, roster: () => engine.roster, clock, executor, edges })
  const dispatcher: CubeDispatcher = new CubeDispatcher({
    self,
    roster: () => engine.roster,
    clock,
    random,
    log,
    slots: engine,
    router,
    edges,
    producers: new ProducerStamps(store.identity),
  })
  const streams = new TopicStreams({
    self,
    slots: engine,
    dispatcher,
    clock,
    random,
    log,
    openFollow: makeOpenFollow({
      connections: peer => transport.pools.bulk(peer),
      headers: () => packedHeaders(transport.identity),
    }),
    settings: {
      heartbeatMs: config.sseHeartbeatMs,
      stallTimeoutMs: config.stallTimeoutMs,
      retryMs: config.sseRetryMs,
      flushMs: LIMITS.STREAM_FLUSH_MS,
    },
    slotOf: topic => slotOf(createHash('sha256').update(topic, 'utf8').digest(), roster.slots),
    replicasOf: slot => replicasOf(slot, engine.roster, LIMITS),
  })
  metrics.watch({
    slots: engine,
    streams,
    neighbours: () => engine.rosters.neighbours(self).map(id => ({ id, up: engine.peerUp(id) })),
  })
  const { rosters } = engine
  const admission = new Admission({
    rosters,
    dispatcher,
    clock,
    format: WIRE_FORMAT,
    identify: url => identify(url, config.peerTimeoutMs, clock),
    adopt: now => engine.adopt(now),
    isUp: peer => engine.peerState(peer) === 'up',
  })
  const departures = new Departures({
    self,
    rosters,
    dispatcher,
    clock,
    log,
    evictAfterMs: config.evictAfterMs,
    isRosterPrimary: () => engine.holds(roster.slots) && engine.status(roster.slots).primary === self,
    isLost: () => engine.isLost(),
    askForRoster: peer => engine.askForRoster(peer),
    silentForMs: peer => engine.silentForMs(peer),
    reaches: async (peer, deadlineMs) => {
      const { result } = await dispatcher.dispatch({ kind: 'ping', peer }, deadlineMs)
      return result.kind === 'pong'
    },
  })
  const handlers = new LinkHandlers({ transport, engine, router, edges, inbound, clock, log })
  return {
    self,
    engine,
    dispatcher,
    streams,
    handlers,
    journal,
    admission,
    departures,
    async close() {
      inbound.stop()
      dispatcher.close()
      edges.close()
      await transport.close()
    },
  }
}

function urlsOf({ peers }: Roster): Map<PeerId, string> {
  return new Map(peers.map(({ id, url }) => [id, url]))
}

/** Who takes part in a slot, asked of its primary; null when nobody can say. */
async function membersOf(
  dispatcher: CubeDispatcher,
  slot: number,
  deadlineMs: number,
): Promise<Configuration | null> {
  const { result } = await dispatcher.dispatch({ kind: 'members', slot }, deadlineMs)
  return result.kind === 'members' ? result.configuration : null
}

function ownId(roster: Roster, uid: string): PeerId {
  const own = roster.peers.find(peer => peer.uid === uid)
  if (own) return own.id
  throw new StrangerError(`The roster of cluster ${roster.clusterId} does not list this store (uid ${uid}).`)
}
