import { join } from 'node:path'
import { ceilings } from './ceiling.ts'
import { churn } from './churn.ts'
import { affordable, idle } from './idle.ts'
import { latency } from './latency.ts'
import { Load } from './load.ts'
import type { BenchOptions } from './options.ts'
import type { Results } from './results.ts'
import { rotated } from './rounds.ts'
import { Hypercast } from './servers/hypercast.ts'
import { Nchan } from './servers/nchan.ts'
import { BareNode } from './servers/node.ts'
import { closeRunning } from './servers/running.ts'
import { type BenchServer, Missing, type ServerName } from './servers/server.ts'
import { storm } from './storm.ts'
import { throughput } from './throughput.ts'

const WARM_ROUND = { rounds: 1, warmMs: 500, measureMs: 1_000 }
const WARM_SUBSCRIBERS = 50
/** At this rate it takes some seconds until what runs often is compiled. */
const LATENCY = { subscribers: 100, ratePerS: 200, warmS: 10 }
const QUICK_WARM_S = 2
const CHURN = { perSecond: 100, population: 200, publishesPerS: 50 }
/** Parts that need all servers, in this order. */
const SERVER_PARTS = ['idle', 'latency', 'throughput'] as const
const STORM_TIMEOUT_S = 300

/** What runs, so that all of it can be ended whenever it must. */
export class Run {
  servers: BenchServer[] = []
  /** What could not be measured here, in words. */
  readonly missing: string[] = []
  readonly results: Results = {}
  readonly #options: BenchOptions
  readonly #tell: (text: string) => void
  #load: Load | undefined

  constructor(options: BenchOptions, tell: (text: string) => void) {
    this.#options = options
    this.#tell = tell
  }

  /** Measures all parts; rejects when something dies on the way. `close` is to be called whatever comes. */
  async measure(): Promise<void> {
    const { parts, readers, seconds } = this.#options
    const load = new Load(readers)
    this.#load = load
    for (const part of SERVER_PARTS) {
      if (!parts.has(part)) continue
      // New ones for each part: what one leaves behind, in memory and for the disk to do, is nothing to the next.
      await this.#startServers()
      await this.#measurePart(part, load)
      this.#check()
      await this.#closeServers()
    }
    const isOurs = this.#options.servers.includes('hypercast')
    if (parts.has('churn') && isOurs) await this.#churn(load)
    if (parts.has('storm') && isOurs) await this.#storm(load)
    if (parts.has('throughput')) this.results.ceilings = await ceilings(load, Math.min(2, seconds) * 1_000)
  }

  async close(): Promise<void> {
    await this.#closeServers()
    await Promise.all([Hypercast.closeAll(), closeRunning()])
    await this.#load?.end()
  }

  async #measurePart(part: (typeof SERVER_PARTS)[number], load: Load): Promise<void> {
    const { rounds, seconds, isQuick } = this.#options
    const { servers, results } = this
    if (part === 'idle') {
      const subscribers = this.#affordable(this.#options.idleSubscribers)
      this.#tell(`idle: ${subscribers} subscribers`)
      results.idle = await idle(servers, load, subscribers, isQuick ? 1_000 : undefined)
    } else if (part === 'latency') {
      this.#tell(`latency: ${LATENCY.ratePerS} publishes/s to ${LATENCY.subscribers} subscribers`)
      const { figures, fsync } = await latency(servers, load, {
        ...LATENCY,
        ...(isQuick && { warmS: QUICK_WARM_S }),
        rounds,
        seconds: isQuick ? 4 : seconds * 2,
      })
      results.latency = figures
      if (fsync) results.fsync = fsync
    } else await this.#throughput(load)
  }

  async #throughput(load: Load): Promise<void> {
    const { rounds, seconds, inFlight, batchesInFlight, isQuick } = this.#options
    const flight = { inFlight, batchesInFlight }
    const subscribers = [...new Set(this.#options.subscribers.map(count => this.#affordable(count)))]
    this.#tell('warm-up of all servers')
    await throughput(
      this.servers,
      load,
      { ...flight, ...WARM_ROUND, subscribers: [WARM_SUBSCRIBERS] },
      () => {},
    )
    const times = { rounds, warmMs: isQuick ? 500 : 1_500, measureMs: seconds * 1_000 }
    this.results.throughput = await throughput(
      this.servers,
      load,
      { ...flight, ...times, subscribers },
      this.#tell,
    )
  }

  async #churn(load: Load): Promise<void> {
    const { minutes, peers } = this.#options
    this.#tell(`churn: ${minutes} minutes`)
    this.results.churn = await churn(load, { ...CHURN, peers, minutes })
  }

  async #storm(load: Load): Promise<void> {
    const { stormSubscribers: subscribers, history, profile } = this.#options
    const options = {
      subscribers,
      history,
      timeoutS: STORM_TIMEOUT_S,
      ...(profile === undefined ? {} : { profile }),
    }
    this.results.storm = await storm(load, options, this.#tell)
  }

  async #startServers(): Promise<void> {
    const { servers, peers, isSpread, profile } = this.#options
    const nodeOptions = (id: string) => (profile ? ['--cpu-prof', '--cpu-prof-dir', join(profile, id)] : [])
    const starts: Record<ServerName, () => Promise<BenchServer>> = {
      hypercast: () => Hypercast.start({ peers, isSpread, nodeOptions }),
      nchan: () => Nchan.start(),
      node: () => BareNode.start(),
    }
    this.servers = []
    for (const name of rotated(servers, 0)) {
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

  /** So many subscribers as this machine's bound on open files allows; says so when they are fewer. */
  #affordable(wished: number): number {
    const count = affordable(wished)
    if (count < wished) {
      const text = `${wished} subscribers need more open files than this shell allows (ulimit -n): ${count} instead`
      if (!this.missing.includes(text)) this.missing.push(text)
      this.#tell(text)
    }
    return count
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
