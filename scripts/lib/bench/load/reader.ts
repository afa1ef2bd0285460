/**
 * A process that subscribes: many streams over bare sockets, each event counted and its sequence looked at. It holds one
 * group of streams at a time.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { build, encodeIntoCompressedBase64 } from 'hdr-histogram-js'
import { churn } from './churn.ts'
import { nowUs } from './payload.ts'
import { Scan } from './scan.ts'
import { StormReaders } from './storm-readers.ts'
import { Stream } from './stream.ts'
import type { SubscribeWire } from './wire.ts'
import { serve } from './worker.ts'

/** Connections that are opened at a time. */
const OPENING = 100
const POLL_MS = 10
const HIGHEST_US = 60_000_000

export interface OpenGroup {
  readonly wires: readonly SubscribeWire[]
  readonly count: number
  /** Times are read from every so-many-th stream; 0: from none. */
  readonly sampleEvery: number
  /** The first stream keeps all sequences, so that they can be compared with what was published. */
  readonly keeps: boolean
}

export interface Counted {
  /** Events over all streams since they were opened. */
  readonly events: number
  readonly atUs: number
  /** This process's own, since its start. */
  readonly cpuUs: number
}

/** Streams that had so many events with the same hash. */
export interface Shape {
  readonly count: number
  readonly hash: number
  readonly streams: number
}

export interface Settled {
  readonly shapes: readonly Shape[]
  readonly garbled: number
  /** Streams that ended though nobody asked for it. */
  readonly broken: number
  /** Sequences in the order in which the first stream had them, when it was to keep them. */
  readonly kept: Uint32Array | undefined
}

let streams: Stream[] = []
let fromUs = Number.POSITIVE_INFINITY
const histogram = build({ highestTrackableValue: HIGHEST_US, numberOfSignificantValueDigits: 3 })
const storm = new StormReaders()

const operations = {
  async open({ wires, count, sampleEvery, keeps }: OpenGroup): Promise<void> {
    for (let first = 0; first < count; first += OPENING) {
      const some = Array.from({ length: Math.min(OPENING, count - first) }, (_, at) => {
        const number = first + at
        const onTime = sampleEvery > 0 && number % sampleEvery === 0 ? record : undefined
        return new Stream(
          wires[number % wires.length]!,
          new Scan({ keeps: keeps && number === 0, ...(onTime && { onTime }) }),
        )
      })
      streams.push(...some)
      await Promise.all(some.map(stream => stream.open))
    }
  },

  count(_: null): Counted {
    const { user, system } = process.cpuUsage()
    return {
      events: streams.reduce((sum, { scan }) => sum + scan.count, 0),
      atUs: nowUs(),
      cpuUs: user + system,
    }
  },

  /** From now on latencies are those of events whose time is at or after `fromUs`. */
  measure(since: number): void {
    fromUs = since
    histogram.reset()
  },

  /** The latencies since `measure`, as hdr-histogram-js encodes them. */
  latencies(_: null): string {
    return encodeIntoCompressedBase64(histogram)
  },

  /** Waits until each stream has had `count` events, at most `timeoutMs`. */
  async settle({ count, timeoutMs }: { count: number; timeoutMs: number }): Promise<Settled> {
    const untilMs = performance.now() + timeoutMs
    while (
      performance.now() < untilMs &&
      streams.some(({ scan, isBroken }) => scan.count < count && !isBroken)
    )
      await delay(POLL_MS)
    const shapes = new Map<string, Shape>()
    for (const { scan } of streams) {
      const key = `${scan.count} ${scan.hash}`
      shapes.set(key, { count: scan.count, hash: scan.hash, streams: (shapes.get(key)?.streams ?? 0) + 1 })
    }
    const kept = streams[0]?.scan.kept
    return {
      shapes: [...shapes.values()],
      garbled: streams.reduce((sum, { scan }) => sum + scan.garbled, 0),
      broken: streams.filter(({ isBroken }) => isBroken).length,
      kept: kept && Uint32Array.from(kept),
    }
  },

  async close(_: null): Promise<void> {
    for (const stream of streams) stream.close()
    await Promise.all(streams.map(stream => stream.closed))
    streams = []
    fromUs = Number.POSITIVE_INFINITY
  },

  churn,
  stormOpen: (argument: Parameters<StormReaders['open']>[0]) => storm.open(argument),
  stormResume: (_: null) => storm.resume(),
  stormState: (_: null) => storm.state(),
  stormClose: (_: null) => storm.close(),
}

export type ReaderOperations = typeof operations

function record(timeUs: number): void {
  if (timeUs >= fromUs) histogram.recordValue(Math.min(HIGHEST_US, Math.max(1, nowUs() - timeUs)))
}

serve(operations)
