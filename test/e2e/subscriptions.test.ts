import t from 'tap'
import { ask, askJson, askUntil } from '../../scripts/lib/http.ts'
import { eventsPath, severalPath } from '../../scripts/lib/listener.ts'
import { TestCube } from '../../scripts/lib/test-cube.ts'
import type { SubscribersBody } from '../../services/peer/http/schemas.ts'
import { chance, cloudEvent, listen, wayOf } from './streams.ts'
import { WatchedStreams } from './watched-streams.ts'

/** One cube of eight for all of this; each test has topics of its own and leaves every peer running. */
const cube = await TestCube.start({ peers: 8 })
t.teardown(() => cube.close())
const random = chance(t)

/** A stream at these peers. */
const stream = (test: Parameters<typeof listen>[0], path: string, peers: readonly string[]) =>
  listen(test, cube.urls(peers), path)
const publish = (topic: string, body: string) =>
  askJson<{ offset: number; incarnation: number; cursor: string; time: string }>(
    `${cube.topicUrl(topic, random.pick(cube.ids))}/publish`,
    { method: 'POST', body },
  )

t.test('a relay and a primary are killed and return, and every stream is exact', async t => {
  const topics = ['sports', 'news', 'weather', 'sports/tennis', 'sports/golf', 'тема']
  const watched = await WatchedStreams.start({
    ...{ cube, topics, random, ratePerS: 8 },
    selections: [['sports'], ['weather'], ['news', 'sports/*'], ['**']],
  })
  t.teardown(() => watched.close())
  const { home, holders, far, relay } = await wayOf(cube, 'sports')
  t.notOk(holders.includes(relay), `${far} has "sports" by way of ${relay}`)

  await cube.kill(relay)
  await watched.reachesAll()
  await cube.kill(home)
  await cube.primaryIs('sports', id => id !== home, far)
  await watched.reachesAll(['sports'])
  await cube.restart(relay)
  await cube.restart(home)
  await cube.primaryIs('sports', home, far)
  await watched.reachesAll()

  t.same(await watched.finish(), [], `exact, of ${watched.acknowledged} events`)
  const [lost, kept] = [true, false].map(isKilled =>
    watched.watchers.filter(({ peer }) => [relay, home].includes(peer) === isKilled),
  )
  t.same(
    kept!.filter(({ listener }) => listener.connections !== 1).map(({ name }) => name),
    [],
    'no connection to a living peer was closed',
  )
  t.ok(
    lost!.every(({ listener }) => listener.connections > 1),
    'the others went on elsewhere',
  )
})

t.test('topics that are made later join in, one that ends says so, and its next life follows', async t => {
  const { far } = await wayOf(cube, 'sports')
  const streams = ['000', '111', far].map(id => stream(t, severalPath(['late', 'late/**']), [id]))
  await Promise.all(streams.map(({ listener }) => listener.open))
  const each = async (count: number) => {
    await Promise.all(streams.map(({ until }) => until(count)))
    return streams.map(({ received }) => received[count - 1]!)
  }
  const told: (readonly [topic: string, data: string])[] = []
  const say = async (topic: string, data: string) => {
    const { offset } = await publish(topic, data)
    told.push([topic, data])
    for (const one of await each(told.length)) t.same(cloudEvent(one), { topic, offset, payload: data })
    return offset
  }
  await cube.createTopic('late/one/two')
  t.equal(await say('late/one/two', 'made while the stream was open'), 1)
  await cube.createTopic('late')
  t.equal(await say('late', 'wanted by its name'), 1)
  await cube.createTopic('later')
  await publish('later', 'wanted by nobody')
  // The slot may have given numbers to lives of other topics in between.
  let incarnation = 0
  for (const life of ['first', 'second']) {
    const deleted = await ask(cube.topicUrl('late/one/two', random.pick(cube.ids)), { method: 'DELETE' })
    t.ok(deleted.status < 300, deleted.body)
    told.push(['late/one/two', `end of the ${life} life`])
    const ends = await each(told.length)
    for (const { event, data } of ends) {
      t.equal(event, 'end')
      t.match(JSON.parse(data), { topic: 'late/one/two', reason: 'deleted' })
    }
    const lives = new Set(ends.map(({ data }) => JSON.parse(data).incarnation as number))
    t.equal(lives.size, 1, 'all name the same life')
    const [ended = 0] = lives
    t.ok(ended > incarnation, 'a later one than the one before')
    incarnation = ended
    t.ok((await say('late', `goes on after the ${life}`)) > 1)
    await cube.createTopic('late/one/two')
    t.equal(await say('late/one/two', `life after the ${life}`), 1)
  }
  t.ok(
    streams.every(({ listener, received }) => listener.connections === 1 && received.length === told.length),
  )
})

t.test('what retention removed is said in a gap, and the stream goes on', async t => {
  await cube.createTopic('short')
  await cube.createTopic('long')
  const several = stream(t, severalPath(['short', 'long']), ['011'])
  await several.listener.open
  const first = await publish('short', 'first')
  await publish('long', 'first')
  await several.until(2)
  await several.listener.close()
  const cursor = several.listener.lastEventId
  const lines = Array.from({ length: 500 }, (_, at) => JSON.stringify({ data: `${at + 2}` })).join('\n')
  const batch = { method: 'POST', body: lines, headers: { 'content-type': 'application/x-ndjson' } }
  for (let round = 0; round < 4; round += 1) await askJson(`${cube.topicUrl('short')}/batch`, batch)
  await publish('long', 'second')
  const patch = { method: 'PATCH', body: '{"maxEvents":10}', headers: { 'content-type': 'application/json' } }
  await askJson(cube.topicUrl('short'), patch)
  const { earliest, latest } = await askUntil<{ earliest: number; latest: number }>(
    cube.topicUrl('short', '101'),
    view => view.latest - view.earliest < 10,
  )
  const rest = latest - earliest + 1
  const one = stream(t, `${eventsPath('short')}?lastEventId=${first.cursor}`, ['111'])
  await one.until(1 + rest)
  t.equal(one.received[0]!.event, 'gap')
  t.same(JSON.parse(one.received[0]!.data), { from: 2, to: earliest - 1 })
  t.equal(one.received[1]!.id, `${earliest}-${first.cursor.split('-')[1]}`)

  const resumed = stream(t, `${severalPath(['short', 'long'])}&lastEventId=${cursor}`, ['111'])
  await resumed.until(2 + rest)
  const gaps = resumed.received.filter(({ event }) => event === 'gap').map(({ data }) => JSON.parse(data))
  // A place in a slot does not tell the offset: all that is gone is named, also what was received.
  const incarnation = Number(first.cursor.split('-')[1])
  const gone = { topic: 'short', incarnation, from: 1, to: earliest - 1 }
  t.same(gaps, [gone], 'only of the topic that lost something')
  const events = resumed.received.filter(({ event }) => event === 'message').map(cloudEvent)
  t.same(
    events.filter(({ topic }) => topic === 'short').map(({ offset }) => offset),
    Array.from({ length: rest }, (_, at) => earliest + at),
  )
  t.match(
    events.filter(({ topic }) => topic === 'long'),
    [{ offset: 2, payload: 'second' }],
  )
  const { offset } = await publish('short', 'after the gap')
  await Promise.all([one.until(2 + rest), resumed.until(3 + rest)])
  t.same(cloudEvent(resumed.received.at(-1)!), { topic: 'short', offset, payload: 'after the gap' })
})

t.test('streams of one and of several topics begin where they are told to', async t => {
  await cube.createTopic('begin/a')
  await cube.createTopic('begin/b')
  await publish('begin/a', 'a1')
  const { cursor } = await publish('begin/b', 'b1')
  const { time } = await publish('begin/b', 'b2')
  await publish('begin/a', 'a2')
  const payloads = (test: ReturnType<typeof stream>, isOne: boolean) =>
    test.received.map(one => (isOne ? one.data : cloudEvent(one).payload)).sort()
  const starts: readonly [query: string, one: string[], several: string[]][] = [
    ['from=earliest', ['b1', 'b2'], ['a1', 'a2', 'b1', 'b2']],
    ['from=latest', [], []],
    ['', [], []],
    [`from=${encodeURIComponent(time)}`, ['b2'], ['a2', 'b2']],
    ['last=1', ['b2'], ['a2']],
    ['last=3', ['b1', 'b2'], ['a2', 'b1', 'b2']],
    ['last=0', [], []],
  ]
  const peer = random.pick(cube.ids)
  const open: { readonly what: string; readonly found: () => string[]; readonly expected: string[] }[] = []
  const levels: Promise<void>[] = []
  const begin = async (path: string, isOne: boolean, kept: string[]) => {
    const found = stream(t, path, [peer])
    await found.listener.open
    const expected = [...kept, ...(isOne ? ['b3'] : ['a3', 'b3'])].sort()
    open.push({ what: path, found: () => payloads(found, isOne), expected })
    levels.push(found.until(expected.length))
    return found
  }
  for (const [query, one, several] of starts) {
    await begin(`${eventsPath('begin/b')}?${query}`, true, one)
    await begin(`${severalPath(['begin/*'])}&${query}`, false, several)
  }
  await begin(`${eventsPath('begin/b')}?lastEventId=${cursor}`, true, ['b2'])
  await publish('begin/a', 'a3')
  await publish('begin/b', 'b3')
  await Promise.all(levels)
  for (const { what, found, expected } of open) t.same(found(), expected, what)
  for (const path of [
    `${eventsPath('begin/b')}?from=earliest`,
    `${severalPath(['begin/*'])}&from=earliest`,
  ]) {
    const all = stream(t, path, [peer])
    await all.until(3)
    const { id } = all.received[0]!
    const answer = await fetch(`${cube.url(peer)}${path}`, { headers: { 'last-event-id': id } })
    const reader = answer.body!.getReader()
    let text = ''
    while (!/^id:.*\n/m.test(text)) text += Buffer.from((await reader.read()).value!).toString()
    await reader.cancel()
    t.equal(/^id: ?(.*)\n/m.exec(text)![1], id, 'the header beats the query')
  }
})

t.test('who listens is counted over the cube, by name and by pattern', async t => {
  await cube.createTopic('heard/one')
  const selections: readonly (readonly [peer: string, path: string])[] = [
    ['000', eventsPath('heard/one')],
    ['000', severalPath(['heard/one', 'heard/*'])],
    ['011', severalPath(['heard/*'])],
    ['011', severalPath(['heard/other'])],
    ['111', severalPath(['**'])],
    ['111', severalPath(['heard/one/*'])],
    ['110', severalPath(['other', 'heard/**'])],
  ]
  const streams = selections.map(([peer, path]) => stream(t, path, [peer]))
  await Promise.all(streams.map(({ listener }) => listener.open))
  for (const id of ['000', '101']) {
    const found = await askJson<SubscribersBody>(`${cube.topicUrl('heard/one', id)}/subscribers`)
    const counts = found.peers.filter(one => one.subscribers > 0).map(one => [one.id, one.subscribers])
    t.same(counts, [
      ['000', 2],
      ['011', 1],
      ['110', 1],
      ['111', 1],
    ])
    t.match(found, { topic: 'heard/one', total: 5, silent: [] }, `through ${id}`)
  }
})

t.test('the cursor of all topics is short, and resumes at another peer', async t => {
  const { received, listener, until } = stream(t, `${severalPath(['**'])}&from=latest`, ['010'])
  await listener.open
  await cube.createTopic('of all')
  await publish('of all', 'before')
  await until(1)
  const { id } = received[0]!
  const { slots } = await askJson<{ slots: number }>(`${cube.url('010')}/v1/cube`)
  t.equal(id.split('~').length, slots, 'a place in each slot')
  t.ok(id.length < 2_048, `${id.length} bytes`)
  await publish('of all', 'meanwhile')
  const resumed = stream(t, `${severalPath(['**'])}&lastEventId=${id}`, ['101'])
  await publish('of all', 'after')
  await resumed.until(2)
  t.same(
    resumed.received.map(one => cloudEvent(one).payload),
    ['meanwhile', 'after'],
  )
})
