import { readFileSync } from 'node:fs'
import t from 'tap'
import { ask, askJson, askUntil } from '../../scripts/lib/http.ts'
import { TestCube } from '../../scripts/lib/test-cube.ts'

type Line = { level: string; time: string; peer: string; port: number; event?: string; msg: string } & Record<
  string,
  unknown
>

function linesOf(cube: TestCube, id: string): Line[] {
  const lines = readFileSync(cube.logFile(id), 'utf8').split('\n')
  return lines.filter(line => line !== '').map(line => JSON.parse(line))
}

t.test('the logs tell of topics, publishes, heartbeats, and the death and return of a primary', async t => {
  const cube = await TestCube.start({ peers: 3, environment: { HYPERCAST_LOG_LEVEL: 'debug' } })
  t.teardown(() => cube.close())
  const { home } = await cube.createTopic('sports')
  const other = cube.ids.find(id => id !== home)!
  await cube.createTopic('short-lived', other)
  await ask(cube.topicUrl('short-lived', other), { method: 'DELETE' })
  await askJson(`${cube.topicUrl('sports', other)}/publish`, { method: 'POST', body: 'Match Update 1' })
  // It fails, and is back, only for one that has heard it, which may take longer than to move a topic.
  const isHeard = () =>
    askUntil<{ peers: { id: string; status: string }[] }>(`${cube.url(other)}/v1/peers`, ({ peers }) =>
      peers.some(({ id, status }) => id === home && status === 'up'),
    )
  await isHeard()
  await cube.kill(home)
  await cube.primaryIs('sports', id => id !== home, other)
  await cube.restart(home)
  await cube.primaryIs('sports', home, other)
  await isHeard()
  await cube.stopAll()

  const all = cube.ids.flatMap(id => linesOf(cube, id))
  for (const line of all) {
    if (!/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(line.time) || !cube.ids.includes(line.peer))
      t.fail(JSON.stringify(line))
  }
  const has = (wanted: Partial<Line>) => (line: Line) =>
    Object.entries(wanted).every(([key, value]) => JSON.stringify(line[key]) === JSON.stringify(value))
  for (const wanted of [
    { level: 'info', event: 'topic-created', topic: 'sports' },
    { level: 'info', event: 'topic-deleted', topic: 'short-lived' },
    { level: 'debug', event: 'publish', topic: 'sports', offset: 1 },
    { level: 'warn', event: 'failed', who: home },
    { level: 'info', event: 'takeover', from: home },
    { level: 'info', event: 'rejoined', who: home },
    { level: 'info', event: 'reclaimed', who: home },
    { level: 'info', event: 'publishes' },
    { level: 'info', event: 'heartbeats' },
    { level: 'info', event: 'stopping' },
    { level: 'info', event: 'stopped' },
  ]) {
    t.ok(all.some(has(wanted)), JSON.stringify(wanted))
  }
  t.notOk(
    all.find(line => line.level === 'fatal' || line.level === 'error'),
    'nothing is an error',
  )
})
