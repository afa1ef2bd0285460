import t from 'tap'
import { askJson } from '../../scripts/lib/http.ts'
import { eventsPath, Listener } from '../../scripts/lib/listener.ts'
import { TestCube } from '../../scripts/lib/test-cube.ts'

for (const peers of [1, 2, 5]) {
  t.test(
    `a cube of ${peers} is founded, and what is published on any peer is seen on every peer`,
    async t => {
      const cube = await TestCube.start({ peers })
      t.teardown(() => cube.close())
      const view = await askJson<{
        dimension: number
        peers: { id: string }[]
        primaries: (string | null)[]
      }>(`${cube.url(cube.ids[0]!)}/v1/cube`)
      t.same(
        view.peers.map(peer => peer.id),
        cube.ids,
      )
      t.equal(view.dimension, cube.ids[0]!.length)
      await cube.createTopic('sports')
      const seen = new Map<string, string[]>(cube.ids.map(id => [id, []]))
      const listeners = cube.ids.map(
        id =>
          new Listener({
            path: eventsPath('sports'),
            urls: [cube.url(id)],
            onEvent: ({ data }) => void seen.get(id)!.push(data),
          }),
      )
      t.teardown(() => Promise.all(listeners.map(listener => listener.close())))
      await Promise.all(listeners.map(listener => listener.open))
      const sent: string[] = []
      for (const id of cube.ids) {
        sent.push(`through ${id}`)
        await askJson(`${cube.topicUrl('sports', id)}/publish`, { method: 'POST', body: sent.at(-1)! })
      }
      await Promise.all(
        cube.ids.map((id, index) => listeners[index]!.until(() => seen.get(id)!.length === sent.length)),
      )
      for (const id of cube.ids) t.same(seen.get(id), sent, `${id} saw all in order`)
    },
  )
}
