import { get, type IncomingMessage } from 'node:http'
import t from 'tap'
import { askJson, askUntil } from '../../scripts/lib/http.ts'
import { TestCube } from '../../scripts/lib/test-cube.ts'
import type { SubscribersBody } from '../../services/peer/http/schemas.ts'

/** A stream that is open and is read. */
function subscribe(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, headers: { accept: 'text/event-stream' } }, response => {
      response.on('error', () => {})
      response.once('data', () => resolve(response))
    })
    request.on('error', reject)
  })
}

const counts = ({ peers }: SubscribersBody) => peers.map(({ subscribers }) => subscribers)

t.test('who listens is counted on all peers, through any of them, and a silent one is named', async t => {
  const cube = await TestCube.start({ peers: 4 })
  t.teardown(() => cube.close())
  await cube.createTopic('sports')
  await cube.createTopic('news')
  const streams: IncomingMessage[] = []
  for (const [at, id] of [...cube.ids.entries()]) {
    for (let more = 0; more < at; more++)
      streams.push(await subscribe(`${cube.topicUrl('sports', id)}/events`))
    streams.push(await subscribe(`${cube.topicUrl('news', id)}/events`))
  }
  t.teardown(() => {
    for (const stream of streams) stream.destroy()
  })
  for (const id of cube.ids) {
    const found = await askJson<SubscribersBody>(`${cube.topicUrl('sports', id)}/subscribers`)
    t.match(found, { topic: 'sports', total: 6, silent: [] }, `through ${id}`)
    t.same(counts(found), [0, 1, 2, 3], 'peers that follow for their own clients are no subscribers')
    t.same(
      found.peers.map(({ url }) => url),
      cube.urls(),
    )
  }
  for (const stream of streams.splice(0, 3)) stream.destroy()
  const through = `${cube.topicUrl('sports', '00')}/subscribers`
  await askUntil<SubscribersBody>(through, ({ total }) => total === 5)
  cube.pause('11')
  const without = await askUntil<SubscribersBody>(through, ({ silent }) => silent.length > 0)
  t.match(without, { total: 2, silent: ['11'] })
  cube.resume('11')
  t.same(counts(await askUntil<SubscribersBody>(through, ({ silent }) => silent.length === 0)), [0, 0, 2, 3])
})
