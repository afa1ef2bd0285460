import { violations } from '../exactness.ts'
import { type Latencies, latencies } from '../figures.ts'
import { nowUs } from '../load/payload.ts'
import { rotated } from '../rounds.ts'
import type { Load } from './load.ts'
import type { PublishServer, ServerName } from './servers/server.ts'
import { PAYLOAD_BYTES } from './workloads.ts'

export interface LatencyOptions {
  /** Events/s that each server took at most, by its name; one that is not there is not measured. */
  readonly most: ReadonlyMap<ServerName, number>
  readonly rounds: number
  readonly warmS: number
  readonly seconds: number
}

/** One server at one share of what it takes at most. */
export interface LatencyFigures {
  readonly server: ServerName
  readonly percent: number
  readonly ratePerS: number
  /** From the intended sending to the subscriber; none where there was none. */
  readonly received: Latencies
  /** From the intended sending to the acknowledgement. */
  readonly answered: Latencies
  /** Longest time by which the load itself sent too late. */
  readonly lateMs: number
  readonly violations: readonly string[]
}

const PERCENTS = [10, 50, 90]
/** Enough that a publish hardly ever waits for one: with NATS they cost nothing, elsewhere each is a connection. */
const NATS_LANES = 8_192
const LANES = 512
const SETTLE_MS = 30_000
const PATIENCE_MS = 120_000

interface Round {
  readonly received: string | undefined
  readonly answers: string
  readonly latestUs: number
  readonly violations: readonly string[]
}

/** An open loop at shares of the most that each server took, with one subscriber, the servers in another order each round. */
export async function latency(
  servers: readonly PublishServer[],
  load: Load,
  options: LatencyOptions,
  tell: (text: string) => void,
): Promise<LatencyFigures[]> {
  const taking = servers.filter(({ name }) => options.most.has(name))
  const found: LatencyFigures[] = []
  for (const percent of PERCENTS) {
    const rates = new Map(
      taking.map(({ name }) => [name, Math.max(1, Math.floor((options.most.get(name)! * percent) / 100))]),
    )
    const rounds = new Map<ServerName, Round[]>(taking.map(({ name }) => [name, []]))
    for (let round = 0; round < options.rounds; round += 1) {
      for (const server of rotated(taking, round)) {
        const topic = `latency${percent}r${round}`
        rounds
          .get(server.name)!
          .push(await measureRound(server, load, options, rates.get(server.name)!, topic))
      }
    }
    for (const [server, all] of rounds) {
      const figures = figuresOf(server, percent, rates.get(server)!, all)
      found.push(figures)
      const { ratePerS, answered, received } = figures
      const came = received.count > 0 ? `; received ${described(received)}` : ''
      tell(`${server}, ${percent} %, ${ratePerS} publishes/s: answered ${described(answered)}${came}`)
    }
  }
  return found
}

async function measureRound(
  server: PublishServer,
  load: Load,
  { warmS, seconds }: LatencyOptions,
  ratePerS: number,
  name: string,
): Promise<Round> {
  const topics = await server.topics(name, 1)
  const wire = await topics.subscribe?.()
  if (wire) {
    await load.reader.ask('open', { wires: [wire], count: 1, sampleEvery: 1, keeps: true })
    await load.reader.ask('measure', nowUs() + warmS * 1_000_000)
  }
  const lanes = topics.wire.kind === 'nats' ? NATS_LANES : LANES
  const options = { wire: topics.wire, ratePerS, warmS, seconds, lanes, payloadBytes: PAYLOAD_BYTES }
  const published = await load.publisher.ask('rate', options, (warmS + seconds) * 1_000 + PATIENCE_MS)
  const wrong = [...published.failures]
  let received: string | undefined
  if (wire) {
    const settled = await load.reader.ask(
      'settle',
      { count: published.events, timeoutMs: SETTLE_MS },
      PATIENCE_MS,
    )
    if (wrong.length === 0) wrong.push(...violations(published.events, [settled]))
    received = await load.reader.ask('latencies', null)
    await load.reader.ask('close', null)
  }
  await topics.remove()
  return { received, answers: published.answers, latestUs: published.latestUs, violations: wrong }
}

function described({ p50Ms, p99Ms }: Latencies): string {
  return `p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`
}

function figuresOf(
  server: ServerName,
  percent: number,
  ratePerS: number,
  rounds: readonly Round[],
): LatencyFigures {
  return {
    server,
    percent,
    ratePerS,
    received: latencies(rounds.flatMap(({ received }) => received ?? [])),
    answered: latencies(rounds.map(({ answers }) => answers)),
    lateMs: Math.max(...rounds.map(({ latestUs }) => latestUs)) / 1_000,
    violations: rounds.flatMap(({ violations }) => violations),
  }
}
