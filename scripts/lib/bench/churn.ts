import { setTimeout as delay } from 'node:timers/promises'
import { ask } from '../http.ts'
import { slope } from './figures.ts'
import type { Load } from './load.ts'
import { openFiles, residentBytes } from './process.ts'
import type { Hypercast } from './servers/hypercast.ts'

export interface ChurnOptions {
  readonly minutes: number
  readonly perSecond: number
  readonly population: number
  readonly publishesPerS: number
}

/** The peer at one moment. */
export interface ChurnSample {
  readonly seconds: number
  readonly residentMiB: number
  readonly heapMiB: number
  readonly files: number
  readonly streams: number
}

export interface ChurnFigures {
  readonly options: ChurnOptions
  readonly opened: number
  readonly events: number
  readonly samples: readonly ChurnSample[]
  /** Over the second half, by least squares. */
  readonly residentMiBPerMinute: number
  readonly heapMiBPerMinute: number
  readonly filesPerMinute: number
  readonly streamsPerMinute: number
  /** Files and streams when all subscribers were gone, beside those before the first came. */
  readonly left: { readonly files: number; readonly streams: number }
  readonly violations: readonly string[]
}

const SAMPLES = 120
const LEAST_EVERY_MS = 1_000
const LEAVING_MS = 2_000
const MIB = 1_048_576

/** Subscribers of one peer come and go while somebody publishes; the peer is looked at all the time. */
export async function churn(cube: Hypercast, load: Load, options: ChurnOptions): Promise<ChurnFigures> {
  const { wire, pid } = await cube.topic('churn')
  const [first] = cube.ids as [string]
  const startMs = performance.now()
  const look = () => sample(cube.url(first), pid, startMs)
  const seconds = options.minutes * 60
  const timeoutMs = (seconds + 60) * 1_000
  const before = await look()
  // One connection, so that the sequences are in the order of the topic.
  const publishing = load.publisher.ask(
    'rate',
    { wire, ratePerS: options.publishesPerS, seconds: seconds + LEAVING_MS / 1_000, connections: 1 },
    timeoutMs + 60_000,
  )
  const churning = load.readers[0]!.ask(
    'churn',
    { wires: wire.subscribe, population: options.population, perSecond: options.perSecond, seconds },
    timeoutMs,
  )
  const samples: ChurnSample[] = []
  const everyMs = Math.max(LEAST_EVERY_MS, (seconds * 1_000) / SAMPLES)
  let isOver = false
  const over = churning.finally(() => {
    isOver = true
  })
  over.catch(() => {})
  while (!isOver) {
    await Promise.race([delay(everyMs), over])
    if (!isOver) samples.push(await look())
  }
  const { opened, events, jumps, garbled, failed } = await churning
  const { failures } = await publishing
  await delay(LEAVING_MS)
  const after = await look()
  const late = samples.slice(samples.length >> 1)
  const perMinute = (of: (one: ChurnSample) => number) => slope(late.map(one => [one.seconds / 60, of(one)]))
  const violations = [...failures]
  if (jumps > 0) violations.push(`${jumps} events were lost, doubled or in disorder`)
  if (garbled > 0) violations.push(`${garbled} events could not be read`)
  if (failed > 0) violations.push(`${failed} streams ended by themselves`)
  if (events === 0) violations.push('no subscriber had any event')
  return {
    options,
    opened,
    events,
    samples,
    residentMiBPerMinute: perMinute(one => one.residentMiB),
    heapMiBPerMinute: perMinute(one => one.heapMiB),
    filesPerMinute: perMinute(one => one.files),
    streamsPerMinute: perMinute(one => one.streams),
    left: { files: after.files - before.files, streams: after.streams - before.streams },
    violations,
  }
}

async function sample(url: string, pid: number, startMs: number): Promise<ChurnSample> {
  const { body } = await ask(`${url}/metrics`)
  const metric = (name: string) => Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(body)?.[1])
  return {
    seconds: (performance.now() - startMs) / 1_000,
    residentMiB: residentBytes(pid) / MIB,
    heapMiB: metric('nodejs_heap_size_used_bytes') / MIB,
    files: openFiles(pid),
    streams: metric('hypercast_streams'),
  }
}
