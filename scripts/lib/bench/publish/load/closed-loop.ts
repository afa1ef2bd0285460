import { build, encodeIntoCompressedBase64 } from 'hdr-histogram-js'
import { MARKER, nowUs } from '../../load/payload.ts'
import type { Events, Lane, Lanes } from './lanes.ts'
import type { PublishWire } from './wire.ts'

export interface ClosedLoopOptions {
  readonly wire: PublishWire
  /** Publishes that are under way at any time. */
  readonly inFlight: number
  /** Events of one publish. */
  readonly batch: number
  readonly payloadBytes: number
}

/** What was acknowledged between two looks. */
export interface Counted {
  readonly events: number
  readonly seconds: number
  /** This process's own CPU time. */
  readonly cpuUs: number
  /** From sending to the acknowledgement of each publish (µs), encoded. */
  readonly latencies: string
}

export interface Published {
  /** Acknowledged since the beginning. */
  readonly events: number
  readonly seconds: number
  /** Publishes that failed, in words. */
  readonly failures: readonly string[]
}

export const HIGHEST_US = 60_000_000
const MAX_FAILURES = 10

/** A payload that begins with the marker which readers count, and says nothing. */
export function plainPayload(bytes: number): string {
  return String.fromCharCode(MARKER).padEnd(bytes, '.')
}

/** Keeps a fixed number of publishes under way, over the topics in turn. A lane whose publish failed is not used again. */
export class ClosedLoop {
  /** Resolves when nothing is under way any more. */
  readonly finished: Promise<Published>
  readonly #options: ClosedLoopOptions
  readonly #lanes: Lanes
  readonly #events: Events
  readonly #failures: string[] = []
  readonly #histogram = build({ highestTrackableValue: HIGHEST_US, numberOfSignificantValueDigits: 3 })
  readonly #resolve: (published: Published) => void
  /** Publishes that may still begin. */
  #left: number
  #underWay = 0
  #topic = 0
  #acknowledged = 0
  #startedUs = 0
  #look = { acknowledged: 0, atUs: 0, cpuUs: 0 }

  /** `events`: ends by itself behind so many. */
  constructor(options: ClosedLoopOptions, lanes: Lanes, events = Number.POSITIVE_INFINITY) {
    this.#options = options
    this.#lanes = lanes
    this.#events = { count: options.batch, payload: plainPayload(options.payloadBytes) }
    this.#left = Math.ceil(events / options.batch)
    const { promise, resolve } = Promise.withResolvers<Published>()
    this.finished = promise
    this.#resolve = resolve
  }

  begin(): void {
    this.#startedUs = nowUs()
    this.look()
    this.#underWay = this.#lanes.lanes.length
    for (const lane of this.#lanes.lanes) this.#next(lane)
  }

  look(): Counted {
    const before = this.#look
    const { user, system } = process.cpuUsage()
    this.#look = { acknowledged: this.#acknowledged, atUs: nowUs(), cpuUs: user + system }
    const latencies = encodeIntoCompressedBase64(this.#histogram)
    this.#histogram.reset()
    return {
      events: this.#acknowledged - before.acknowledged,
      seconds: (this.#look.atUs - before.atUs) / 1_000_000,
      cpuUs: this.#look.cpuUs - before.cpuUs,
      latencies,
    }
  }

  stop(): Promise<Published> {
    this.#left = 0
    return this.finished
  }

  #next(lane: Lane): void {
    if (this.#left <= 0) {
      this.#end()
      return
    }
    this.#left -= 1
    const topic = this.#topic
    this.#topic = (topic + 1) % this.#options.wire.topics.length
    const sentUs = nowUs()
    lane.publish(topic, this.#events, failure => {
      if (failure !== undefined) {
        if (this.#failures.length < MAX_FAILURES) this.#failures.push(failure)
        this.#end()
        return
      }
      this.#acknowledged += this.#options.batch
      this.#histogram.recordValue(Math.min(HIGHEST_US, Math.max(1, nowUs() - sentUs)))
      this.#next(lane)
    })
  }

  #end(): void {
    this.#underWay -= 1
    if (this.#underWay > 0) return
    this.#lanes.close()
    this.#resolve({
      events: this.#acknowledged,
      seconds: (nowUs() - this.#startedUs) / 1_000_000,
      failures: this.#failures,
    })
  }
}
