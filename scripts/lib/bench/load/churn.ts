import { setTimeout as delay } from 'node:timers/promises'
import { Scan } from './scan.ts'
import { Stream } from './stream.ts'
import type { SubscribeWire } from './wire.ts'

export interface ChurnOptions {
  readonly wires: readonly SubscribeWire[]
  /** Streams that are open at any time. */
  readonly population: number
  /** So many end, and as many begin, each second. */
  readonly perSecond: number
  readonly seconds: number
}

export interface Churned {
  readonly opened: number
  readonly events: number
  /** Events missed, doubled or in disorder, on any stream from its first event to its end. */
  readonly jumps: number
  readonly garbled: number
  /** Streams that did not open, or that ended though nobody asked for it. */
  readonly failed: number
}

/** Keeps `population` streams open, of which the oldest end and new ones begin, for so many seconds; then ends all. */
export async function churn({ wires, population, perSecond, seconds }: ChurnOptions): Promise<Churned> {
  const live: Stream[] = []
  const sum = { opened: 0, events: 0, jumps: 0, garbled: 0, failed: 0 }
  const begin = (): Stream => {
    const stream = new Stream(wires[sum.opened % wires.length]!, new Scan())
    sum.opened += 1
    live.push(stream)
    return stream
  }
  const end = (stream: Stream): void => {
    if (stream.isBroken) sum.failed += 1
    sum.events += stream.scan.count
    sum.jumps += stream.scan.jumps
    sum.garbled += stream.scan.garbled
    stream.close()
  }
  for (let at = 0; at < population; at += 1) await begin().open
  const startedMs = performance.now()
  for (let changed = 0; performance.now() - startedMs < seconds * 1_000; ) {
    const due = ((performance.now() - startedMs) * perSecond) / 1_000
    for (; changed < due; changed += 1) {
      end(live.shift()!)
      begin()
    }
    await delay(5)
  }
  const opening = live.map(stream =>
    Promise.race([stream.open, delay(5_000).then(() => Promise.reject(new Error('slow')))]),
  )
  await Promise.allSettled(opening)
  for (const stream of live) end(stream)
  await Promise.all(live.map(stream => stream.closed))
  return sum
}
