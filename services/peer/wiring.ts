import type { PeerId } from './cube/labels.ts'
import { parentsOf } from './cube/parents.ts'
import { replicasOf } from './cube/placement.ts'
import { formatOf } from './cube/roster-format.ts'
import type { Engine } from './engine/engine.ts'
import { wireFormatOf } from './engine/formats.ts'
import type { EngineLog } from './engine/settings.ts'
import type { Clock } from './engine/types.ts'
import { LIMITS } from './limits.ts'
import { CubeDispatcher } from './links/dispatcher.ts'
import { Edges, type EdgesOptions } from './links/edges.ts'
import { Executor } from './links/execute.ts'
import { ProducerStamps } from './links/producer.ts'
import { Router } from './links/router.ts'
import { topicSlot } from './links/topic-slot.ts'
import { Admission, type Identity } from './membership/admission.ts'
import { Departures } from './membership/departures.ts'
import type { Configuration } from './raft/types.ts'
import type { StoreIdentity } from './store/types.ts'
import { TopicStreams, type TopicStreamsOptions } from './streams/hub.ts'

export interface WiringOptions
  extends Pick<EdgesOptions, 'pools' | 'acceptTimeoutMs'>,
    Pick<TopicStreamsOptions, 'trunks' | 'bounds'> {
  readonly self: PeerId
  readonly engine: Engine
  readonly store: StoreIdentity
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly log: EngineLog
  /** Where this peer is reached. */
  readonly url: string
  /** Headers that say who asks. */
  readonly headers: Readonly<Record<string, string>>
  readonly streaming: TopicStreamsOptions['settings']
  /** Silence after which a peer is taken for dead for good; 0 for never. */
  readonly evictAfterMs: number
  /** Asks whoever answers at `url` who it is. Rejects when nobody does in time. */
  identify(url: string): Promise<Identity>
}

/** What stands above the engine of one peer. */
export interface Wiring {
  readonly edges: Edges
  readonly router: Router
  readonly dispatcher: CubeDispatcher
  readonly streams: TopicStreams
  readonly admission: Admission
  readonly departures: Departures
}

/** Wires the rooms above the engine together; which clock, network and chance they have is given. */
export function wire(options: WiringOptions): Wiring {
  const { self, engine, store, clock, random, log, streaming, evictAfterMs } = options
  const { rosters } = engine
  const { slots: slotCount } = engine.roster
  const roster = () => engine.roster
  const edges = new Edges({
    clock,
    random,
    pools: options.pools,
    identity: options.headers,
    wireFormat: () => wireFormatOf(formatOf(engine.roster)),
    acceptTimeoutMs: options.acceptTimeoutMs,
    isUp: peer => engine.peerUp(peer),
    trouble: peer => engine.connectionClosed(peer),
  })
  const executor = new Executor(self, options.url, engine, topic => streams.listeners(topic))
  const router = new Router({ self, roster, clock, executor, edges })
  const producers = new ProducerStamps(store)
  const dispatcher = new CubeDispatcher({
    ...{ self, roster, clock, random, log, slots: engine, router, edges, producers },
  })
  const streams: TopicStreams = new TopicStreams({
    ...{ self, slots: engine, dispatcher, clock, random, log, settings: streaming },
    trunks: options.trunks,
    ...(options.bounds && { bounds: options.bounds }),
    slotOf: topic => topicSlot(topic, slotCount),
    slotCount,
    parentsOf: slot => {
      const parents = parentsOf({
        ...{ self, replicas: replicasOf(slot, engine.roster, LIMITS), dimension: engine.roster.dimension },
        ...{ neighbours: rosters.neighbours(self), alive: peer => edges.alive(peer) },
      })
      const primary = dispatcher.primaryOf(slot)
      const isElsewhere = primary !== null && primary !== self && !parents.includes(primary)
      return isElsewhere ? [...parents, primary] : parents
    },
  })
  const reaches = async (peer: PeerId, deadlineMs: number) => {
    const { result } = await dispatcher.dispatch({ kind: 'ping', peer }, deadlineMs)
    return result.kind === 'pong'
  }
  const admission = new Admission({
    ...{ rosters, dispatcher, clock },
    identify: url => options.identify(url),
    adopt: now => engine.adopt(now),
    isUp: peer => engine.peerState(peer) === 'up',
    reaches,
  })
  const departures = new Departures({
    ...{ self, rosters, dispatcher, clock, log, evictAfterMs },
    isRosterPrimary: () => engine.holds(slotCount) && engine.status(slotCount).primary === self,
    isLost: () => engine.isLost(),
    askForRoster: peer => engine.askForRoster(peer),
    silentForMs: peer => engine.silentForMs(peer),
    reaches,
  })
  return { edges, router, dispatcher, streams, admission, departures }
}

/** Who takes part in a slot, asked of its primary; null when nobody can say. */
export async function membersOf(
  dispatcher: CubeDispatcher,
  slot: number,
  deadlineMs: number,
): Promise<Configuration | null> {
  const { result } = await dispatcher.dispatch({ kind: 'members', slot }, deadlineMs)
  return result.kind === 'members' ? result.configuration : null
}
