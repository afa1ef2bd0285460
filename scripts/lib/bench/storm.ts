import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { askUntil } from '../http.ts'
import type { TopicView } from '../test-cube.ts'
import { nowUs } from './load/payload.ts'
import type { StormState } from './load/storm-readers.ts'
import type { Load } from './load.ts'
import { Hypercast } from './servers/hypercast.ts'
import { type Probed, summary, type Turns } from './turns.ts'

const PROBE = fileURLToPath(new URL('./probe.ts', import.meta.url))

export interface StormOptions {
  readonly subscribers: number
  readonly history: number
  readonly timeoutS: number
  /** Folder for CPU profiles of the peers. */
  readonly profile?: string
}

export interface StormFigures {
  readonly subscribers: number
  readonly history: number
  /** From kill -9 until the last subscriber had the last event; NaN when that did not come. */
  readonly seconds: number
  readonly deliveries: number
  /** Turns of each peer that was left, since the kill. */
  readonly turns: readonly (Turns & { readonly peer: string })[]
  readonly violations: readonly string[]
}

/** No turn of a peer's event loop may be blocked for longer. */
export const LONGEST_TURN_MS = 100

const PEERS = 3
const FILL_BATCH = 1_000
const POLL_MS = 200
/** Events behind the history: published when all are complete, so that it is seen that they are live. */
const TAIL = 100
const PROBE_WRITES_MS = 1_200
const PUBLISH_TIMEOUT_MS = 300_000

/**
 * Subscribers at even places of a history lose their peer, the topic's primary, at once by kill -9, and go on at the
 * others, behind the last event each had.
 */
export async function storm(
  load: Load,
  options: StormOptions,
  tell: (text: string) => void,
): Promise<StormFigures> {
  const probeFile = (folder: string, id: string) => join(folder, `turns-${id}.json`)
  const { profile } = options
  const cube = await Hypercast.start({
    peers: PEERS,
    nodeOptions: id => [
      '--import',
      PROBE,
      ...(profile ? ['--cpu-prof', '--cpu-prof-dir', join(profile, `storm-${id}`)] : []),
    ],
    environment: (id, folder) => ({ BENCH_PROBE: probeFile(folder, id) }),
  })
  try {
    const { wire } = await cube.topic('storm')
    const topic = /\/topics\/(\w+)/.exec(wire.publish.single)![1]!
    const answer = await load.publisher.ask(
      'fill',
      { wire, from: 1, to: options.history, batch: FILL_BATCH },
      PUBLISH_TIMEOUT_MS,
    )
    const incarnation = Number((JSON.parse(answer) as { cursor: string }).cursor.split('-')[1])
    const [victim, ...others] = cube.ids as [string, ...string[]]
    const { readers } = load
    const { subscribers, history } = options
    const places = Array.from({ length: subscribers }, (_, at) => Math.floor((at * history) / subscribers))
    await Promise.all(
      readers.map((reader, at) =>
        reader.ask('stormOpen', {
          first: cube.subscribe(topic, victim),
          others: others.map(id => cube.subscribe(topic, id)),
          places: places.filter((_, place) => place % readers.length === at),
          incarnation,
          last: history,
        }),
      ),
    )
    tell(`${subscribers} subscribers stand in ${history} events of history; kill -9 of ${victim}`)
    const killedUs = nowUs()
    await cube.kill(victim)
    await Promise.all(readers.map(reader => reader.ask('stormResume', null)))
    const done = await until(load, options.timeoutS, states =>
      states.every(({ complete, streams }) => complete === streams),
    )
    const completeUs = Math.max(...done.map(one => one.completeUs))
    const stormEndUs = nowUs()
    const left = others[0]!
    await askUntil<TopicView>(
      `${cube.url(left)}/v1/topics/${topic}`,
      ({ primary }) => primary !== null && primary.id !== victim,
    )
    await load.publisher.ask('fill', {
      wire: cube.wire(topic, left),
      from: history + 1,
      to: history + TAIL,
      batch: 1,
    })
    const wanted = places.reduce((sum, place) => sum + history - place, 0) + subscribers * TAIL
    const last = await until(load, 30, states => total(states, 'events') >= wanted)
    await delay(PROBE_WRITES_MS)
    const turns = others.map(id => ({
      peer: id,
      ...turnsOf(probeFile(cube.folder, id), killedUs, stormEndUs),
    }))
    await Promise.all(readers.map(reader => reader.ask('stormClose', null)))
    return {
      subscribers,
      history,
      seconds: done.some(({ completeUs }) => completeUs === 0)
        ? Number.NaN
        : (completeUs - killedUs) / 1_000_000,
      deliveries: total(last, 'events'),
      turns,
      violations: [...wrongWith(last, wanted), ...(cube.lost() ? [cube.lost()!] : [])],
    }
  } finally {
    await cube.close()
  }
}

async function until(
  load: Load,
  timeoutS: number,
  isDone: (states: StormState[]) => boolean,
): Promise<StormState[]> {
  const untilMs = performance.now() + timeoutS * 1_000
  for (;;) {
    const states = await Promise.all(load.readers.map(reader => reader.ask('stormState', null)))
    if (isDone(states) || performance.now() > untilMs) return states
    await delay(POLL_MS)
  }
}

function wrongWith(states: readonly StormState[], wanted: number): string[] {
  const found: string[] = []
  const open = total(states, 'streams') - total(states, 'complete')
  if (open > 0) found.push(`${open} subscribers did not come to the end of the history`)
  if (total(states, 'jumps') > 0)
    found.push(`${total(states, 'jumps')} events were lost, doubled or in disorder`)
  if (total(states, 'garbled') > 0) found.push(`${total(states, 'garbled')} events could not be read`)
  if (total(states, 'events') !== wanted) found.push(`${total(states, 'events')} events came, not ${wanted}`)
  if (total(states, 'moved') !== total(states, 'streams')) found.push('not all subscribers lost their peer')
  return found
}

function total(states: readonly StormState[], key: keyof StormState): number {
  return states.reduce((sum, state) => sum + state[key], 0)
}

function turnsOf(file: string, fromUs: number, toUs: number): Turns {
  const probed = existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as Probed)
    : { turns: [], pauses: [] }
  return summary(probed, fromUs, toUs, LONGEST_TURN_MS)
}
