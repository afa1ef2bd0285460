/** A process that publishes: a fixed number in flight for throughput, a fixed rate for latency, one after the other for a history. */
import { build, encodeIntoCompressedBase64 } from 'hdr-histogram-js'
import { nowUs } from './payload.ts'
import { PublishSocket } from './publish-socket.ts'
import { Scan } from './scan.ts'
import { Stream } from './stream.ts'
import type { TopicWire } from './wire.ts'
import { serve } from './worker.ts'

export interface ClosedLoop {
  readonly wire: TopicWire
  /** Events of one publish. */
  readonly batch: number
  /** Events that are sent and have not come back on the publisher's own stream. */
  readonly inFlight: number
}

export interface OpenLoop {
  readonly wire: TopicWire
  readonly ratePerS: number
  readonly seconds: number
  readonly connections: number
  /** Sequence of the first event; 1 if it is not said. */
  readonly first?: number
}

export interface Published {
  readonly events: number
  /** Publishes that were not answered 2xx, in words. */
  readonly failures: readonly string[]
  /** Time from the intended sending to the answer (µs), encoded. */
  readonly answers: string
  /** Longest time by which the publisher itself was late (µs). */
  readonly latestUs: number
}

const HIGHEST_US = 60_000_000
const MAX_FAILURES = 10
const IDLE_TIMEOUT_MS = 60_000

let stopLoop: () => Promise<Published> = () => Promise.reject(new Error('nothing is being published'))

const operations = {
  /** Publishes until `stop`, with so many events in flight that the slower of publisher and delivery sets the pace. */
  async start({ wire, batch, inFlight }: ClosedLoop): Promise<void> {
    const failures: string[] = []
    const answers = build({ highestTrackableValue: HIGHEST_US, numberOfSignificantValueDigits: 3 })
    const publishes = Math.max(1, Math.floor(inFlight / batch))
    let next = 1
    let returned = 0
    let isStopping = false
    const waiting: (() => void)[] = []
    const wake = () => {
      while (waiting.length > 0 && next - 1 + batch - returned <= inFlight) waiting.shift()!()
    }
    const own = new Stream(
      wire.subscribe[0]!,
      new Scan({
        onTime: () => {
          returned += 1
        },
      }),
    )
    own.onBytes = wake
    await own.open
    const loop = async (socket: PublishSocket): Promise<void> => {
      while (!isStopping) {
        if (next - 1 + batch - returned > inFlight) {
          await new Promise<void>(resolve => waiting.push(resolve))
          continue
        }
        const first = next
        next += batch
        const sentUs = nowUs()
        const failure = await socket.publish(first, batch, sentUs)
        answers.recordValue(Math.min(HIGHEST_US, Math.max(1, nowUs() - sentUs)))
        if (failure === undefined) continue
        if (failures.length < MAX_FAILURES) failures.push(failure)
        return
      }
    }
    const sockets = Array.from({ length: publishes }, () => new PublishSocket(wire.publish))
    const loops = sockets.map(loop)
    stopLoop = async () => {
      isStopping = true
      for (const resolve of waiting.splice(0)) resolve()
      await Promise.all(loops)
      for (const socket of sockets) socket.close()
      own.close()
      return { events: next - 1, failures, answers: encodeIntoCompressedBase64(answers), latestUs: 0 }
    }
  },

  stop: (_: null): Promise<Published> => stopLoop(),

  /** Publishes at a fixed rate, whatever the answers; each payload carries the time at which it should have been sent. */
  async rate({ wire, ratePerS, seconds, connections, first = 1 }: OpenLoop): Promise<Published> {
    const failures: string[] = []
    const answers = build({ highestTrackableValue: HIGHEST_US, numberOfSignificantValueDigits: 3 })
    const sockets = Array.from({ length: connections }, () => new PublishSocket(wire.publish))
    const free = [...sockets]
    const queue: { sequence: number; dueUs: number }[] = []
    const total = Math.floor(ratePerS * seconds)
    let latestUs = 0
    let left = total
    await new Promise<void>((resolve, reject) => {
      const startUs = nowUs() + 10_000
      let next = 1
      const send = async (
        socket: PublishSocket,
        { sequence, dueUs }: { sequence: number; dueUs: number },
      ) => {
        const failure = await socket.publish(sequence, 1, dueUs)
        answers.recordValue(Math.min(HIGHEST_US, Math.max(1, nowUs() - dueUs)))
        if (failure !== undefined && failures.length < MAX_FAILURES) failures.push(failure)
        free.push(socket)
        left -= 1
        if (left === 0) {
          clearInterval(timer)
          clearTimeout(late)
          resolve()
        }
        pump()
      }
      const pump = () => {
        while (queue.length > 0 && free.length > 0) void send(free.pop()!, queue.shift()!)
      }
      const timer = setInterval(() => {
        for (; next <= total; next += 1) {
          const dueUs = startUs + Math.floor(((next - 1) * 1_000_000) / ratePerS)
          const lateUs = nowUs() - dueUs
          if (lateUs < 0) break
          latestUs = Math.max(latestUs, lateUs)
          queue.push({ sequence: first + next - 1, dueUs })
        }
        pump()
      }, 1)
      const late = setTimeout(
        () => {
          clearInterval(timer)
          reject(new Error(`${left} publishes have no answer`))
        },
        seconds * 1_000 + IDLE_TIMEOUT_MS,
      )
    })
    for (const socket of sockets) socket.close()
    return { events: total, failures, answers: encodeIntoCompressedBase64(answers), latestUs }
  },

  /** Publishes sequences `from` to `to` in order, in batches, one after the other; the body of the last answer. */
  async fill({
    wire,
    from,
    to,
    batch,
  }: {
    wire: TopicWire
    from: number
    to: number
    batch: number
  }): Promise<string> {
    const socket = new PublishSocket(wire.publish)
    for (let first = from; first <= to; first += batch) {
      const failure = await socket.publish(first, Math.min(batch, to - first + 1), nowUs())
      if (failure !== undefined) throw new Error(failure)
    }
    socket.close()
    return socket.lastBody
  },
}

export type PublisherOperations = typeof operations

serve(operations)
