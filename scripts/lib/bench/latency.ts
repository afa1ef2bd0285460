import { ask } from '../http.ts'
import { type Buckets, bucketQuantile, buckets, type Latencies, latencies } from './figures.ts'
import { nowUs } from './load/payload.ts'
import type { Load } from './load.ts'
import { rotated } from './rounds.ts'
import { Hypercast } from './servers/hypercast.ts'
import type { BenchServer, ServerName } from './servers/server.ts'

export interface LatencyOptions {
  readonly subscribers: number
  readonly ratePerS: number
  readonly seconds: number
  readonly warmS: number
  readonly rounds: number
}

export interface LatencyFigures {
  readonly server: ServerName
  /** From the intended sending to each subscriber. */
  readonly received: Latencies
  /** From the intended sending to the publisher's answer. */
  readonly answered: Latencies
  /** Longest time by which the publisher itself sent too late. */
  readonly lateMs: number
  readonly violations: readonly string[]
}

/** What fsync took while Hypercast was under this load. */
export interface FsyncFigures {
  /** A page written and fsynced beside the peers, on their disk. */
  readonly beside: Latencies
  /** The peers' own hypercast_fsync_seconds: from handing over a transaction until it is durable, waiting included. */
  readonly peersP50Ms: number
  readonly peersP99Ms: number
}

const CONNECTIONS = 32
const FSYNC_EVERY_MS = 10
/** The publisher's connections are made and its first payload is due after this. */
const START_US = 10_000

interface Round {
  readonly received: string[]
  readonly answers: string
  readonly latestUs: number
  readonly violations: string[]
  readonly fsyncs?: { readonly beside: string; readonly before: Buckets[]; readonly after: Buckets[] }
}

/** An open loop at a fixed rate, in rounds, the servers in another order each time; the rounds' latencies are put together. */
export async function latency(
  servers: readonly BenchServer[],
  load: Load,
  options: LatencyOptions,
): Promise<{ figures: LatencyFigures[]; fsync: FsyncFigures | undefined }> {
  const rounds = new Map<ServerName, Round[]>(servers.map(({ name }) => [name, []]))
  for (let round = 0; round < options.rounds; round += 1) {
    for (const server of rotated(servers, round)) {
      rounds.get(server.name)!.push(await measureRound(server, load, options, round))
    }
  }
  const figures = servers.map(({ name }) => {
    const all = rounds.get(name)!
    return {
      server: name,
      received: latencies(all.flatMap(({ received }) => received)),
      answered: latencies(all.map(({ answers }) => answers)),
      lateMs: Math.max(...all.map(({ latestUs }) => latestUs)) / 1_000,
      violations: all.flatMap(({ violations }) => violations),
    }
  })
  const fsyncs = (rounds.get('hypercast') ?? []).flatMap(one => one.fsyncs ?? [])
  return { figures, fsync: fsyncs.length === 0 ? undefined : fsyncOf(fsyncs) }
}

async function measureRound(
  server: BenchServer,
  load: Load,
  options: LatencyOptions,
  round: number,
): Promise<Round> {
  const { subscribers, ratePerS, warmS, seconds } = options
  const { wire } = await server.topic(`latency${round}`)
  await load.open(wire, subscribers, 1)
  await load.measure(nowUs() + START_US + warmS * 1_000_000)
  const cube = server instanceof Hypercast ? server : undefined
  const before = cube && (await fsyncBuckets(cube))
  const all = warmS + seconds
  const timeoutMs = (all + 90) * 1_000
  const [published, beside] = await Promise.all([
    load.publisher.ask('rate', { wire, ratePerS, seconds: all, connections: CONNECTIONS }, timeoutMs),
    cube &&
      load.disk.ask('fsyncs', { folder: cube.folder, seconds: all, everyMs: FSYNC_EVERY_MS }, timeoutMs),
  ])
  const after = cube && (await fsyncBuckets(cube))
  const wrong = [...published.failures, ...(await load.settle(published.events))]
  const received = await load.latencies()
  await load.close()
  return {
    received,
    answers: published.answers,
    latestUs: published.latestUs,
    violations: wrong,
    ...(before && after && beside && { fsyncs: { beside, before, after } }),
  }
}

function fsyncBuckets(cube: Hypercast): Promise<Buckets[]> {
  return Promise.all(
    cube.ids.map(async id => buckets((await ask(`${cube.url(id)}/metrics`)).body, 'hypercast_fsync_seconds')),
  )
}

function fsyncOf(fsyncs: readonly NonNullable<Round['fsyncs']>[]): FsyncFigures {
  const before = fsyncs.flatMap(one => one.before)
  const after = fsyncs.flatMap(one => one.after)
  return {
    beside: latencies(fsyncs.map(one => one.beside)),
    peersP50Ms: bucketQuantile(before, after, 0.5) * 1_000,
    peersP99Ms: bucketQuantile(before, after, 0.99) * 1_000,
  }
}
