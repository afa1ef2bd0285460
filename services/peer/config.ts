import { LIMITS } from './limits.ts'

/** One peer of the founding list. */
export interface ListedPeer {
  readonly id: string
  /** Base URL without a trailing slash. */
  readonly url: string
}

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Everything an operator can set of one peer, checked. */
export interface PeerConfig {
  /** Undefined for a peer that joins and takes the lowest free label, or the one its store has. */
  readonly nodeId: string | undefined
  readonly host: string
  readonly port: number
  /** This peer's own base URL: as advertised, from the list, or from host and port. */
  readonly url: string
  /** What `url` was made from, when it was said. */
  readonly advertise: string | undefined
  /** The founding list, sorted by label; this peer alone with `found`; empty when only a roster on disk can help. */
  readonly peers: readonly ListedPeer[]
  readonly found: boolean
  /** Base URL of any peer of the cluster to join; then there is no founding. */
  readonly join: string | undefined
  readonly insecure: boolean
  readonly data: string
  readonly logs: string
  readonly logLevel: LogLevel
  readonly logRotateBytes: number
  readonly logKeepFiles: number
  readonly slots: number
  /** Whether `slots` was said and is no default: a peer that joins holds the cluster to it only then. */
  readonly slotsGiven: boolean
  readonly tickMs: number
  readonly heartbeatMs: number
  readonly electionMs: number
  readonly reclaimAfterMs: number
  /** Silence after which a peer is evicted; 0 is never. */
  readonly evictAfterMs: number
  readonly peerTimeoutMs: number
  readonly publishTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly maxPayloadBytes: number
  readonly maxBatchBytes: number
  /** Of new topics; null is without limit. */
  readonly retentionAgeMs: number | null
  readonly retentionBytes: number | null
  readonly retentionEvents: number | null
  readonly diskReserveBytes: number
  readonly allowOrigin: readonly string[]
  readonly sseHeartbeatMs: number
  readonly sseRetryMs: number
  readonly stallTimeoutMs: number
}

/** How a setting is written. */
export type SettingKind =
  | 'label'
  | 'port'
  | 'text'
  | 'peers'
  | 'url'
  | 'switch'
  | 'level'
  | 'list'
  | 'count'
  | 'countOrNone'
  | 'duration'
  | 'durationOrNone'
  | 'size'
  | 'sizeOrNone'

/** One row of the table of settings: flags, environment, README and checks are made from it. */
export interface Setting {
  readonly key: keyof PeerConfig
  /** Without the dashes; the environment variable is HYPERCAST_ and this in capitals. */
  readonly flag: string
  readonly kind: SettingKind
  /** As it would be written; undefined when there is none. */
  readonly default?: string
  readonly what: string
  /** Least and greatest number allowed. */
  readonly range?: readonly [least: number, greatest: number]
}

const SECOND = 1_000
const HOUR = 3_600_000
const MIB = 1_048_576

/** The one table of settings. Flags win over the environment, the environment over the defaults. */
export const SETTINGS: readonly Setting[] = [
  {
    key: 'nodeId',
    flag: 'node-id',
    kind: 'label',
    what: 'The label of the corner this peer stands on, such as 000. With --join it may be left out: the lowest free one then.',
  },
  { key: 'port', flag: 'port', kind: 'port', default: '5555', what: 'TCP port to listen on.' },
  {
    key: 'host',
    flag: 'host',
    kind: 'text',
    default: '127.0.0.1',
    what: 'Address to listen on. Anything but loopback needs --insecure.',
  },
  {
    key: 'advertise',
    flag: 'advertise',
    kind: 'url',
    what: 'Base URL that other peers and clients reach this one at, where it is not http://<host>:<port>.',
  },
  {
    key: 'peers',
    flag: 'peers',
    kind: 'peers',
    what: 'All founding peers, this one included: 000=http://127.0.0.1:5555,001=… The same list for each. Only a peer with an empty store needs it.',
  },
  {
    key: 'found',
    flag: 'found',
    kind: 'switch',
    default: 'false',
    what: 'Found a cube of this one peer, when its store is empty; its label is 0 unless --node-id says another.',
  },
  {
    key: 'join',
    flag: 'join',
    kind: 'url',
    what: 'Join the running cluster of the peer at this URL, when the store is empty.',
  },
  {
    key: 'insecure',
    flag: 'insecure',
    kind: 'switch',
    default: 'false',
    what: 'Listen beyond loopback although peers and clients are not authenticated.',
  },
  {
    key: 'data',
    flag: 'data',
    kind: 'text',
    default: 'data/<node-id>',
    what: 'Folder of this peer’s store; without a --node-id it is data/peer_node_<port>.',
  },
  {
    key: 'logs',
    flag: 'logs',
    kind: 'text',
    default: 'logs',
    what: 'Folder of the log file peer_node_<port>.log.',
  },
  {
    key: 'logLevel',
    flag: 'log-level',
    kind: 'level',
    default: 'info',
    what: `Least level that is logged: ${LOG_LEVELS.join(', ')}.`,
  },
  {
    key: 'logRotateBytes',
    flag: 'log-rotate',
    kind: 'size',
    default: '16MiB',
    range: [4_096, 1_024 * MIB],
    what: 'Size at which the log file is rotated.',
  },
  {
    key: 'logKeepFiles',
    flag: 'log-keep',
    kind: 'count',
    default: '5',
    range: [1, 100],
    what: 'Rotated log files that are kept.',
  },
  {
    key: 'slots',
    flag: 'slots',
    kind: 'count',
    default: '64',
    range: [1, LIMITS.MAX_SLOTS],
    what: 'Hash slots, a power of two; fixed when the cube is founded, and the cluster’s when it is joined.',
  },
  {
    key: 'tickMs',
    flag: 'tick',
    kind: 'duration',
    default: '100ms',
    range: [5, SECOND],
    what: 'Step of the Raft clock.',
  },
  {
    key: 'heartbeatMs',
    flag: 'heartbeat',
    kind: 'duration',
    default: '300ms',
    range: [10, 10 * SECOND],
    what: 'Time between two heartbeats of a pair of peers.',
  },
  {
    key: 'electionMs',
    flag: 'election',
    kind: 'duration',
    default: '1s',
    range: [50, 60 * SECOND],
    what: 'Silence after which a primary is given up; at least three heartbeats.',
  },
  {
    key: 'reclaimAfterMs',
    flag: 'reclaim-after',
    kind: 'duration',
    default: '1s',
    range: [0, HOUR],
    what: 'Time a returned home peer must be steady before it is primary again.',
  },
  {
    key: 'evictAfterMs',
    flag: 'evict-after',
    kind: 'duration',
    default: '10m',
    range: [0, 30 * 24 * HOUR],
    what: 'Silence after which a peer is taken for dead for good and its replicas are made anew on others; 0 is never.',
  },
  {
    key: 'peerTimeoutMs',
    flag: 'peer-timeout',
    kind: 'duration',
    default: '5s',
    range: [100, 60 * SECOND],
    what: 'Time another peer has to answer a request of this one.',
  },
  {
    key: 'publishTimeoutMs',
    flag: 'publish-timeout',
    kind: 'duration',
    default: '10s',
    range: [100, 10 * 60 * SECOND],
    what: 'Time a publish may wait for a primary before it is refused or its outcome unknown.',
  },
  {
    key: 'requestTimeoutMs',
    flag: 'request-timeout',
    kind: 'duration',
    default: '30s',
    range: [SECOND, HOUR],
    what: 'Time a request has to arrive.',
  },
  {
    key: 'maxPayloadBytes',
    flag: 'max-payload',
    kind: 'size',
    default: '1MiB',
    range: [1, 32 * MIB],
    what: 'Largest payload of one event.',
  },
  {
    key: 'maxBatchBytes',
    flag: 'max-batch',
    kind: 'size',
    default: '8MiB',
    range: [1, 32 * MIB],
    what: 'Largest body of one batch; at least the largest payload.',
  },
  {
    key: 'retentionAgeMs',
    flag: 'retention-age',
    kind: 'durationOrNone',
    default: '7d',
    what: 'Age at which events of new topics leave; none is never.',
  },
  {
    key: 'retentionBytes',
    flag: 'retention-size',
    kind: 'sizeOrNone',
    default: 'none',
    what: 'Bytes that new topics keep.',
  },
  {
    key: 'retentionEvents',
    flag: 'retention-events',
    kind: 'countOrNone',
    default: 'none',
    what: 'Events that new topics keep.',
  },
  {
    key: 'diskReserveBytes',
    flag: 'disk-reserve',
    kind: 'size',
    default: '128MiB',
    range: [0, Number.MAX_SAFE_INTEGER],
    what: 'Free disk space below which publishes are refused.',
  },
  {
    key: 'allowOrigin',
    flag: 'allow-origin',
    kind: 'list',
    what: 'Origins whose pages may write here, such as https://example.org; * is all.',
  },
  {
    key: 'sseHeartbeatMs',
    flag: 'sse-heartbeat',
    kind: 'duration',
    default: '15s',
    range: [100, HOUR],
    what: 'Time between two heartbeat comments on an idle stream.',
  },
  {
    key: 'sseRetryMs',
    flag: 'sse-retry',
    kind: 'duration',
    default: '500ms',
    range: [10, HOUR],
    what: 'Time after which EventSource is told to reconnect.',
  },
  {
    key: 'stallTimeoutMs',
    flag: 'stall-timeout',
    kind: 'duration',
    default: '30s',
    range: [SECOND, HOUR],
    what: 'Time without progress after which a subscriber’s connection is closed.',
  },
]

/** The environment variable of a setting. */
export function envName(setting: Setting): string {
  return `HYPERCAST_${setting.flag.toUpperCase().replaceAll('-', '_')}`
}

/** A setting cannot be used as given. The message is one line that says what to do. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ConfigError'
  }
}
