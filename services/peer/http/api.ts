import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { PeerId } from '../cube/labels.ts'
import type { Roster } from '../cube/roster.ts'
import type { Clock, SlotLogs } from '../engine/types.ts'
import type { WantsUpdate } from '../links/trunk-wants.ts'
import type { Dispatcher } from '../links/types.ts'
import type { Admitted, JoinWish } from '../membership/admission.ts'
import type { Recovered, RecoveryWish } from '../membership/recovery.ts'
import type { PeerMetrics } from '../metrics.ts'
import type { HistoryItem, TopicPage } from '../streams/history.ts'
import type {
  OpenedStream,
  SeveralOptions,
  Sink,
  StreamOptions,
  StreamStart,
  StreamStats,
} from '../streams/types.ts'
import type { TopicSettings } from '../topics/types.ts'

/**
 * How a peer looks from here: `suspected` while its heartbeats fail and nothing is decided yet, `unknown` when it was
 * not heard yet, or never is because it shares neither a slot nor a link with this one.
 */
export type PeerStatus = 'self' | 'up' | 'suspected' | 'down' | 'unknown'

/** What the routes need of streams/. Implemented by `TopicStreams`. */
export interface StreamsApi {
  /** Rejects with HypercastError for what is wrong for good. */
  open(options: StreamOptions, deadlineMs: number): Promise<OpenedStream>
  /** A stream over several topics and patterns. Rejects with HypercastError for what is wrong for good. */
  openSeveral(options: SeveralOptions): Promise<OpenedStream>
  page(topic: string, start: StreamStart, limit: number): Promise<TopicPage>
  /** Events from `start` to the last one there is now, and gaps. */
  history(topic: string, start: StreamStart, signal: AbortSignal): AsyncIterable<HistoryItem>
  /** Another peer's trunk. Throws HypercastError before anything is written. */
  openTrunk(peer: PeerId, name: string, sink: Sink): void
  /** What the lower end of that trunk wants. Throws HypercastError. */
  wants(peer: PeerId, update: WantsUpdate): void
  stats(): StreamStats
  /** Ends every stream; EventSource reconnects elsewhere. */
  close(): void | Promise<void>
}

/** A body between peers with its media type. */
export interface PeerAnswer {
  readonly contentType: string
  readonly body: Uint8Array
}

/**
 * What peers ask of each other, behind thin routes. Bodies come undecoded; a body that cannot be decoded rejects
 * with HypercastError INVALID_REQUEST. `from` is a peer of the roster whose cluster and uid were checked.
 */
export interface LinksApi {
  /** Of this peer's store. */
  readonly uid: string
  /** A peer says where it is reached, with each request of its own. */
  said(from: PeerId, url: string): void
  /** The socket carries another peer's lane from now on. Throws HypercastError NOT_FOUNDED. */
  lane(from: PeerId, socket: Duplex, head: Buffer): void
  closeLanes(): void
  replicate(from: PeerId, contentType: string, body: Buffer): Promise<PeerAnswer>
  /** The socket is the sender's heartbeat connection: its end is the first sign of the sender's. */
  heartbeat(from: PeerId, contentType: string, body: Buffer, socket: Socket): Promise<PeerAnswer>
  /** Answers leave one by one as they are ready. */
  operations(from: PeerId, contentType: string, body: Buffer): AsyncIterable<Uint8Array>
  /** The version of the roster this peer goes by. */
  roster(): Promise<PeerAnswer>
  snapshot(from: PeerId, slot: number, afterIndex: number): Promise<PeerAnswer>
  /** Who this is: its store, and the cluster it belongs to, if any. Anybody may ask. */
  identity(): Promise<{ readonly uid: string; readonly clusterId: string | null; readonly run: string }>
  /** A step of a recovery. */
  recovery(contentType: string, body: Buffer): Promise<PeerAnswer>
  /** Before there is a roster: anybody may ask. */
  founding(contentType: string, body: Buffer): Promise<PeerAnswer>
}

/** How peers come and go. Deadlines are monotonic. Everything rejects with HypercastError. */
export interface MembershipApi {
  /** Takes a store in as a peer. The same store again gets the same answer, with `fresh` false. */
  join(wish: JoinWish, deadlineMs: number): Promise<Admitted>
  /** Marks a peer as leaving; `force` is for one that is dead. */
  leave(
    id: PeerId,
    options: { readonly force: boolean; readonly by: string },
    deadlineMs: number,
  ): Promise<Omit<Admitted, 'fresh'>>
  /** Tells how slots would go on that lost their majority for good; with `force` lets them. */
  recover(wish: RecoveryWish): Promise<Recovered>
  /**
   * How many slots do not stand yet where the roster places them, about how many bytes are still to be copied for them,
   * and for how many slots nobody answered.
   */
  progress(deadlineMs: number): Promise<{
    readonly moving: number
    readonly bytesToMove: number
    readonly behind: number
    readonly unknown: number
  }>
}

/** The settings of config.ts that the HTTP surface uses. */
export interface HttpSettings {
  readonly maxPayloadBytes: number
  readonly maxBatchBytes: number
  /** Patience of one client request with the cube. */
  readonly publishTimeoutMs: number
  /** Time a request has to arrive. */
  readonly requestTimeoutMs: number
  /** Origins whose pages may write here; `*` is all. */
  readonly allowOrigin: readonly string[]
  readonly sseHeartbeatMs: number
  readonly sseRetryMs: number
  /** Time without progress after which the connection of a stream is closed. */
  readonly stallTimeoutMs: number
  /** What a new topic keeps when its creator does not say. */
  readonly retention: TopicSettings
}

/** Pino's shape. */
export interface HttpLog {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Everything the HTTP surface needs of the peer it stands in; made by peer.ts, faked in tests. */
export interface PeerApi {
  readonly self: PeerId
  /** Null until the cube is founded: clients get 503 NOT_FOUNDED meanwhile. */
  roster(): Roster | null
  /** Used only while there is a roster, like `slots`. */
  readonly dispatcher: Dispatcher
  readonly slots: SlotLogs
  readonly streams: StreamsApi
  readonly links: LinksApi
  /** Used only while there is a roster. */
  readonly membership: MembershipApi
  peerStatus(peer: PeerId): PeerStatus
  /** The slot's primary as far as it is known here. */
  primaryOf(slot: number): PeerId | null
  readonly settings: HttpSettings
  readonly metrics: PeerMetrics
  readonly log: HttpLog
  readonly clock: Clock
  /** `why` says what is missing, for a person. */
  ready(): { readonly ready: boolean; readonly why: string }
  stopping(): boolean
}

/** Options of every plugin and route file. */
export interface HttpOptions {
  readonly api: PeerApi
}
