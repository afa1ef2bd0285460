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

for (const how of ['stopped in order', 'killed at once'] as const) {
  t.test(
    `all eight peers ${how} and started again: every acknowledged event is read back from every peer`,
    async t => {
      const cube = await TestCube.start({ peers: 8 })
      t.teardown(() => cube.close())
      const acknowledged = new Map<string, string[]>()
      for (const topic of TOPICS) await cube.createTopic(topic)
      await Promise.all(
        TOPICS.map(async (topic, index) => {
          const payloads: string[] = []
          for (let event = 1; event <= EVENTS; event += 1) {
            const payload = `${topic} ${event}`
            const url = `${cube.topicUrl(topic, cube.ids[(index + event) % 8]!)}/publish`
            const { offset } = await askJson<{ offset: number }>(url, { method: 'POST', body: payload })
            payloads[offset - 1] = payload
          }
          acknowledged.set(topic, payloads)
        }),
      )
      if (how === 'stopped in order') await cube.stopAll()
      else await Promise.all(cube.ids.map(id => cube.kill(id)))
      t.same(cube.running, [])
      await cube.startAll()
      for (const topic of TOPICS) {
        for (const id of cube.ids)
          t.same(await history(cube, topic, id), acknowledged.get(topic), `${topic} from ${id}`)
        const { offset } = await askJson<{ offset: number }>(`${cube.topicUrl(topic)}/publish`, {
          method: 'POST',
          body: 'on',
        })
        t.equal(offset, EVENTS + 1, `${topic} goes on where it stopped`)
      }
    },
  )
}
