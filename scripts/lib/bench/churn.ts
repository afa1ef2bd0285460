import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ask } from '../http.ts'
import {
  type Growth,
  growth,
  type Look,
  type Plateau,
  perMinute,
  plateau,
  type SettledSample,
} from './growth.ts'
import type { TopicWire } from './load/wire.ts'
import type { Load } from './load.ts'
import { openFiles, residentBytes } from './process.ts'
import { Hypercast } from './servers/hypercast.ts'
import { askSettled } from './settled.ts'

export interface ChurnOptions {
  readonly peers: number
  readonly minutes: number
  readonly perSecond: number
  readonly population: number
  readonly publishesPerS: number
}

export interface ChurnFigures {
  readonly options: ChurnOptions
  readonly opened: number
  readonly events: number
  /** The serving peer all the time, and all peers after collections: before the first subscriber, then as time goes on. */
  readonly looks: readonly Look[]
  readonly settled: readonly SettledSample[]
  /** The serving peer, when all subscribers were gone. */
  readonly after: { readonly look: Look; readonly settled: SettledSample }
  /** Of each peer, the serving one first, from `JUDGED_FROM_S` on. */
  readonly growth: readonly Growth[]
  readonly plateau: Plateau
  readonly filesPerMinute: number
  readonly streamsPerMinute: number
  /** Files and streams when all subscribers were gone, beside those before the first came. */
  readonly left: { readonly files: number; readonly streams: number }
  readonly violations: readonly string[]
}

/**
 * What is before is not judged: code is compiled, and memory takes the shape of the load. The ring's 10,000 events, which came fast,
 * are replaced by ones that come one by one.
 */
export const JUDGED_FROM_S = 240
/**
 * Published before the churn begins, to one subscriber: caches fill that are bounded by numbers of events and bytes (limits.ts: the
 * ring of a followed topic, the tail of a slot's log), which at the rate of the churn itself would take longer than all of it.
 */
const FILLING = { events: 25_000, perSecondOfChurn: 50, connections: 4, timeoutMs: 900_000 }

const COLLECTOR = fileURLToPath(new URL('./collector.ts', import.meta.url))
const LOOKS = 120
const LEAST_EVERY_MS = 1_000
const SETTLED_EVERY_S = 30
const LEAST_SETTLED = 6
const LEAVING_MS = 2_000
const MIB = 1_048_576

/**
 * Subscribers of one peer come and go while somebody publishes; the peer is looked at all the time. On a cube of its own, whose
 * peers are made to collect their garbage from time to time.
 */
export async function churn(load: Load, options: ChurnOptions): Promise<ChurnFigures> {
  const socket = (folder: string, id: string) => join(folder, `collector-${id}`)
  const cube = await Hypercast.start({
    peers: options.peers,
    nodeOptions: () => ['--import', COLLECTOR],
    environment: (id, folder) => ({ BENCH_COLLECTOR: socket(folder, id) }),
  })
  try {
    const { wire, pid } = await cube.topic('churn')
    const [serving] = cube.ids as [string]
    let startMs = performance.now()
    const secondsNow = () => (performance.now() - startMs) / 1_000
    const look = () => lookAt(cube.url(serving), pid, secondsNow())
    const settle = () => Promise.all(cube.ids.map(id => settledOf(id, socket(cube.folder, id), secondsNow())))
    const looks = [await look()]
    const settled = await settle()
    const seconds = options.minutes * 60
    await load.open(wire, 1, 1)
    const filled = await fill(load, wire, seconds)
    startMs = performance.now()
    // One connection, so that the sequences are in the order of the topic; until all subscribers have left.
    const publishing = load.publisher.ask(
      'rate',
      {
        ...{ wire, ratePerS: options.publishesPerS, seconds: seconds + LEAVING_MS / 1_000 },
        ...{ connections: 1, first: filled + 1 },
      },
      (seconds + 120) * 1_000,
    )
    publishing.catch(() => {})
    const churning = load.readers[0]!.ask(
      'churn',
      { wires: wire.subscribe, population: options.population, perSecond: options.perSecond, seconds },
      (seconds + 60) * 1_000,
    )
    let isOver = false
    const over = churning.finally(() => {
      isOver = true
    })
    over.catch(() => {})
    const everyMs = Math.max(LEAST_EVERY_MS, (seconds * 1_000) / LOOKS)
    const settledEveryS = Math.min(SETTLED_EVERY_S, seconds / LEAST_SETTLED)
    for (let dueS = settledEveryS; !isOver; ) {
      await Promise.race([delay(everyMs), over])
      if (isOver) break
      looks.push(await look())
      if (secondsNow() < dueS) continue
      settled.push(...(await settle()))
      dueS += settledEveryS
    }
    const { opened, events, jumps, garbled, failed } = await churning
    const violations = [...(await publishing).failures]
    await load.close()
    await delay(LEAVING_MS)
    const after = { look: await look(), settled: (await settle())[0]! }
    if (jumps > 0) violations.push(`${jumps} events were lost, doubled or in disorder`)
    if (garbled > 0) violations.push(`${garbled} events could not be read`)
    if (failed > 0) violations.push(`${failed} streams ended by themselves`)
    if (events === 0) violations.push('no subscriber had any event')
    const lost = cube.lost()
    if (lost !== undefined) violations.push(lost)
    const [before] = looks as [Look]
    return {
      options,
      opened,
      events,
      looks,
      settled,
      after,
      growth: growth(settled, JUDGED_FROM_S),
      plateau: plateau(looks, JUDGED_FROM_S),
      filesPerMinute: perMinute(looks, JUDGED_FROM_S, one => one.files),
      streamsPerMinute: perMinute(looks, JUDGED_FROM_S, one => one.streams),
      left: { files: after.look.files - before.files, streams: after.look.streams - before.streams },
      violations,
    }
  } finally {
    await cube.close()
  }
}

/** Fills the caches; how many events were published. Nobody looks at their order. */
async function fill(load: Load, wire: TopicWire, seconds: number): Promise<number> {
  const each = Math.ceil(Math.min(FILLING.events, seconds * FILLING.perSecondOfChurn) / FILLING.connections)
  await Promise.all(
    Array.from({ length: FILLING.connections }, (_, at) =>
      load.publisher.ask(
        'fill',
        { wire, from: at * each + 1, to: (at + 1) * each, batch: 1 },
        FILLING.timeoutMs,
      ),
    ),
  )
  return FILLING.connections * each
}

async function lookAt(url: string, pid: number, seconds: number): Promise<Look> {
  const { body } = await ask(`${url}/metrics`)
  const streams = Number(/^hypercast_streams(?:\{[^}]*\})? (\S+)$/m.exec(body)?.[1])
  return { seconds, residentMiB: residentBytes(pid) / MIB, files: openFiles(pid), streams }
}

async function settledOf(peer: string, path: string, seconds: number): Promise<SettledSample> {
  const { heapUsed, external } = await askSettled(path)
  return { seconds, peer, heapMiB: heapUsed / MIB, externalMiB: external / MIB }
}
