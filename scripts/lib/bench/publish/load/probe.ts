import { setTimeout as delay } from 'node:timers/promises'
import { nowUs } from '../../load/payload.ts'
import { type Lane, type Lanes, openLanes } from './lanes.ts'
import type { PublishWire } from './wire.ts'

/** What became of the publishes of a probe. */
export interface Probed {
  readonly acknowledged: number
  readonly failed: number
  /** No answer came while the probe ran. */
  readonly unanswered: number
}

/** Publishes that may be under way: those of the longest gap. Beyond them none is sent until one is answered. */
const LANES = 1_000
const PAYLOAD = '.'.repeat(256)
const POLL_MS = 1
const ANSWER_PATIENCE_MS = 2_000
/** Of HTTP: each is a connection. */
const HTTP_LANES = 300

/** Publishes every few milliseconds on lanes of their own, so that one that hangs keeps no other from being acknowledged. */
export class Probe {
  readonly #lanes: Lanes
  readonly #free: Lane[]
  readonly #timer: NodeJS.Timeout
  #acknowledged = 0
  #failed = 0
  /** Whom to tell of the first acknowledgement of a publish that was sent at `fromUs` or later. */
  #since: { fromUs: number; found: ((gapUs: number) => void) | undefined } = { fromUs: 0, found: undefined }

  private constructor(lanes: Lanes, everyMs: number) {
    this.#lanes = lanes
    this.#free = [...lanes.lanes]
    let dueUs = nowUs()
    this.#timer = setInterval(() => {
      for (const atUs = nowUs(); dueUs <= atUs; dueUs += everyMs * 1_000) this.#publish()
    }, POLL_MS)
  }

  static async start(wire: PublishWire, everyMs: number): Promise<Probe> {
    return new Probe(await openLanes(wire, wire.kind === 'nats' ? LANES : HTTP_LANES), everyMs)
  }

  /** Time from `fromUs` until the first acknowledgement of a publish that was sent behind it (µs). */
  gap(fromUs: number, timeoutMs: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#since.found = undefined
        reject(new Error(`no publish was acknowledged within ${timeoutMs} ms`))
      }, timeoutMs)
      this.#since = {
        fromUs,
        found: gapUs => {
          clearTimeout(late)
          resolve(gapUs)
        },
      }
    })
  }

  /** Sends nothing more, and waits a while for the answers that are still to come. */
  async end(): Promise<Probed> {
    clearInterval(this.#timer)
    const untilMs = performance.now() + ANSWER_PATIENCE_MS
    while (this.#free.length < this.#lanes.lanes.length && performance.now() < untilMs) await delay(POLL_MS)
    this.#lanes.close()
    return {
      acknowledged: this.#acknowledged,
      failed: this.#failed,
      unanswered: this.#lanes.lanes.length - this.#free.length,
    }
  }

  #publish(): void {
    const lane = this.#free.shift()
    if (lane === undefined) return
    const sentUs = nowUs()
    lane.publish(0, { count: 1, payload: PAYLOAD }, failure => {
      this.#free.push(lane)
      if (failure !== undefined) {
        this.#failed += 1
        return
      }
      this.#acknowledged += 1
      const { fromUs, found } = this.#since
      if (found === undefined || sentUs < fromUs) return
      this.#since = { fromUs, found: undefined }
      found(nowUs() - fromUs)
    })
  }
}
