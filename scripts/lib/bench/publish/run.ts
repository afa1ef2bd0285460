import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { latencies } from '../figures.ts'
import { Hypercast } from '../servers/hypercast.ts'
import { Missing } from '../servers/server.ts'
import { ceilings } from './ceiling.ts'
import { Load } from './load.ts'
import type { PublishOptions } from './options.ts'
import type { Results } from './results.ts'
import { HypercastPublish } from './servers/hypercast.ts'
import { JetStream } from './servers/jetstream.ts'
import { NchanPublish } from './servers/nchan.ts'
import { Redis } from './servers/redis.ts'
import type { PublishServer, ServerName } from './servers/server.ts'
import { throughput } from './throughput.ts'
import { PAYLOAD_BYTES, type Workload, workloads } from './workloads.ts'

const CLOSED_LOOPS = ['throughput', 'payloads', 'topics'] as const
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

  constructor(options: PublishOptions, tell: (text: string) => void) {
    this.#options = options
    this.#tell = tell
  }

  /** Measures all parts; rejects when something dies on the way. `close` is to be called whatever comes. */
  async measure(): Promise<void> {
    const { parts } = this.#options
    const load = new Load()
    this.#load = load
    if (CLOSED_LOOPS.some(part => parts.has(part))) {
      await this.#startServers()
      await this.#closedLoops(load)
      this.#check()
      await this.#closeServers()
    }
  }

  async close(): Promise<void> {
    await this.#closeServers()
    await Hypercast.closeAll()
    await this.#load?.end()
  }

  async #closedLoops(load: Load): Promise<void> {
    const { parts, rounds, seconds, isQuick } = this.#options
    this.#tell('warm-up of all servers')
    await throughput(
      this.servers,
      load,
      [WARM_UP],
      isQuick ? { ...WARM_TIMES, measureMs: 1_000 } : WARM_TIMES,
      () => {},
    )
    await this.#fsync(load)
    const times = { rounds, warmMs: isQuick ? 300 : 1_000, measureMs: seconds * 1_000 }
    const cells = []
    for (const part of CLOSED_LOOPS) {
      if (!parts.has(part)) continue
      cells.push(...(await throughput(this.servers, load, workloads(part, this.#options), times, this.#tell)))
      this.results.cells = cells
    }
    if (parts.has('throughput')) {
      const alone = workloads('throughput', this.#options)
      this.results.ceilings = await ceilings(load, alone, Math.min(2, seconds) * 1_000, this.#tell)
    }
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
      redis: () => Redis.start(),
      nchan: () => NchanPublish.start(),
    }
    for (const name of this.#options.servers) {
      try {
        this.servers.push(await starts[name]())
      } catch (error) {
        if (!(error instanceof Missing)) throw error
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
