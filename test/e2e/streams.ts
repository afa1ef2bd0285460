import type { Test } from 'tap'
import { Random } from '../../scripts/lib/chaos/random.ts'
import { Listener, type Received } from '../../scripts/lib/listener.ts'
import type { TestCube } from '../../scripts/lib/test-cube.ts'
import { nextHops, orderTargets } from '../../services/peer/cube/routing.ts'

const PATIENCE_MS = 60_000
const DIMENSION = 3

const neighboursOf = (id: string) =>
  [...id].map((digit, at) => `${id.slice(0, at)}${digit === '0' ? '1' : '0'}${id.slice(at + 1)}`)

/** In a cube of eight: the replicas of a topic, the peer two hops away from them, and the one between it and them. */
export async function wayOf(cube: TestCube, topic: string) {
  const { home, replicas } = await cube.topic(topic)
  const holders = replicas.map(({ id }) => id)
  const far = cube.ids.find(id => ![id, ...neighboursOf(id)].some(near => holders.includes(near)))!
  const [target] = orderTargets(far, holders, DIMENSION, () => true)
  const [relay] = nextHops({
    ...{ self: far, target: target!, dimension: DIMENSION, neighbours: neighboursOf(far) },
    ...{ alive: () => true, visited: new Set<string>() },
  })
  return { home, holders, far, relay: relay! }
}

/** Keeps what a stream is given, until the test is over. `urls`: tried in turn. */
export function listen(t: Pick<Test, 'teardown'>, urls: readonly string[], path: string) {
  const received: Received[] = []
  const listener = new Listener({ path, urls, onEvent: one => received.push(one) })
  t.teardown(() => listener.close())
  /** Resolves when so many frames with data have come. */
  const until = (count: number) =>
    bounded(
      listener.until(() => received.length >= count),
      () => `${count} of ${path}: ${JSON.stringify(received)}`,
    )
  return { listener, received, until }
}

/** An event of a stream over several topics. */
export function cloudEvent({ data }: Received): { topic: string; offset: number; payload: string } {
  const event = JSON.parse(data)
  return { topic: event.topic, offset: event.offset, payload: event.data }
}

/** What `work` resolves with; rejects after a minute, saying what was waited for. */
export async function bounded<T>(work: Promise<T>, what: string | (() => string)): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    late.reject(new Error(`waited in vain for ${typeof what === 'string' ? what : what()}`))
  }, PATIENCE_MS)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Seeded chance for a test; the seed is HYPERCAST_SEED, or another each time. */
export function chance(t: { comment(text: string): void }): Random {
  const seed = process.env.HYPERCAST_SEED ?? String(Date.now() % 1_000_000)
  t.comment(`HYPERCAST_SEED=${seed}`)
  return new Random(seed)
}
