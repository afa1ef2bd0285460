import { type ClientRequest, request } from 'node:http'
import t, { type Test } from 'tap'
import { FrameReader } from '../../scripts/lib/chaos/frames.ts'
import { GrowingCube } from '../../scripts/lib/growing-cube.ts'
import { askJson } from '../../scripts/lib/http.ts'
import { Loaded } from './loaded.ts'

/** Home at 110: of five peers, its replicas are on 010, 100 and 000. */
const TOPIC = 'sports'
const EVICT_AFTER_S = 5
t.setTimeout(120_000)

interface CubeEvent {
  readonly kind: string
  readonly peer?: string
  readonly why?: string
}

/** What a peer tells of the cube from now on. */
async function told(t: Test, url: string): Promise<readonly CubeEvent[]> {
  const events: CubeEvent[] = []
  const frames = new FrameReader()
  let asked: ClientRequest | undefined
  await new Promise<void>((resolve, reject) => {
    asked = request(`${url}/v1/cube/events`, { agent: false }, response => {
      response.setEncoding('utf8').on('data', (text: string) => {
        for (const { data } of frames.push(text)) if (data !== '') events.push(JSON.parse(data) as CubeEvent)
        resolve()
      })
      response.on('error', () => {})
    }).on('error', reject)
    asked.end()
  })
  t.teardown(() => asked?.destroy())
  return events
}

t.test(
  'a peer that is dead for good is evicted, nothing is lost, and it comes back as a new one',
  async t => {
    const cube = await GrowingCube.found({ environment: { HYPERCAST_EVICT_AFTER: `${EVICT_AFTER_S}s` } })
    t.teardown(() => cube.close())
    await cube.grow(5)
    await askJson(cube.topicUrl(TOPIC, 0), { method: 'PUT' })
    const loaded = new Loaded(TOPIC, () => cube.url(0), [cube.url(1), cube.url(4)])
    await loaded.publisher.nextAcknowledged()

    const home = 2
    const before = await cube.listed(home, 0)
    const events = await told(t, cube.url(0))
    await cube.kill(home)
    await cube.settled(4, 0)
    const ofHome = events.filter(({ kind, peer }) => peer === before.id && /^(leaving|left)$/.test(kind))
    t.match(
      ofHome,
      [
        { kind: 'leaving', why: /^silent for \d+ s$/ },
        { kind: 'left', why: 'it holds nothing any more' },
      ],
      'its eviction is told, with why',
    )
    const { replicas } = await askJson<{ replicas: { id: string }[] }>(cube.topicUrl(TOPIC, 0))
    t.same(
      replicas.map(({ id }) => id),
      ['100', '000', '011'],
      'the next nearest has its replica',
    )
    await loaded.publisher.nextAcknowledged()

    await cube.restart(home)
    await cube.settled(5, 0)
    const after = await cube.listed(home, 0)
    t.equal(after.id, before.id, 'the lowest free label is the one it had')
    t.not(after.uid, before.uid, 'another store, under another number')
    await loaded.publisher.nextAcknowledged()
    t.same(await loaded.finish(), [], 'nothing lost, doubled or reordered')
    const refused = loaded.history.publishes.filter(({ outcome }) => outcome !== 'acknowledged')
    t.same(refused, [], 'every publish was acknowledged')
  },
)
