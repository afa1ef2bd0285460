import { Command, InvalidArgumentError } from 'commander'
import { above0, positive } from '../../sim/options.ts'
import { SERVER_NAMES, type ServerName } from './servers/server.ts'

export const PARTS = [
  'throughput',
  'payloads',
  'topics',
  'through',
  'latency',
  'failover',
  'startup',
  'history',
  'million',
] as const
export type Part = (typeof PARTS)[number]

/** The command line, read. */
export interface PublishOptions {
  readonly parts: ReadonlySet<Part>
  readonly isQuick: boolean
  readonly servers: readonly ServerName[]
  readonly rounds: number
  readonly seconds: number
  readonly batchesInFlight: number
  readonly manyTopics: number
  readonly peers: number
  readonly farPeers: number
  readonly kills: number
  readonly starts: number
  readonly events: number
  readonly historyEvents: number
  readonly out: string | undefined
  readonly results: string
  readonly profile: string | undefined
}

interface Flags extends Partial<Record<Part | 'quick', boolean>> {
  servers: ServerName[]
  rounds?: number
  seconds?: number
  batchesInFlight: number
  manyTopics?: number
  peers: number
  farPeers: number
  kills?: number
  starts?: number
  events?: number
  historyEvents?: number
  out?: string
  results: string
  profile?: string
}

/** Reads `argv` (as process.argv). `--quick` shortens what is not given otherwise. */
export function readOptions(argv: readonly string[]): PublishOptions {
  const flags = command()
    .parse([...argv])
    .opts<Flags>()
  const isQuick = flags.quick ?? false
  const chosen = PARTS.filter(part => flags[part])
  return {
    parts: new Set<Part>(chosen.length > 0 ? chosen : PARTS),
    isQuick,
    servers: flags.servers,
    rounds: flags.rounds ?? (isQuick ? 1 : 3),
    seconds: flags.seconds ?? (isQuick ? 0.5 : 5),
    batchesInFlight: flags.batchesInFlight,
    manyTopics: flags.manyTopics ?? (isQuick ? 2_000 : 10_000),
    peers: flags.peers,
    farPeers: flags.farPeers,
    kills: flags.kills ?? (isQuick ? 1 : 20),
    starts: flags.starts ?? (isQuick ? 1 : 3),
    events: flags.events ?? (isQuick ? 50_000 : 1_000_000),
    historyEvents: flags.historyEvents ?? (isQuick ? 20_000 : 200_000),
    out: flags.out,
    results: flags.results,
    profile: flags.profile,
  }
}

function command(): Command {
  return new Command('bench')
    .description(
      'Measures publishing to Hypercast beside NATS JetStream, Redis and nginx with nchan, where they are installed, and checks that what was acknowledged is kept. ' +
        'Without a part: all of them.',
    )
    .option(
      '--throughput',
      'part: events/s of single publishes and batches, closed loop, and the latency of one at a time',
    )
    .option('--payloads', 'part: 16 B, 1 KiB and 64 KiB')
    .option('--topics', 'part: one topic, 64, and many')
    .option('--through', 'part: through the primary, a replica and the farthest peer of a larger cube')
    .option(
      '--latency',
      'part: acknowledgement and publish to subscriber at 10, 50 and 90 % of the most, open loop',
    )
    .option('--failover', 'part: gap in publishing when the primary is ended with kill -9')
    .option('--startup', 'part: from npm start, and from one peer’s start, to ready')
    .option('--history', 'part: reading what is stored')
    .option('--million', 'part: throughput, memory and the start after a crash with a million events')
    .option('--quick', 'a short version: two minutes for all parts')
    .option('--servers <list>', `of ${SERVER_NAMES.join(',')}`, readServers, [...SERVER_NAMES])
    .option('--rounds <number>', 'times each cell is measured; the median one is told', positive)
    .option('--seconds <number>', 'of each measurement, behind a warm-up', above0)
    .option('--batches-in-flight <number>', 'batches in flight', positive, 4)
    .option('--many-topics <number>', 'the most topics of that part', positive)
    .option('--peers <number>', 'peers of the cube that is held against the others', positive, 3)
    .option('--far-peers <number>', 'peers of the cube of --through and --startup', positive, 8)
    .option('--kills <number>', 'times the primary is ended', positive)
    .option('--starts <number>', 'times the cube is started', positive)
    .option('--events <number>', 'events of --million', positive)
    .option('--history-events <number>', 'events of --history', positive)
    .option('--profile <folder>', 'CPU profiles of the peers go there (--cpu-prof)')
    .option('--results <folder>', 'latest.json and the charts go there', 'bench/results')
    .option('--out <folder>', 'write the tables into PERFORMANCE.md of this folder, and the charts beside it')
}

function readServers(text: string): ServerName[] {
  const names = text.split(',')
  const unknown = names.find(name => !(SERVER_NAMES as readonly string[]).includes(name))
  if (unknown !== undefined) throw new InvalidArgumentError(`there is no server ${unknown}.`)
  return SERVER_NAMES.filter(name => names.includes(name))
}
