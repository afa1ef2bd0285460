/**
 * `npm run demo:rolling`: all eight peers of a cube are stopped and started again, one by one, as for a new version,
 * while messages are published and a subscriber on every peer reads. Exit code 0 only when every publish was
 * acknowledged, none of them tried again by the client, and every subscriber has every message once and in order.
 */
import { expect, Story, tellStory } from './lib/story.ts'
import { TestCube } from './lib/test-cube.ts'
import { WatchedTopic } from './lib/watched-topic.ts'

const TOPICS = ['sports', 'news']
const RATE_PER_S = 50

const story = new Story()

/** The peer through which is published while this one is away. */
function other(cube: TestCube, id: string): string {
  const all = cube.ids
  return all[(all.indexOf(id) + 1) % all.length]!
}

async function restart(cube: TestCube, id: string, watched: readonly WatchedTopic[]): Promise<string> {
  const through = cube.url(other(cube, id))
  for (const { publisher } of watched) publisher.goThrough(through)
  // What was sent through this one is answered before it stops, as a load balancer would have it.
  await Promise.all(watched.map(({ publisher }) => publisher.settled()))
  const { code } = await cube.stop(id)
  expect(code === 0, `peer ${id} ended with code ${code}`)
  await cube.restart(id)
  await cube.ready()
  await Promise.all(watched.map(({ publisher }) => publisher.nextAcknowledged()))
  const acknowledged = watched.reduce((sum, { history }) => sum + history.acknowledged.length, 0)
  return `pid ${cube.pid(id)}, ${acknowledged} messages so far`
}

let cube: TestCube | undefined
await tellStory(
  story,
  async () => {
    await story.step('start 8 peers on the corners of a 3-cube', async () => {
      cube = (await TestCube.start({ peers: 8 })).closeOnSignals()
      return 'every slot has its primary'
    })
    const running = cube!
    const watched: WatchedTopic[] = []
    await story.step(
      `publish ${RATE_PER_S} messages a second to each of ${TOPICS.length} topics`,
      async () => {
        for (const topic of TOPICS)
          watched.push(await WatchedTopic.start(running, topic, running.ids[0]!, RATE_PER_S))
        return `${running.ids.length} subscribers on each`
      },
    )
    for (const id of running.ids) {
      await story.step(`stop ${id} in order and start it again`, () => restart(running, id, watched))
    }
    await story.step('every publish was acknowledged, every subscriber has all in order', async () => {
      let published = 0
      for (const one of watched) {
        const { topic, history } = one
        const violations = await one.finish()
        expect(violations.length === 0, violations.slice(0, 10).join('\n    '))
        const rest = history.publishes.filter(({ outcome }) => outcome !== 'acknowledged')
        expect(
          rest.length === 0,
          `${rest.length} publishes to ${topic} were not acknowledged: ${rest[0]?.outcome}`,
        )
        published += history.publishes.length
      }
      return `${published} messages, nothing lost, doubled or out of order`
    })
  },
  async () => cube?.close(),
)
