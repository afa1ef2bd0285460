import type { PeerConfig } from './config.ts'
import type { PeerId } from './cube/labels.ts'
import type { Roster } from './cube/roster.ts'
import { formatOf } from './cube/roster-format.ts'
import { systemClock } from './engine/clock.ts'
import { Engine } from './engine/engine.ts'
import { wireFormatOf } from './engine/formats.ts'
import { StrangerError } from './engine/founding.ts'
import type { EngineLog } from './engine/settings.ts'
import { PeerJournal } from './journal.ts'
import { LIMITS } from './limits.ts'
import { forgetDeparted } from './links/departed.ts'
import type { CubeDispatcher } from './links/dispatcher.ts'
import { LinkHandlers } from './links/handlers.ts'
import { identify } from './links/identity.ts'
import { InboundSockets } from './links/inbound.ts'
import { askRecovery } from './links/recovery.ts'
import { packedHeaders } from './links/replicate.ts'
import { HttpTransport } from './links/transport.ts'
import { makeTrunkLinks } from './links/trunk.ts'
import { Whereabouts } from './links/whereabouts.ts'
import type { Admission } from './membership/admission.ts'
import type { Departures } from './membership/departures.ts'
import type { PeerMetrics } from './metrics.ts'
import { type Recovering, wireRecovery } from './recovering.ts'
import type { LogStore } from './store/types.ts'
import type { TopicStreams } from './streams/hub.ts'
import { membersOf, type Wiring, wire } from './wiring.ts'

/** What stands only once there is a roster. */
export interface Parts {
  readonly self: PeerId
  readonly engine: Engine
  readonly dispatcher: CubeDispatcher
  readonly streams: TopicStreams
  readonly handlers: LinkHandlers
  readonly whereabouts: Whereabouts
  readonly journal: PeerJournal
  readonly admission: Admission
  readonly departures: Departures
  readonly recovering: Recovering
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
  const whereabouts = new Whereabouts(() => engine.roster)
  const transport = new HttpTransport({
    self,
    uid: store.identity.uid,
    clusterId: roster.clusterId,
    url: config.url,
    whereabouts,
    wireFormat: () => wireFormatOf(formatOf(engine.roster)),
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
    members: (slot, deadlineMs) => membersOf(wiring.dispatcher, slot, deadlineMs),
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
        // The last one to a peer may end, and fail, when it is off the list.
        if (whereabouts.urlOf(peer) === undefined) return
        metrics.beat(peer, ok)
        journal.beat(peer, ok)
      },
    },
    settings: config,
    onFatal: error => onFatal(error instanceof Error ? error : new Error(String(error))),
    onRemoved: () => onRemoved(self),
  })
  transport.attach(engine)
  const inbound = new InboundSockets(peer => engine.connectionClosed(peer))
  const wiring: Wiring = wire({
    ...{ self, engine, store: store.identity, clock, random, log },
    url: config.url,
    headers: transport.identity,
    pools: transport.pools,
    acceptTimeoutMs: Math.max(config.electionMs / 2, 4 * LIMITS.ACCEPT_AFTER_MS),
    trunks: makeTrunkLinks({
      streams: peer => transport.pools.bulk(peer),
      requests: peer => transport.pools.operations(peer),
      headers: () => packedHeaders(transport.identity),
      clock,
    }),
    streaming: {
      heartbeatMs: config.sseHeartbeatMs,
      stallTimeoutMs: config.stallTimeoutMs,
      retryMs: config.sseRetryMs,
      flushMs: LIMITS.STREAM_FLUSH_MS,
    },
    evictAfterMs: config.evictAfterMs,
    identify: url => identify(url, config.peerTimeoutMs, clock),
  })
  const { edges, router, dispatcher, streams, admission, departures } = wiring
  metrics.watch({
    slots: engine,
    streams,
    neighbours: () => engine.rosters.neighbours(self).map(id => ({ id, up: engine.peerUp(id) })),
  })
  const handlers = new LinkHandlers({ transport, engine, router, edges, inbound, clock, log })
  const recovering = wireRecovery({
    ...{ self, uid: store.identity.uid, engine, dispatcher, clock, electionMs: config.electionMs, log },
    ask: (peer, ask) => askRecovery(transport.pools, transport.identity, peer, ask, clock),
    // A step that waits for the lost must itself be answered in time.
    identify: url => identify(url, Math.min(config.peerTimeoutMs, LIMITS.RECOVERY_STEP_MS / 2), clock),
  })
  forgetDeparted({ engine, transport, edges, inbound, dispatcher, metrics })
  return {
    self,
    engine,
    dispatcher,
    streams,
    handlers,
    whereabouts,
    journal,
    admission,
    departures,
    recovering,
    async close() {
      inbound.stop()
      dispatcher.close()
      edges.close()
      await transport.close()
    },
  }
}

function ownId(roster: Roster, uid: string): PeerId {
  const own = roster.peers.find(peer => peer.uid === uid)
  if (own) return own.id
  throw new StrangerError(`The roster of cluster ${roster.clusterId} does not list this store (uid ${uid}).`)
}
