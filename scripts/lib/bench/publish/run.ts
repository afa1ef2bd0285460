import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { latencies } from '../figures.ts'
import { Hypercast } from '../servers/hypercast.ts'
import { closeRunning } from '../servers/running.ts'
import { Missing } from '../servers/server.ts'
import { ceilings } from './ceiling.ts'
import { failover } from './failover.ts'
import { history } from './history.ts'
import { latency } from './latency.ts'
import { Load } from './load.ts'
import { million } from './million.ts'
import type { PublishOptions } from './options.ts'
import type { Results } from './results.ts'
import { HypercastPublish } from './servers/hypercast.ts'
import { JetStream } from './servers/jetstream.ts'
import { NchanPublish } from './servers/nchan.ts'
import { Redis } from './servers/redis.ts'
import type { PublishServer, ServerName } from './servers/server.ts'
import { endStarts, startup } from './startup.ts'
import { through } from './through.ts'
import { type ThroughputCell, type Times, throughput } from './throughput.ts'
import { IN_FLIGHT, PAYLOAD_BYTES, type Workload, workloads } from './workloads.ts'

const CLOSED_LOOPS = ['throughput', 'payloads', 'topics'] as const
/** Parts that need all servers at once. */
const SERVER_PARTS = [...CLOSED_LOOPS, 'latency', 'history', 'failover'] as const
/** Those whose acknowledgement promises enough to be waited for. */
const LATENCY_SERVERS: readonly ServerName[] = ['hypercast', 'jetstream', 'redis']
const WARM_UP: Workload = {
  part: 'throughput',
  inFlight: 64,
  batch: 1,
  payloadBytes: PAYLOAD_BYTES,
  topics: 1,
}
const WARM_TIMES = { rounds: 1, warmMs: 0, measureMs: 2_000 }
const FSYNC_EVERY_MS = 5

/** What runs, so that all of it can be ended whenever it must. */
export class Run {
  readonly servers: PublishServer[] = []
  /** What could not be measured here, in words. */
  readonly missing: string[] = []
  readonly results: Results = {}
  readonly #options: PublishOptions
  readonly #tell: (text: string) => void
  #load: Load | undefined
  #isClosing = false

  constructor(options: PublishOptions, tell: (text: string) => void) {
    this.#options = options
    this.#tell = tell
  }

  /** Measures all parts; rejects when something dies on the way. `close` is to be called whatever comes. */
  async measure(): Promise<void> {
    const { parts } = this.#options
    const load = new Load()
    this.#load = load
    if (SERVER_PARTS.some(part => parts.has(part))) await this.#startServers()
    if (CLOSED_LOOPS.some(part => parts.has(part))) {
      await this.#closedLoops(load)
      this.#check()
    }
    if (parts.has('latency')) await this.#latency(load)
    if (parts.has('history')) await this.#history(load)
    if (parts.has('failover')) await this.#failover(load)
    await this.#closeServers()
    if (!this.#options.servers.includes('hypercast')) return
    if (parts.has('through')) await this.#through(load)
    if (parts.has('million')) await this.#million(load)
    if (parts.has('startup')) await this.#startup()
  }

  async close(): Promise<void> {
    this.#isClosing = true
    await Promise.all([this.#closeServers(), endStarts()])
    await Promise.all([Hypercast.closeAll(), closeRunning()])
    await this.#load?.end()
  }

  async #closedLoops(load: Load): Promise<void> {
    const { parts, seconds, isQuick } = this.#options
    this.#tell('warm-up of all servers')
    await throughput(
      this.servers,
      load,
      [WARM_UP],
      isQuick ? { ...WARM_TIMES, measureMs: 1_000 } : WARM_TIMES,
      () => {},
    )
    await this.#fsync(load)
    const cells = []
    for (const part of CLOSED_LOOPS) {
      if (!parts.has(part)) continue
      cells.push(
        ...(await throughput(this.servers, load, workloads(part, this.#options), this.#times, this.#tell)),
      )
      this.results.cells = cells
    }
    if (parts.has('throughput')) {
      const alone = workloads('throughput', this.#options)
      this.results.ceilings = await ceilings(load, alone, Math.min(2, seconds) * 1_000, this.#tell)
    }
  }

  /** At shares of what each server took at 64 in flight: in this run, or in one round for this. */
  async #latency(load: Load): Promise<void> {
    const { rounds, seconds, isQuick } = this.#options
    const isMeant = ({ workload }: ThroughputCell) =>
      workload.part === 'throughput' && workload.inFlight === IN_FLIGHT && workload.batch === 1
    let cells = (this.results.cells ?? []).filter(isMeant)
    if (cells.length === 0) {
      this.#tell('the most of each server')
      const times = { ...this.#times, rounds: 1 }
      cells = (await throughput(this.servers, load, [WARM_UP], times, this.#tell)) as ThroughputCell[]
    }
    const most = new Map(
      cells
        .filter(({ server }) => LATENCY_SERVERS.includes(server))
        .map(({ server, eventsPerS }) => [server, eventsPerS]),
    )
    const options = { most, rounds, warmS: isQuick ? 0.3 : 1, seconds }
    this.results.latency = await latency(this.servers, load, options, this.#tell)
    this.#check()
  }

  async #history(load: Load): Promise<void> {
    const { historyEvents: events, rounds, batchesInFlight } = this.#options
    this.results.history = await history(this.servers, load, { events, rounds, batchesInFlight }, this.#tell)
    this.#check()
  }

  async #failover(load: Load): Promise<void> {
    const cube = this.servers.find(server => server instanceof HypercastPublish)
    const jetStream = this.servers
      .filter(server => server instanceof JetStream)
      .find(({ name }) => name === 'jetstream')
    this.results.failover = await failover({ cube, jetStream }, load, this.#options.kills, this.#tell)
    this.#check()
  }

  async #through(load: Load): Promise<void> {
    const { farPeers, batchesInFlight } = this.#options
    this.#tell(`a cube of ${farPeers} peers`)
    const cube = await HypercastPublish.start({ peers: farPeers, nodeOptions: this.#nodeOptions })
    this.results.through = await through(cube, load, this.#times, batchesInFlight, this.#tell)
    await cube.close()
  }

  async #million(load: Load): Promise<void> {
    const { events, starts, peers, batchesInFlight } = this.#options
    this.#tell('two cubes, one of which is filled')
    const [full, empty] = [
      await HypercastPublish.start({ peers, nodeOptions: this.#nodeOptions }),
      await HypercastPublish.start({ peers }),
    ]
    const options = { events, starts, batchesInFlight, times: this.#times }
    this.results.million = await million({ full, empty }, load, options, this.#tell)
    await full.close()
  }

  async #startup(): Promise<void> {
    const { peers, farPeers, starts, servers } = this.#options
    const withJetStream = servers.includes('jetstream')
    this.results.startup = await startup({ peers, farPeers, starts, withJetStream }, this.#tell)
  }

  get #times(): Times {
    const { rounds, seconds, isQuick } = this.#options
    return { rounds, warmMs: isQuick ? 200 : 1_000, measureMs: seconds * 1_000 }
  }

  async #fsync(load: Load): Promise<void> {
    const seconds = this.#options.isQuick ? 1 : 5
    const encoded = await load.disk.ask('fsyncs', { folder: tmpdir(), seconds, everyMs: FSYNC_EVERY_MS })
    this.results.fsync = latencies([encoded])
  }

  async #startServers(): Promise<void> {
    const starts: Record<ServerName, () => Promise<PublishServer>> = {
      hypercast: () => HypercastPublish.start({ peers: this.#options.peers, nodeOptions: this.#nodeOptions }),
      jetstream: () => JetStream.start(),
      'jetstream-fsync': () => JetStream.start(true),
      redis: () => Redis.start(),
      nchan: () => NchanPublish.start(),
    }
    for (const name of this.#options.servers) {
      if (this.#isClosing) return
      try {
        this.servers.push(await starts[name]())
      } catch (error) {
        if (!(error instanceof Missing)) throw error
        if (this.missing.includes(error.message)) continue
        this.missing.push(error.message)
        this.#tell(error.message)
      }
    }
  }

  readonly #nodeOptions = (id: string): string[] => {
    const { profile } = this.#options
    return profile ? ['--cpu-prof', '--cpu-prof-dir', join(profile, id)] : []
  }

  #check(): void {
    for (const server of this.servers) {
      const how = server.lost()
      if (how !== undefined) throw new Error(how)
    }
  }

  async #closeServers(): Promise<void> {
    await Promise.all(this.servers.map(server => server.close()))
  }
}
