import t from 'tap'
import { ask, askJson } from '../../scripts/lib/http.ts'
import { TestCube } from '../../scripts/lib/test-cube.ts'

const TOPICS = ['sports', 'news', 'тема', 'a/b']
const EVENTS = 25

/** Payloads by offset of a topic, as one peer gives its history. */
async function history(cube: TestCube, topic: string, through: string): Promise<string[]> {
  const answer = await ask(`${cube.topicUrl(topic, through)}/events?from=earliest`, {
    headers: { accept: 'application/x-ndjson' },
  })
  const lines = answer.body.split('\n').filter(line => line !== '')
  return lines.map(line => (JSON.parse(line) as { data: string }).data)
}

/** What was acknowledged, by topic in order of offset. */
const acknowledged = new Map<string, string[]>(TOPICS.map(topic => [topic, []]))

async function publish(cube: TestCube, topic: string, through: string, payload: string): Promise<void> {
  const url = `${cube.topicUrl(topic, through)}/publish`
  const { offset } = await askJson<{ offset: number }>(url, { method: 'POST', body: payload })
  acknowledged.get(topic)![offset - 1] = payload
}

t.test('every event acknowledged before all eight peers end is read back from every peer after', async t => {
  const cube = await TestCube.start({ peers: 8 })
  t.teardown(() => cube.close())
  for (const topic of TOPICS) await cube.createTopic(topic)
  for (const how of ['stopped in order', 'killed at once'] as const) {
    await Promise.all(
      TOPICS.map(async (topic, index) => {
        for (let event = 1; event <= EVENTS; event += 1)
          await publish(cube, topic, cube.ids[(index + event) % 8]!, `${topic} ${event}, then ${how}`)
      }),
    )
    if (how === 'stopped in order') await cube.stopAll()
    else await Promise.all(cube.ids.map(id => cube.kill(id)))
    t.same(cube.running, [], how)
    await cube.startAll()
    for (const topic of TOPICS) {
      for (const id of cube.ids)
        t.same(await history(cube, topic, id), acknowledged.get(topic), `${how}: ${topic} from ${id}`)
      await publish(cube, topic, cube.ids[0]!, `${topic} goes on`)
    }
  }
  for (const topic of TOPICS)
    t.equal(acknowledged.get(topic)!.length, 2 * (EVENTS + 1), `${topic} went on where it stopped`)
})
