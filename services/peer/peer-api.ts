import type { Parts } from './assembly.ts'
import type { PeerConfig } from './config.ts'
import { systemClock } from './engine/clock.ts'
import type { Founding } from './engine/founding.ts'
import type { EngineLog } from './engine/settings.ts'
import { HypercastError } from './errors.ts'
import type { LinksApi, MembershipApi, PeerApi, StreamsApi } from './http/api.ts'
import { handleFounding } from './links/founding.ts'
import { handleRecovery } from './links/recovery.ts'
import type { PeerMetrics } from './metrics.ts'
import type { LogStore } from './store/types.ts'

/** A peer's life, as far as those who ask it something must know. */
export interface PeerState {
  readonly config: PeerConfig
  readonly store: LogStore
  readonly metrics: PeerMetrics
  readonly log: EngineLog
  /** Names this process, apart from others that run on a copy of its store. */
  readonly run: string
  /** Undefined for a peer that joins. */
  readonly founding: Founding | undefined
  /** Undefined until it belongs to a cluster. */
  parts(): Parts | undefined
  /** Every slot held here has had a primary. */
  isReady(): boolean
  /** It has handed its slots over, to be replaced by an empty store. */
  isSilent(): boolean
  isStopping(): boolean
}

/** What a peer shows to http/; what needs a cluster rejects with HypercastError NOT_FOUNDED until it belongs to one. */
export function peerApi(state: PeerState): PeerApi {
  const { config, metrics, log, parts } = state
  const founded = () => {
    const found = parts()
    if (found === undefined) throw new HypercastError('NOT_FOUNDED')
    return found
  }
  return {
    get self() {
      return parts()?.self ?? config.nodeId ?? ''
    },
    roster: () => parts()?.engine.roster ?? null,
    get dispatcher() {
      return founded().dispatcher
    },
    get slots() {
      return founded().engine
    },
    streams: streamsApi(state, founded),
    links: linksApi(state, founded),
    membership: membershipApi(founded),
    peerStatus: peer => (peer === parts()?.self ? 'self' : (parts()?.engine.peerState(peer) ?? 'unknown')),
    primaryOf: slot => parts()?.dispatcher.primaryOf(slot) ?? null,
    settings: {
      ...config,
      retention: {
        maxAgeMs: config.retentionAgeMs,
        maxBytes: config.retentionBytes,
        maxEvents: config.retentionEvents,
      },
    },
    metrics,
    log,
    clock: systemClock,
    ready: () => readiness(state),
    stopping: () => state.isStopping(),
  }
}

function streamsApi({ parts }: PeerState, founded: () => Parts): StreamsApi {
  return {
    open: (options, deadlineMs) => founded().streams.open(options, deadlineMs),
    openSeveral: async options => founded().streams.openSeveral(options),
    page: (topic, start, limit) => founded().streams.page(topic, start, limit),
    history: (topic, start, signal) => founded().streams.history(topic, start, signal),
    openTrunk: (peer, name, sink) => founded().streams.openTrunk(peer, name, sink),
    wants: (peer, update) => founded().streams.wants(peer, update),
    stats: () => parts()?.streams.stats() ?? { streams: 0, trunksDown: 0, trunksUp: 0, deliveries: 0 },
    close: () => parts()?.streams.close(),
  }
}

function linksApi({ store, run, founding, parts }: PeerState, founded: () => Parts): LinksApi {
  return {
    uid: store.identity.uid,
    said: (from, url) => founded().whereabouts.said(from, url),
    lane: (from, socket, head) => founded().handlers.lane(from, socket, head),
    closeLanes: () => parts()?.handlers.closeLanes(),
    replicate: async (from, type, body) => founded().handlers.replicate(from, type, body),
    heartbeat: async (from, type, body, socket) => founded().handlers.heartbeat(from, type, body, socket),
    operations: (from, type, body) => founded().handlers.operations(from, type, body),
    roster: async () => founded().handlers.roster(),
    snapshot: async (from, slot, after) => founded().handlers.snapshot(from, slot, after),
    identity: async () => ({
      uid: store.identity.uid,
      clusterId: store.roster()?.clusterId ?? null,
      run,
    }),
    recovery: (type, body) => handleRecovery(type, body, ask => founded().recovering.survivor.answer(ask)),
    founding: async (type, body) => {
      if (!founding) throw new HypercastError('NOT_FOUNDED', 'This peer joins a cluster and founds none.')
      return handleFounding(type, body, statement => founding.answer(statement))
    },
  }
}

function membershipApi(founded: () => Parts): MembershipApi {
  return {
    join: async (wish, deadlineMs) => founded().admission.join(wish, deadlineMs),
    leave: async (id, { by, force }, deadlineMs) => founded().admission.leave(id, by, force, deadlineMs),
    recover: async wish => founded().recovering.recovery.recover(wish),
    progress: async deadlineMs => founded().admission.survey(deadlineMs),
  }
}

function readiness(state: PeerState): { ready: boolean; why: string } {
  if (state.isStopping()) return { ready: false, why: 'the peer is stopping' }
  if (state.isSilent()) return { ready: false, why: 'the store of this peer is damaged and is replaced' }
  const engine = state.parts()?.engine
  if (!engine) return { ready: false, why: 'the cube is not founded yet' }
  const waiting = engine.held.filter(slot => engine.status(slot).primary === null).length
  if (waiting > 0) return { ready: false, why: `${waiting} slots held here have no primary` }
  if (!state.isReady()) return { ready: false, why: 'the peer is starting' }
  const { size } = engine.corrupt
  const why = size === 0 ? 'ready' : `ready, but for ${size} slots with a corrupt record here`
  return { ready: true, why }
}
