import t from 'tap'
import { GrowingCube } from '../../scripts/lib/growing-cube.ts'
import { askJson } from '../../scripts/lib/http.ts'
import { Loaded } from './loaded.ts'

const TOPICS = ['sports', 'news', 'тема', 'a']
t.setTimeout(230_000)

t.test(
  'a cube grows from one peer to nine and shrinks to three under load, with kills in between',
  async t => {
    const cube = await GrowingCube.found()
    t.teardown(() => cube.close())
    /** Publishers go through the peer that is not touched; subscribers go on at any. */
    const urls: string[] = [cube.url(0)]
    for (const topic of TOPICS) await askJson(cube.topicUrl(topic, 0), { method: 'PUT' })
    const loaded = TOPICS.map(topic => new Loaded(topic, () => cube.url(0), urls))
    for (const { publisher } of loaded) await publisher.nextAcknowledged()

    for (let count = 2; count <= 9; count += 1) {
      urls.unshift(cube.url(await cube.join(0)))
      await cube.settled(count, 0)
      if (count !== 4 && count !== 7) continue
      await cube.kill(count - 1)
      await loaded[0]!.publisher.nextAcknowledged()
      await cube.restart(count - 1)
      t.pass(`of ${count} one was killed and came back`)
    }
    const { peers } = await cube.settled(9, 0)
    t.same(
      peers.map(({ id }) => id),
      ['0000', '0001', '0010', '0011', '0100', '0101', '0110', '0111', '1000'],
    )

    for (let count = 8; count >= 3; count -= 1) {
      const leaver = cube.running.at(-1)!
      urls.splice(urls.indexOf(cube.url(leaver)), 1)
      const exit = await cube.leave(leaver, 0)
      t.equal(exit.code, 0, `a peer left, and ${count} are left`)
      await cube.settled(count, 0)
      if (count !== 5) continue
      await cube.kill(1)
      await loaded[1]!.publisher.nextAcknowledged()
      await cube.restart(1)
    }
    for (const [index, { publisher, ...one }] of loaded.entries()) {
      await publisher.nextAcknowledged()
      t.same(await loaded[index]!.finish(), [], `${TOPICS[index]}: nothing lost, doubled or reordered`)
      const refused = one.history.publishes.filter(({ outcome }) => outcome !== 'acknowledged')
      t.same(refused, [], `${TOPICS[index]}: every publish was acknowledged`)
    }
  },
)

t.test('a peer whose disk was wiped is replaced under a new number and is home again', async t => {
  const cube = await GrowingCube.found()
  t.teardown(() => cube.close())
  await cube.grow(4)
  await askJson(cube.topicUrl('sports', 0), { method: 'PUT' })
  for (let event = 1; event <= 20; event += 1)
    await askJson(`${cube.topicUrl('sports', 0)}/publish`, { method: 'POST', body: `event ${event}` })
  const before = await cube.listed(2, 0)
  await cube.kill(2)
  cube.wipe(2)
  await cube.restart(2)
  await cube.settled(4, 0)
  const after = await cube.listed(2, 0)
  t.equal(after.id, before.id, 'it has its label again')
  t.not(after.uid, before.uid)
  const page = await askJson<{ events: { data: string }[] }>(
    `${cube.topicUrl('sports', 2)}/events?from=earliest`,
    { headers: { accept: 'application/json' } },
  )
  t.same(
    page.events.map(({ data }) => data),
    Array.from({ length: 20 }, (_, index) => `event ${index + 1}`),
  )
})

t.test('a peer that comes back at another port is one entry of the roster, not a new peer', async t => {
  const cube = await GrowingCube.found()
  t.teardown(() => cube.close())
  await cube.grow(4)
  // The highest label: the others ask it for heartbeats, at the address they know.
  const before = await cube.listed(3, 0)
  await cube.kill(3)
  await cube.move(3)
  await cube.restart(3)
  await cube.settled(4, 0)
  const { id, uid } = await cube.heard(3, 0)
  t.same({ id, uid }, { id: before.id, uid: before.uid })
})

t.test('two peers that come back at each other’s port are found there both', async t => {
  const cube = await GrowingCube.found()
  t.teardown(() => cube.close())
  await cube.grow(5)
  const [three, four] = [await cube.listed(3, 0), await cube.listed(4, 0)]
  await cube.kill(3)
  await cube.kill(4)
  cube.swap(3, 4)
  await Promise.all([cube.restart(3), cube.restart(4)])
  await cube.settled(5, 0)
  const now = [await cube.heard(3, 0), await cube.heard(4, 0)]
  t.same(
    now.map(({ id, uid }) => ({ id, uid })),
    [three, four].map(({ id, uid }) => ({ id, uid })),
  )
})
