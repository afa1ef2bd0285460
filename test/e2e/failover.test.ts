import t from 'tap'
import { Publisher, Subscriber } from '../../clients/typescript/src/index.ts'
import { ask, askJson } from '../../scripts/lib/http.ts'
import { TestCube } from '../../scripts/lib/test-cube.ts'
import { WatchedTopic } from '../../scripts/lib/watched-topic.ts'
import { runShell } from './support.ts'

const RATE_PER_S = 100
const LAST = 'the last event'

/** One cube of eight for all of this; each test has a topic of its own and leaves every peer running. */
const cube = await TestCube.start({ peers: 8 })
t.teardown(() => cube.close())

/** A topic, a peer that holds no replica of it, and a steady publish through that one. */
async function watch(topic: string) {
  const { home, replicas } = await cube.createTopic(topic)
  const outsider = cube.ids.find(id => !replicas.some(replica => replica.id === id))!
  return { home, outsider, watched: await WatchedTopic.start(cube, topic, outsider, RATE_PER_S) }
}

t.test(
  'kill -9 of the primary and its return lose, double, reorder and refuse nothing, on any peer',
  async t => {
    const { home, outsider, watched } = await watch('sports')
    const subscriber = new Subscriber(cube.urls([home, outsider]), 'sports', { from: 'earliest' })
    const reached = Promise.withResolvers<void>()
    const listening = subscriber.subscribeAndListen(({ offset, data }) => {
      watched.history.delivered('the client', { offset, payload: String(data) })
      if (data === LAST) reached.resolve()
    })
    for (let round = 1; round <= 2; round += 1) {
      await cube.kill(home)
      const { primary } = await cube.primaryIs('sports', id => id !== home, outsider)
      await watched.publisher.nextAcknowledged()
      t.not(primary!.id, home, `round ${round}: ${primary!.id} has taken over`)
      await cube.restart(home)
      await cube.primaryIs('sports', home, outsider)
      await watched.publisher.nextAcknowledged()
      t.pass(`round ${round}: ${home} is primary again`)
    }
    t.same(await watched.finish(), [], 'no subscriber on any peer misses or doubles anything')
    await new Publisher(cube.urls([home, outsider]), 'sports').publish(LAST)
    await reached.promise
    subscriber.close()
    await listening
    t.same(
      watched.history.check(['the client']),
      [],
      'nor does the client, which began at the peer that was killed',
    )
    t.same(
      watched.history.publishes.filter(publish => publish.outcome !== 'acknowledged'),
      [],
      'every publish through a living peer was acknowledged, with no retry of the client',
    )
  },
)

t.test('hypercast pub and sub go on at another peer when theirs is killed', async t => {
  const { home, replicas } = await cube.createTopic('piped')
  const outsider = cube.ids.find(id => !replicas.some(replica => replica.id === id))!
  const peers = cube.urls([home, outsider]).map(url => `--url ${url}`)
  const hypercast = (line: string) =>
    `'${process.execPath}' services/peer/bin/hypercast.js ${line} ${peers.join(' ')}`
  const numbers = Array.from({ length: 3_000 }, (_, at) => String(at + 1))
  const reading = runShell(`exec ${hypercast('sub piped --from earliest --count 3000')}`)
  const slowly = 'for at in $(seq 0 59); do seq $((at * 50 + 1)) $((at * 50 + 50)); sleep 0.03; done'
  const writing = runShell(`set -o pipefail; ${slowly} | ${hypercast('pub piped')}`)
  await reading.until(/^500$/m)
  await cube.kill(home)
  t.same(await writing.exited, { code: 0, signal: null }, writing.errors())
  t.match(writing.errors(), 'published 3000 events to "piped", offsets 1 to 3000\n')
  t.same(await reading.exited, { code: 0, signal: null }, reading.errors())
  t.same(reading.output().split('\n').slice(0, -1), numbers, 'each once and in order')
  t.match(reading.errors(), new RegExp(`trying ${cube.url(outsider)}\ngoing on at ${cube.url(outsider)}\n$`))
  const head = runShell(`set -o pipefail; ${hypercast('sub piped --from earliest')} | head -1`)
  let isOver = false
  void head.exited.then(() => {
    isOver = true
  })
  // It notices with its next write.
  while (!isOver) await ask(`${cube.topicUrl('piped', outsider)}/publish`, { method: 'POST', body: 'more' })
  t.same(await head.exited, { code: 0, signal: null }, 'a broken pipe is a quiet end')
  t.same(
    [head.output(), head.errors()],
    [
      '1\n',
      `no answer from ${cube.url(home)} (ECONNREFUSED); trying ${cube.url(outsider)}\ngoing on at ${cube.url(outsider)}\n`,
    ],
  )
  await cube.restart(home)
  await cube.primaryIs('piped', home, outsider)
})

t.test('hypercast sub of several topics goes on at another peer when its own is killed', async t => {
  const { home, replicas } = await cube.createTopic('matches/tennis')
  for (const topic of ['matches/golf', 'forecast']) await cube.createTopic(topic)
  const outsider = cube.ids.find(id => !replicas.some(replica => replica.id === id))!
  const hypercast = (line: string, ids: readonly string[]) => {
    const peers = cube.urls(ids).map(url => `--url ${url}`)
    return `'${process.execPath}' services/peer/bin/hypercast.js ${line} ${peers.join(' ')}`
  }
  const sub = "sub forecast 'matches/*' --from earliest"
  const reading = runShell(`exec ${hypercast(`${sub} --count 3000`, [home, outsider])}`)
  const topics = ['matches/tennis', 'matches/golf', 'forecast']
  const numbers = Array.from({ length: 1_000 }, (_, at) => String(at + 1))
  const write = (range: string) =>
    topics.map(topic => runShell(`set -o pipefail; seq ${range} | ${hypercast(`pub ${topic}`, [outsider])}`))
  const writing = write('1 500')
  await Promise.all(topics.map(topic => reading.until(new RegExp(`^${topic}\\t500$`, 'm'))))
  await cube.kill(home)
  writing.push(...write('501 1000'))
  for (const { exited, errors } of writing) t.same(await exited, { code: 0, signal: null }, errors())
  t.same(await reading.exited, { code: 0, signal: null }, reading.errors())
  const lines = reading.output().split('\n').slice(0, -1)
  for (const topic of topics) {
    const own = lines.filter(line => line.startsWith(`${topic}\t`)).map(line => line.split('\t')[1])
    t.same(own, numbers, `${topic}: each once and in order`)
  }
  t.equal(lines.length, 3_000)
  t.match(reading.errors(), new RegExp(`trying ${cube.url(outsider)}\ngoing on at ${cube.url(outsider)}\n$`))
  const head = runShell(`set -o pipefail; ${hypercast(sub, [outsider])} | head -1`)
  let isOver = false
  void head.exited.then(() => {
    isOver = true
  })
  while (!isOver)
    await ask(`${cube.topicUrl('matches/golf', outsider)}/publish`, { method: 'POST', body: 'more' })
  t.same(await head.exited, { code: 0, signal: null }, 'a broken pipe is a quiet end')
  t.match([head.output(), head.errors()], [/^[a-z/]+\t1\n$/, ''])
  await cube.restart(home)
  await cube.primaryIs('matches/tennis', home, outsider)
})

t.test(
  'a primary that stands still is replaced, and continued it acknowledges nothing it should not',
  async t => {
    const { home, outsider, watched } = await watch('news')
    cube.pause(home)
    const toTheStopped = Array.from({ length: 10 }, async (_, index) => {
      const payload = `to the stopped ${index}`
      const sentMs = performance.now()
      const url = `${cube.topicUrl('news', home)}/publish`
      const answer = await ask(url, { method: 'POST', body: payload }).catch(() => ({
        status: 504,
        body: '',
      }))
      const outcome = answer.status === 201 ? 'acknowledged' : answer.status === 504 ? 'unknown' : 'refused'
      const offset =
        answer.status === 201 ? (JSON.parse(answer.body) as { offset: number }).offset : undefined
      watched.history.published({
        payload,
        outcome,
        sentMs,
        answeredMs: performance.now(),
        ...(offset && { offset }),
      })
    })
    await cube.primaryIs('news', id => id !== home, outsider)
    await watched.publisher.nextAcknowledged()
    cube.resume(home)
    await Promise.all(toTheStopped)
    await cube.primaryIs('news', home, outsider)
    await watched.publisher.nextAcknowledged()
    t.same(await watched.finish(), [])
  },
)

t.test('a key gives its first answer again after the primary that gave it is gone', async t => {
  const { home } = await cube.createTopic('goals')
  const others = cube.ids.filter(id => id !== home)
  const publish = (through: string, body: string) =>
    ask(`${cube.topicUrl('goals', through)}/publish`, {
      method: 'POST',
      body,
      headers: { 'idempotency-key': '"goal-1"' },
    })
  const first = await publish(others[0]!, 'goal')
  t.equal(first.status, 201)
  const { offset, id } = JSON.parse(first.body)
  await cube.kill(home)
  for (const through of others) {
    const again = await publish(through, 'goal')
    t.equal(again.status, 201, through)
    t.match(JSON.parse(again.body), { offset, id })
  }
  const reused = await publish(others[1]!, 'another payload')
  t.equal(reused.status, 422)
  t.equal(JSON.parse(reused.body).code, 'IDEMPOTENCY_KEY_REUSED')
  t.equal((await cube.topic('goals', others[0])).latest, 1, 'there is one event')
  await cube.restart(home)
})

t.test('without a majority nothing is acknowledged, what is kept is still served, and it heals', async t => {
  const cube = await TestCube.start({ peers: 3, environment: { HYPERCAST_PUBLISH_TIMEOUT: '2s' } })
  t.teardown(() => cube.close())
  await cube.createTopic('sports')
  const url = cube.topicUrl('sports', '00')
  await askJson(`${url}/publish`, { method: 'POST', body: 'kept' })
  await Promise.all([cube.kill('01'), cube.kill('10')])
  const refused = await ask(`${url}/publish`, { method: 'POST', body: 'not kept' })
  t.ok([503, 504].includes(refused.status), `answered ${refused.status}`)
  if (refused.status === 503) t.ok(refused.headers['retry-after'], 'it says when to try again')
  await Promise.all([cube.restart('01'), cube.restart('10')])
  await cube.ready()
  await askJson(`${url}/publish`, { method: 'POST', body: 'after' })
  const page = await askJson<{ events: { data: string }[] }>(`${url}/events?from=earliest`, {
    headers: { accept: 'application/json' },
  })
  const events = page.events.map(event => event.data)
  t.equal(events[0], 'kept')
  t.equal(events.at(-1), 'after')
  if (refused.status === 503) t.same(events, ['kept', 'after'], 'what was refused for good never appears')
})
