/**
 * `npm run demo`: the main story on a cube of its own. A topic is created, published to and subscribed to on every
 * peer; its primary is killed while messages flow; a replica takes over; the dead peer returns and is primary again;
 * every subscriber has every message once and in order. Exit code 0 only when all of that is so.
 */
import { PeerClient, Publisher, Subscriber } from '../clients/typescript/src/index.ts'
import { History } from './lib/history.ts'
import { expect, Story, tellStory } from './lib/story.ts'
import { TestCube } from './lib/test-cube.ts'

const TOPIC = 'sports'
const history = new History()
const story = new Story()
const step = story.step.bind(story)
let published = 0

/** Publishes so many messages, one after the other, and notes what was acknowledged. */
async function publish(
  publisher: Publisher,
  messages: number,
): Promise<{ offsets: string; longestMs: number }> {
  let first = 0
  let last = 0
  let longestMs = 0
  for (let count = 0; count < messages; count += 1) {
    published += 1
    const payload = `Match Update ${published}`
    const sentMs = performance.now()
    const { offset } = await publisher.publish(payload)
    const answeredMs = performance.now()
    history.published({ payload, outcome: 'acknowledged', offset, sentMs, answeredMs })
    first ||= offset
    last = offset
    longestMs = Math.max(longestMs, answeredMs - sentMs)
  }
  return { offsets: `offsets ${first}–${last}`, longestMs }
}

/** A subscriber that begins at one peer and may go on at any other. */
function subscribe(cube: TestCube, id: string): Subscriber {
  const others = cube.ids.filter(other => other !== id)
  const subscriber = new Subscriber(cube.urls([id, ...others]), TOPIC, {
    from: 'earliest',
    onNotice: notice => {
      if (notice.kind === 'gap') history.delivered(id, { offset: notice.from, payload: 'a gap' })
    },
  })
  void subscriber
    .subscribeAndListen(({ offset, data }) => {
      history.delivered(id, { offset, payload: String(data) })
    })
    .catch(error => console.log(`    the subscriber on ${id} ended: ${(error as Error).message}`))
  return subscriber
}

async function allHave(ids: readonly string[], offset: number): Promise<void> {
  const deadlineMs = performance.now() + 20_000
  const behind = () => ids.filter(id => (history.deliveries(id).at(-1)?.offset ?? 0) < offset)
  while (behind().length > 0) {
    expect(
      performance.now() < deadlineMs,
      `subscribers on ${behind().join(', ')} did not receive offset ${offset}`,
    )
    await new Promise(wake => setTimeout(wake, 10))
  }
}

async function tell(cube: TestCube): Promise<void> {
  const client = new PeerClient(cube.urls())
  let home = ''
  let outsider = ''
  await step(`create the topic "${TOPIC}"`, async () => {
    const topic = await client.createTopic(TOPIC)
    home = topic.home
    const replicas = topic.replicas.map(replica => replica.id)
    outsider = cube.ids.find(id => !replicas.includes(id))!
    return `slot ${topic.slot}, primary ${topic.primary?.id}, replicas ${replicas.join(' ')}`
  })
  const subscribers = cube.ids.map(id => subscribe(cube, id))
  const publisher = new Publisher(cube.urls([outsider]), TOPIC)
  await step(`publish 20 messages through ${outsider}, which holds no replica`, async () => {
    const { offsets, longestMs } = await publish(publisher, 20)
    return `${offsets}, slowest ${Math.round(longestMs)} ms`
  })
  await step('every subscriber, one on each peer, has them', async () => {
    await allHave(cube.ids, history.lastOffset)
    return `${cube.ids.length} subscribers`
  })
  await step(`kill -9 the primary ${home} while publishing goes on`, async () => {
    const pid = cube.pid(home)
    const [{ offsets, longestMs }] = await Promise.all([publish(publisher, 50), cube.kill(home)])
    return `pid ${pid}; 50 more, ${offsets}, slowest ${Math.round(longestMs)} ms`
  })
  await step('a replica has taken over', async () => {
    const { primary } = await cube.primaryIs(TOPIC, id => id !== home, outsider)
    return `primary ${primary!.id}`
  })
  await step('publish through every other peer', async () => {
    const others = cube.ids.filter(id => id !== home)
    let last = ''
    for (const id of others) last = (await publish(new Publisher(cube.url(id), TOPIC), 3)).offsets
    return `3 through each of ${others.length} peers, to ${last}`
  })
  await step(`start ${home} again with its own command line`, async () => {
    await cube.restart(home)
    return `pid ${cube.pid(home)}`
  })
  await step(`it catches up and is primary again, while publishing goes on`, async () => {
    let reclaimed = false
    const back = cube.primaryIs(TOPIC, home, outsider).then(() => {
      reclaimed = true
    })
    let slowestMs = 0
    while (!reclaimed) slowestMs = Math.max(slowestMs, (await publish(publisher, 5)).longestMs)
    await back
    return `slowest publish ${Math.round(slowestMs)} ms`
  })
  await step('publish 20 messages through the returned peer', async () => {
    return (await publish(new Publisher(cube.url(home), TOPIC), 20)).offsets
  })
  await step('every subscriber has every message, once and in order', async () => {
    await allHave(cube.ids, history.lastOffset)
    for (const subscriber of subscribers) subscriber.close()
    const violations = history.check(cube.ids)
    expect(violations.length === 0, violations.slice(0, 10).join('\n    '))
    return `${published} messages, ${cube.ids.length} subscribers, nothing lost, doubled or out of order`
  })
}

let cube: TestCube | undefined
await tellStory(
  story,
  async () => {
    await step('start 8 peers on the corners of a 3-cube', async () => {
      cube = (await TestCube.start({ peers: 8 })).closeOnSignals()
      return `ports ${cube.plans[0]!.port}–${cube.plans.at(-1)!.port}, every slot has its primary`
    })
    await tell(cube!)
  },
  async () => cube?.close(),
)
