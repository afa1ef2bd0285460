import { Command, InvalidArgumentError } from 'commander'
import { above0, positive } from '../sim/options.ts'
import { SERVER_NAMES, type ServerName } from './servers/server.ts'

export const PARTS = ['throughput', 'latency', 'storm', 'idle', 'churn'] as const
export type Part = (typeof PARTS)[number]

/** The command line, read. */
export interface BenchOptions {
  readonly parts: ReadonlySet<Part>
  readonly isQuick: boolean
  readonly servers: readonly ServerName[]
  readonly subscribers: readonly number[]
  readonly rounds: number
  readonly seconds: number
  readonly inFlight: number
  readonly batchesInFlight: number
  readonly readers: number
  readonly peers: number
  readonly isSpread: boolean
  readonly history: number
  readonly stormSubscribers: number
  readonly idleSubscribers: number
  readonly minutes: number
  readonly out: string | undefined
  readonly profile: string | undefined
  readonly asJson: boolean
}

interface Flags extends Partial<Record<Part | 'all' | 'quick' | 'spread' | 'json', boolean>> {
  servers: ServerName[]
  subscribers?: number[]
  rounds?: number
  seconds?: number
  inFlight: number
  batchesInFlight: number
  readers: number
  peers: number
  history?: number
  idleSubscribers?: number
  stormSubscribers?: number
  minutes?: number
  out?: string
  profile?: string
}

/** Reads `argv` (as process.argv). `--quick` shortens what is not given otherwise. */
export function readOptions(argv: readonly string[]): BenchOptions {
  const flags = command()
    .parse([...argv])
    .opts<Flags>()
  const isQuick = flags.quick ?? false
  const chosen = PARTS.filter(part => flags[part])
  const all = flags.all || (isQuick && chosen.length === 0)
  const plain: readonly Part[] = ['throughput', 'latency']
  const parts = new Set<Part>(all ? PARTS : chosen.length > 0 ? chosen : plain)
  return {
    parts,
    isQuick,
    servers: flags.servers,
    subscribers: flags.subscribers ?? (isQuick ? [100, 1_000] : [1, 100, 1_000, 10_000]),
    rounds: flags.rounds ?? (isQuick ? 1 : 3),
    seconds: flags.seconds ?? (isQuick ? 2 : 5),
    inFlight: flags.inFlight,
    batchesInFlight: flags.batchesInFlight,
    readers: flags.readers,
    peers: flags.peers,
    isSpread: flags.spread ?? false,
    history: flags.history ?? (isQuick ? 10_000 : 100_000),
    stormSubscribers: flags.stormSubscribers ?? (isQuick ? 200 : 1_000),
    idleSubscribers: flags.idleSubscribers ?? (isQuick ? 2_000 : 10_000),
    minutes: flags.minutes ?? (isQuick ? 0.2 : 10),
    out: flags.out,
    profile: flags.profile,
    asJson: flags.json ?? false,
  }
}

function command(): Command {
  return new Command('bench:fanout')
    .description(
      'Measures fan-out of Hypercast beside nginx with nchan and a bare Node server, and checks that every subscriber had every event once, in order. ' +
        'Without a part: throughput and latency.',
    )
    .option('--throughput', 'part: deliveries/s, closed loop')
    .option('--latency', 'part: publish to receive at 200 publishes/s to 100 subscribers, open loop')
    .option('--storm', 'part: subscribers far behind lose their peer at once')
    .option('--idle', 'part: memory of an idle subscriber')
    .option('--churn', 'part: subscribers that come and go')
    .option('--all', 'all parts')
    .option('--quick', 'a short version, of all parts unless one is named')
    .option('--servers <list>', `of ${SERVER_NAMES.join(',')}`, readServers, [...SERVER_NAMES])
    .option('--subscribers <list>', 'numbers of subscribers of the throughput, such as 1,100', readNumbers)
    .option('--rounds <number>', 'times each cell is measured; the median one is told', positive)
    .option('--seconds <number>', 'of each measurement, behind a warm-up', above0)
    .option('--in-flight <number>', 'events in flight with single publishes', positive, 128)
    .option('--batches-in-flight <number>', 'batches in flight', positive, 4)
    .option('--readers <number>', 'processes that subscribe', positive, 1)
    .option('--peers <number>', 'peers of the cube', positive, 3)
    .option('--spread', 'subscribers on all peers, not on the primary alone')
    .option('--history <number>', 'events of history in the storm', positive)
    .option('--storm-subscribers <number>', 'subscribers in the storm', positive)
    .option('--idle-subscribers <number>', 'subscribers that are idle', positive)
    .option('--minutes <number>', 'of the churn', above0)
    .option('--profile <folder>', 'CPU profiles of the peers go there (--cpu-prof)')
    .option('--out <folder>', 'write the tables into FANOUT.md of this folder')
    .option('--json', 'print one JSON object at the end')
}

function readServers(text: string): ServerName[] {
  const names = text.split(',')
  const unknown = names.find(name => !(SERVER_NAMES as readonly string[]).includes(name))
  if (unknown !== undefined) throw new InvalidArgumentError(`there is no server ${unknown}.`)
  return SERVER_NAMES.filter(name => names.includes(name))
}

function readNumbers(text: string): number[] {
  return text.split(',').map(positive)
}
