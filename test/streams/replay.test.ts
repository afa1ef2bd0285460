import t from 'tap'
import type { FakeSink } from './sink.ts'
import { World } from './world.ts'

/** Eight of them fit into one read of the log. */
const LARGE = 'x'.repeat(65_500)

/** A topic with a history of which no ring has more than the end. */
function worldOf(count: number, blockEvents: number, text = ''): World {
  const world = new World({ bounds: { replayEvents: blockEvents, ringEvents: 2 } })
  world.create()
  for (let n = 1; n <= count; n += 1) world.publish(`${n}${text}`)
  return world
}

/** Subscribers at these offsets, who come at once and get everything. */
async function resume(world: World, peer: string, ...places: number[]): Promise<FakeSink[]> {
  const sinks = places.map(offset => world.connect(peer, { kind: 'offset', offset }))
  const all = await Promise.all(sinks)
  await world.clock.advance(100)
  return all
}

function upTo(last: number, from = 1): number[] {
  return Array.from({ length: last + 1 - from }, (_, at) => from + at)
}

function offsets(sink: FakeSink): number[] {
  return sink.stream.messages.map(({ lastEventId }) => Number(lastEventId.split('-')[0]))
}

/** What the reads of the log gave, on whatever replica, in pairs of the first and the last offset. */
function readings(world: World): number[][] {
  return [...world.replicas.values()].flatMap(one => one.readings.map(of => [of.at(0)!, of.at(-1)!]))
}

for (const peer of ['000', '010']) {
  const where = peer === '000' ? 'with a replica' : 'without a replica'

  t.test(`one that resumes within a block reads what it needs and no more, on a peer ${where}`, async t => {
    const world = worldOf(25, 10)
    const [sink] = await resume(world, peer, 8)
    t.same(offsets(sink!), upTo(25, 8))
    t.same(readings(world), [
      [8, 10],
      [11, 20],
      [21, 25],
    ])
  })

  t.test(`large payloads are read once, though a read ends within the block, on a peer ${where}`, async t => {
    const world = worldOf(40, 20, LARGE)
    const [sink] = await resume(world, peer, 11)
    t.same(offsets(sink!), upTo(40, 11))
    t.same(readings(world), [
      [11, 18],
      [19, 20],
      [21, 28],
      [29, 36],
      [37, 40],
    ])
  })
}

t.test('one that resumes beside others that are level reads what it needs and no more', async t => {
  const world = worldOf(25, 10)
  const level = [
    await world.connect('000', { kind: 'latest' }),
    await world.connect('000', { kind: 'latest' }),
  ]
  await resume(world, '000', 19)
  t.same(readings(world), [
    [19, 20],
    [21, 25],
  ])
  for (const sink of level) t.same(offsets(sink), [])
})

t.test('those at the same place in a block share a read that begins there', async t => {
  const world = worldOf(25, 10)
  for (const sink of await resume(world, '000', 17, 17, 17)) t.same(offsets(sink), upTo(25, 17))
  t.same(readings(world), [
    [17, 20],
    [21, 25],
  ])
})

t.test('those at several places in a block share a read that begins at the first of them', async t => {
  const world = worldOf(25, 10)
  const places = [14, 18, 19]
  const sinks = await resume(world, '000', ...places)
  for (const [at, sink] of sinks.entries()) t.same(offsets(sink), upTo(25, places[at]))
  t.same(readings(world), [
    [14, 20],
    [21, 25],
  ])
})

t.test('what was removed by retention costs no read of its own', async t => {
  const world = worldOf(25, 10)
  await world.connect('000', { kind: 'latest' })
  world.trim(15)
  world.level()
  const [sink] = await resume(world, '000', 3)
  t.match(sink!.stream.messages[0], { type: 'gap', data: '{"from":3,"to":14}' })
  t.same(offsets(sink!).slice(1), upTo(25, 15))
  t.ok(readings(world).length <= 2, `${JSON.stringify(readings(world))} for two blocks`)
})

t.test('a storm of those who resume at even places reads the history hardly more than once', async t => {
  const world = worldOf(1_000, 50)
  const places = upTo(100).map(n => ((n * 37) % 100) * 10 + 1)
  const sinks = await resume(world, '000', ...places)
  for (const [at, sink] of sinks.entries()) t.same(offsets(sink), upTo(1_000, places[at]))
  const events = world.replica('000').readings.reduce((sum, { length }) => sum + length, 0)
  t.ok(events <= 1_200, `${events} events read of 1000`)
})

t.test('large payloads for many are read hardly more than once, and never from one place twice', async t => {
  const world = worldOf(80, 50, LARGE)
  const places = upTo(20).map(n => ((n * 7) % 20) * 4 + 1)
  const sinks = await resume(world, '000', ...places)
  for (const [at, sink] of sinks.entries()) t.same(offsets(sink), upTo(80, places[at]))
  const firsts = readings(world).map(([first]) => first)
  t.equal(firsts.length, new Set(firsts).size, `reads from ${firsts}`)
  const events = world.replica('000').readings.reduce((sum, { length }) => sum + length, 0)
  t.ok(events <= 2 * 80, `${events} events read of 80`)
})
