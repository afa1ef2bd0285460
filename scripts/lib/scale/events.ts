import type { Sink } from '../../../services/peer/streams/types.ts'
import type { Chance } from '../../../test/sim/world.ts'
import type { SimulatedCube } from './cube.ts'
import type { SimulatedPeer } from './peer.ts'
import { type Spread, spreadOver } from './spread.ts'

const TOPICS = 3
const EVENTS_PER_TOPIC = 10
/** Between two events, so that none shares a message with another. */
const PAUSE_MS = 50
/** Watched without any event, to count what open streams cost. */
const QUIET_MS = 2_000

/** What it costs to bring an event to a subscriber on every peer. */
export interface EventFigures {
  readonly events: number
  /** Events in streams between peers, for each event. */
  readonly followed: number
  /** Times that one event came down one edge, most. */
  readonly followedMost: number
  /** Batches of Raft's messages, both ways, for each event. */
  readonly raft: number
  /** Messages of the publish from peer to peer, both ways, for each event. */
  readonly publish: number
  /** Hops of the publish to the primary. */
  readonly publishHops: number
  readonly publishHopsMost: number
  /** Subscribers that did not get every event once, in order. */
  readonly wrong: number
  /** Position marks down one trunk per second, mean, while nothing is published. */
  readonly marksPerS: number
  /** Trunks of one peer to peers that it gets events from, most. */
  readonly trunksMost: number
  /** Connections of a peer that were used meanwhile and in the requests before, those of heartbeats included. */
  readonly connections: Spread
}

/** Publishes events one by one through peers drawn by chance, with a subscriber of each topic on every peer. */
export async function measureEvents(cube: SimulatedCube, chance: Chance): Promise<EventFigures> {
  const { tally, live, ids } = cube
  const topics = await createTopics(cube, chance)
  const readers: Reader[] = []
  for (const topic of topics) readers.push(...(await subscribe(cube, topic)))
  await cube.run(1_000)
  const quietBefore = tally.messages.follow
  await cube.run(QUIET_MS)
  const marks = tally.messages.follow - quietBefore
  const trunks = live.map(peer => peer.streams.stats().trunksUp)
  const before = { ...tally.messages, events: tally.followedEvents }
  const hops: number[] = []
  for (let number = 1; number <= EVENTS_PER_TOPIC; number++) {
    for (const topic of topics) {
      hops.push(await publish(cube, chance.pick(live), topic, `event ${number}`))
      await cube.run(PAUSE_MS)
    }
  }
  for (const reader of readers) reader.destroy()
  const events = TOPICS * EVENTS_PER_TOPIC
  return {
    events,
    followed: (tally.followedEvents - before.events) / events,
    followedMost: Math.max(0, ...tally.copies.values()),
    raft: (tally.messages.raft - before.raft) / events,
    publish: (tally.messages.operation - before.operation) / events,
    publishHops: sum(hops) / hops.length,
    publishHopsMost: Math.max(...hops),
    wrong: readers.filter(reader => !reader.hasAll(EVENTS_PER_TOPIC)).length,
    marksPerS: (marks * 1_000) / QUIET_MS / Math.max(1, sum(trunks)),
    trunksMost: Math.max(...trunks),
    connections: spreadOver(ids, tally.connectionsByPeer()),
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0)
}

/** Publishes one event and waits for its acknowledgement. Returns the hops to the primary. */
export async function publish(
  cube: SimulatedCube,
  through: SimulatedPeer,
  topic: string,
  text: string,
): Promise<number> {
  const events = [{ data: Buffer.from(text) }]
  const outcome = through.dispatcher.append({ kind: 'publish', topic, events }, cube.deadlineMs())
  const [{ result, path }] = (await cube.complete([outcome])) as [Awaited<typeof outcome>]
  if (result.kind !== 'appended' || result.result.kind === 'refused') {
    throw new Error(
      `a publish through ${through.id} to ${topic} was not acknowledged: ${JSON.stringify(result)}`,
    )
  }
  return path.length - 1
}

async function createTopics(cube: SimulatedCube, chance: Chance): Promise<string[]> {
  const slots = new Set<number>()
  while (slots.size < Math.min(TOPICS, cube.roster.slots)) slots.add(chance.int(0, cube.roster.slots - 1))
  const topics = [...slots].map(slot => cube.topicIn(slot))
  for (const topic of topics) await cube.create(topic)
  return topics
}

async function subscribe(cube: SimulatedCube, topic: string): Promise<Reader[]> {
  const start = { kind: 'latest' } as const
  const opening = cube.live.map(peer =>
    peer.streams.open({ topic, start, named: false, format: 'plain' }, cube.deadlineMs()),
  )
  return (await cube.complete(opening)).map(opened => {
    const reader = new Reader()
    if (opened.kind === 'open') opened.attach(reader)
    return reader
  })
}

/** A subscriber that reads what it is sent at once. */
class Reader implements Sink {
  destroyed = false
  readonly writableLength = 0
  readonly #texts: string[] = []
  #onClose = () => {}

  write(chunk: Uint8Array | string): boolean {
    for (const [, text] of Buffer.from(chunk as Uint8Array)
      .toString()
      .matchAll(/^data: (.*)$/gm)) {
      this.#texts.push(text!)
    }
    return true
  }

  end(): void {
    this.destroyed = true
  }

  destroy(): void {
    this.destroyed = true
    this.#onClose()
  }

  on(event: 'drain' | 'close' | 'error', listener: () => void): void {
    if (event === 'close') this.#onClose = listener
  }

  /** It has seen `event 1` to `event <count>`, each once, in order. */
  hasAll(count: number): boolean {
    return this.#texts.length === count && this.#texts.every((text, i) => text === `event ${i + 1}`)
  }
}
