import { build, encodeIntoCompressedBase64 } from 'hdr-histogram-js'
import { nowUs, payload, STAMP_BYTES } from '../../load/payload.ts'
import { HIGHEST_US } from './closed-loop.ts'
import { type Lane, openLanes } from './lanes.ts'
import type { PublishWire } from './wire.ts'

export interface OpenLoopOptions {
  readonly wire: PublishWire
  readonly ratePerS: number
  /** Before what is measured. */
  readonly warmS: number
  readonly seconds: number
  /** Publishes that may be under way; beyond them they wait, and their waiting counts. */
  readonly lanes: number
  readonly payloadBytes: number
}

export interface OpenPublished {
  readonly events: number
  readonly failures: readonly string[]
  /** From the intended sending to the acknowledgement (µs), behind the warm-up, encoded. */
  readonly answers: string
  /** Longest time by which this process noticed late that an event was due (µs). */
  readonly latestUs: number
}

const MAX_FAILURES = 10
const PATIENCE_MS = 60_000

/**
 * Publishes single events at a fixed rate to the first topic, whatever the answers: each payload carries the time at which
 * it should have been sent, and latency counts from then. Rejects when publishes stay without an answer.
 */
export async function openLoop(options: OpenLoopOptions): Promise<OpenPublished> {
  const { wire, ratePerS, warmS, seconds, payloadBytes } = options
  const lanes = await openLanes(wire, options.lanes)
  const failures: string[] = []
  const answers = build({ highestTrackableValue: HIGHEST_US, numberOfSignificantValueDigits: 3 })
  const free: Lane[] = [...lanes.lanes]
  /** Taken from the front by an index: a long backlog would make shifting it slow. */
  let due: number[] = []
  let taken = 0
  const total = Math.floor(ratePerS * (warmS + seconds))
  const filling = '.'.repeat(payloadBytes - STAMP_BYTES)
  const startUs = nowUs() + 10_000
  const fromUs = startUs + warmS * 1_000_000
  let latestUs = 0
  let next = 0
  let sent = 0
  let left = total
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const pump = (): void => {
    for (; taken < due.length && free.length > 0; taken += 1) send(free.pop()!, due[taken]!)
    if (taken < due.length) return
    due = []
    taken = 0
  }
  const send = (lane: Lane, dueUs: number): void => {
    sent += 1
    lane.publish(0, { count: 1, payload: payload(sent, dueUs, filling) }, failure => {
      if (dueUs >= fromUs) answers.recordValue(Math.min(HIGHEST_US, Math.max(1, nowUs() - dueUs)))
      if (failure !== undefined && failures.length < MAX_FAILURES) failures.push(failure)
      free.push(lane)
      left -= 1
      if (left === 0) resolve()
      pump()
    })
  }
  const timer = setInterval(() => {
    const atUs = nowUs()
    for (; next < total; next += 1) {
      const dueUs = startUs + Math.floor((next * 1_000_000) / ratePerS)
      if (dueUs > atUs) break
      latestUs = Math.max(latestUs, atUs - dueUs)
      due.push(dueUs)
    }
    pump()
  }, 1)
  const late = setTimeout(
    () => reject(new Error(`${left} publishes have no answer`)),
    (warmS + seconds) * 1_000 + PATIENCE_MS,
  )
  try {
    await promise
  } finally {
    clearInterval(timer)
    clearTimeout(late)
    lanes.close()
  }
  return { events: total, failures, answers: encodeIntoCompressedBase64(answers), latestUs }
}
