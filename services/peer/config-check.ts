import { ConfigError, type ListedPeer, LOG_LEVELS, type PeerConfig, type Setting } from './config.ts'
import { LIMITS } from './limits.ts'
import { formatDuration, formatSize, parseDuration, parseSize } from './units.ts'

/**
 * The value of one setting from its text. Throws ConfigError naming `source`, the flag or variable it came from.
 */
export function parseSetting(setting: Setting, text: string, source: string): unknown {
  if (setting.kind.endsWith('OrNone') && /^(none|0)$/i.test(text)) return null
  switch (setting.kind) {
    case 'label':
      if (!/^[01]+$/.test(text) || text.length > LIMITS.MAX_DIMENSION) {
        throw new ConfigError(
          `${source} is "${text}": give a label of 1 to ${LIMITS.MAX_DIMENSION} digits 0 and 1, such as 000`,
        )
      }
      return text
    case 'port':
      return parseNumber(setting, text, source, [1, 65_535], 'a port', Number)
    case 'count':
    case 'countOrNone':
      return parseNumber(
        setting,
        text,
        source,
        setting.range ?? [1, Number.MAX_SAFE_INTEGER],
        'a number',
        Number,
      )
    case 'duration':
    case 'durationOrNone':
      return parseNumber(
        setting,
        text,
        source,
        setting.range ?? [1, Number.MAX_SAFE_INTEGER],
        'a duration such as 500ms, 10s, 5m or 7d',
        parseDuration,
      )
    case 'size':
    case 'sizeOrNone':
      return parseNumber(
        setting,
        text,
        source,
        setting.range ?? [1, Number.MAX_SAFE_INTEGER],
        'a size such as 4096, 64KiB or 8MiB',
        parseSize,
      )
    case 'switch':
      if (/^(true|1|yes)$/i.test(text)) return true
      if (/^(false|0|no|)$/i.test(text)) return false
      throw new ConfigError(`${source} is "${text}": give true or false`)
    case 'level':
      if ((LOG_LEVELS as readonly string[]).includes(text)) return text
      throw new ConfigError(`${source} is "${text}": give one of ${LOG_LEVELS.join(', ')}`)
    case 'list':
      return text
        .split(',')
        .map(item => item.trim())
        .filter(item => item !== '')
    case 'url':
      return parseUrl(text, source)
    case 'peers':
      return parsePeers(text, source)
    case 'text':
      if (text.trim() === '') throw new ConfigError(`${source} is empty: give a value or leave it out`)
      return text
  }
}

function parseNumber(
  setting: Setting,
  text: string,
  source: string,
  [least, greatest]: readonly [number, number],
  expected: string,
  parse: (text: string) => number | undefined,
): number {
  const value = text.trim() === '' ? undefined : parse(text)
  if (value === undefined || !Number.isSafeInteger(value))
    throw new ConfigError(`${source} is "${text}": give ${expected}`)
  if (value < least || value > greatest) {
    const show = setting.kind.startsWith('duration')
      ? formatDuration
      : setting.kind.startsWith('size')
        ? formatSize
        : String
    const bounds =
      greatest === Number.MAX_SAFE_INTEGER ? `at least ${show(least)}` : `${show(least)} to ${show(greatest)}`
    throw new ConfigError(`${source} is "${text}": give ${expected}, ${bounds}`)
  }
  return value
}

/** The founding list from `000=http://127.0.0.1:5555,001=…`, sorted by label. Throws ConfigError. */
export function parsePeers(text: string, source: string): ListedPeer[] {
  const items = text
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== '')
  if (items.length === 0)
    throw new ConfigError(`${source} is empty: list the peers as 000=http://127.0.0.1:5555,001=…`)
  const peers = items.map(item => {
    const at = item.indexOf('=')
    const id = item.slice(0, Math.max(at, 0))
    if (!/^[01]+$/.test(id) || id.length > LIMITS.MAX_DIMENSION) {
      throw new ConfigError(
        `${source} has "${item}": write each peer as label=URL, such as 000=http://127.0.0.1:5555`,
      )
    }
    return { id, url: parseUrl(item.slice(at + 1), source) }
  })
  const width = peers[0]!.id.length
  const odd = peers.find(peer => peer.id.length !== width)
  if (odd)
    throw new ConfigError(
      `${source} has labels "${peers[0]!.id}" and "${odd.id}": make all labels equally wide`,
    )
  for (const part of ['id', 'url'] as const) {
    const seen = new Set<string>()
    for (const peer of peers) {
      if (seen.has(peer[part]))
        throw new ConfigError(`${source} lists ${peer[part]} twice: give each peer its own label and URL`)
      seen.add(peer[part])
    }
  }
  return peers.sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** The origin of a peer's base URL. Throws ConfigError naming `source`. */
export function parseUrl(text: string, source: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (
    url?.protocol !== 'http:' ||
    url.pathname !== '/' ||
    url.search ||
    url.hash ||
    url.username ||
    url.password
  ) {
    throw new ConfigError(`${source} has the URL "${text}": give http://host:port and nothing behind it`)
  }
  return `http://${url.host}`
}

/** Whether an address to listen on is reachable from this machine only. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/**
 * Checks what one setting alone cannot show and derives the rest.
 * @param values a parsed value per key
 * @param said the keys that were not left to their defaults
 * @throws ConfigError
 */
export function completeConfig(
  values: Readonly<Record<string, unknown>>,
  said: ReadonlySet<keyof PeerConfig>,
): PeerConfig {
  const { nodeId, peers = [], allowOrigin = [], advertise, join, ...rest } = values
  const given = {
    ...rest,
    ...{ nodeId, peers, allowOrigin, advertise, join },
    slotsGiven: said.has('slots'),
  } as Given
  checkBeginning(given)
  checkNumbers(given)
  if (!isLoopback(given.host) && !given.insecure) {
    throw new ConfigError(
      `--host ${given.host} is not loopback and peers are not authenticated yet: add --insecure if the network is trusted, or leave --host out`,
    )
  }
  return given.join === undefined ? founder(given) : joiner(given, given.join)
}

type Given = Omit<PeerConfig, 'url'>

/** A peer comes to its cube in one way only. */
function checkBeginning({ join, found, peers }: Given): void {
  if (join === undefined) return
  const other = found ? '--found' : peers.length > 0 ? '--peers' : undefined
  if (other === undefined) return
  throw new ConfigError(
    `--join and ${other} exclude each other: leave ${other} out to join a running cluster, or --join to found one`,
  )
}

function founder(given: Given): PeerConfig {
  const isLone = given.found && given.peers.length === 0
  const nodeId = given.nodeId ?? (isLone ? '0' : undefined)
  if (nodeId === undefined) {
    throw new ConfigError(
      '--node-id is missing: give the label of this peer, such as --node-id 000, or --join a running cluster',
    )
  }
  const named = { ...given, nodeId }
  const url = ownUrl(named)
  return { ...named, url, peers: isLone ? [{ id: nodeId, url }] : given.peers, data: dataFolder(named) }
}

function joiner(given: Given, join: string): PeerConfig {
  const url = given.advertise ?? listenUrl(given)
  if (url === join) {
    throw new ConfigError(`--join ${join} is this peer itself: give the URL of a peer of the cluster`)
  }
  return { ...given, url, data: dataFolder(given) }
}

/** A peer that has no label yet keeps its store under its port, as it does its log. */
function dataFolder({ data, nodeId, port }: Given): string {
  return data.replace('<node-id>', nodeId ?? `peer_node_${port}`)
}

function checkNumbers(config: Given): void {
  if ((config.slots & (config.slots - 1)) !== 0) {
    throw new ConfigError(`--slots is ${config.slots}: give a power of two, such as 64`)
  }
  if (config.tickMs > config.heartbeatMs) {
    throw new ConfigError('--tick is longer than --heartbeat: make it at most as long')
  }
  if (config.electionMs < 3 * config.heartbeatMs) {
    throw new ConfigError(
      '--election is shorter than three heartbeats: make it longer or --heartbeat shorter',
    )
  }
  if (config.evictAfterMs > 0 && config.evictAfterMs < config.electionMs) {
    throw new ConfigError('--evict-after is shorter than --election: make it longer, or 0 for never')
  }
  if (config.maxBatchBytes < config.maxPayloadBytes) {
    throw new ConfigError('--max-batch is smaller than --max-payload: make it at least as large')
  }
  for (const origin of config.allowOrigin) {
    if (origin !== '*' && !(URL.canParse(origin) && new URL(origin).origin === origin)) {
      throw new ConfigError(`--allow-origin has "${origin}": give * or an origin such as https://example.org`)
    }
  }
}

function ownUrl(given: Given): string {
  const { nodeId, port, peers, found, advertise } = given
  const own = peers.find(peer => peer.id === nodeId)
  if (own) {
    if (advertise !== undefined && advertise !== own.url) {
      throw new ConfigError(
        `--peers says ${nodeId}=${own.url} but --advertise is ${advertise}: make the two equal or leave --advertise out`,
      )
    }
    const listedPort = Number(new URL(own.url).port || 80)
    if (advertise === undefined && listedPort !== port) {
      throw new ConfigError(
        `--peers says ${nodeId}=${own.url} but --port is ${port}: make the two ports equal`,
      )
    }
    if (found && peers.length > 1) {
      throw new ConfigError(
        '--found is for a cube of one peer: leave it out where --peers lists more, they found together',
      )
    }
    return own.url
  }
  if (peers.length > 0) {
    throw new ConfigError(
      `--peers does not list ${nodeId}: add ${nodeId}=http://…:${port}, the list is the same for every peer`,
    )
  }
  return advertise ?? listenUrl(given)
}

/** The URL of the address that is listened on, as others of the same network call it. */
function listenUrl({ host, port }: Given): string {
  if (host === '0.0.0.0' || host === '::') {
    throw new ConfigError(
      `--host ${host} is no address others can call: say this peer’s URL with --advertise http://…:${port}`,
    )
  }
  const name = host.includes(':') ? `[${host}]` : host
  return `http://${name}${port === 80 ? '' : `:${port}`}`
}
