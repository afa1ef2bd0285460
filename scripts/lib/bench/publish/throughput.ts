import { setTimeout as delay } from 'node:timers/promises'
import { type Latencies, latencies } from '../figures.ts'
import { cpuUsOf } from '../process.ts'
import { rotated } from '../rounds.ts'
import type { Load } from './load.ts'
import type { PublishServer, ServerName, Topics } from './servers/server.ts'
import { asAsked, describe, takesPart, type Workload } from './workloads.ts'

export interface Times {
  readonly rounds: number
  readonly warmMs: number
  readonly measureMs: number
}

/** One server, one workload. */
export interface ThroughputCell {
  readonly server: ServerName
  readonly workload: Workload
  readonly eventsPerS: number
  /** From sending to the acknowledgement of a publish, of all rounds. */
  readonly latencies: Latencies
  /** CPU time of all processes of the server, and of the load's, for each event. */
  readonly serverCpuUs: number
  readonly loadCpuUs: number
  readonly violations: readonly string[]
}

export interface Round {
  readonly eventsPerS: number
  readonly encoded: string
  readonly serverCpuUs: number
  readonly loadCpuUs: number
  readonly violations: readonly string[]
}

/** What a cell is measured on: a server, and topics it has made for it. */
export interface Target {
  readonly server: ServerName
  readonly pids: readonly number[]
  readonly topics: () => Promise<Topics>
}

/** Each workload `times.rounds` times, the servers in another order each time. A cell's figures are of its median round. */
export async function throughput(
  servers: readonly PublishServer[],
  load: Load,
  workloads: readonly Workload[],
  times: Times,
  tell: (text: string) => void,
): Promise<ThroughputCell[]> {
  const cells: ThroughputCell[] = []
  for (const [at, workload] of workloads.entries()) {
    const taking = servers.filter(({ name }) => takesPart(name, workload))
    const rounds = new Map<ServerName, Round[]>(taking.map(({ name }) => [name, []]))
    for (let round = 0; round < times.rounds; round += 1) {
      for (const server of rotated(taking, round)) {
        const name = `${workload.part}${at}r${round}`
        const topics = () => server.topics(name, workload.topics)
        const target = { server: server.name, pids: server.pids, topics }
        const measured = await measureRound(target, load, workload, times)
        rounds.get(server.name)!.push(measured)
        tell(
          `${server.name}, ${describe(workload)}: ${Math.round(measured.eventsPerS)} events/s${wrong(measured)}`,
        )
      }
    }
    for (const [server, all] of rounds) cells.push(cellOf(server, workload, all))
  }
  return cells
}

/** One round of one workload at one server; checks that what was acknowledged is kept. */
export async function measureRound(
  { server, pids, topics: make }: Target,
  load: Load,
  workload: Workload,
  { warmMs, measureMs }: Times,
): Promise<Round> {
  const topics = await make()
  const before = (await topics.stored()) ?? 0
  const asked = asAsked(server, workload)
  const cpuUs = () => pids.reduce((sum, pid) => sum + cpuUsOf(pid), 0)
  await load.publisher.ask('start', { wire: topics.wire, ...asked, payloadBytes: workload.payloadBytes })
  await delay(warmMs)
  await load.publisher.ask('look', null)
  const usedUs = cpuUs()
  await delay(measureMs)
  const counted = await load.publisher.ask('look', null)
  const serverUs = cpuUs() - usedUs
  const { events, failures } = await load.publisher.ask('stop', null)
  const stored = await topics.stored()
  const kept =
    stored === undefined || failures.length > 0 || stored - before === events
      ? []
      : [`${events} events were acknowledged, ${stored - before} are kept`]
  await topics.remove()
  return {
    eventsPerS: counted.events / counted.seconds,
    encoded: counted.latencies,
    serverCpuUs: serverUs / counted.events,
    loadCpuUs: counted.cpuUs / counted.events,
    violations: [...failures, ...kept],
  }
}

/** The round with the median rate, of two the lower one, with the latencies and violations of all. */
export function cellOf(server: ServerName, workload: Workload, rounds: readonly Round[]): ThroughputCell {
  const sorted = [...rounds].sort((one, other) => one.eventsPerS - other.eventsPerS)
  const { eventsPerS, serverCpuUs, loadCpuUs } = sorted[(sorted.length - 1) >> 1]!
  return {
    server,
    workload,
    eventsPerS,
    serverCpuUs,
    loadCpuUs,
    latencies: latencies(rounds.map(({ encoded }) => encoded)),
    violations: rounds.flatMap(({ violations }) => violations),
  }
}

function wrong({ violations }: Round): string {
  return violations.length === 0 ? '' : `; WRONG: ${violations.join('; ')}`
}
