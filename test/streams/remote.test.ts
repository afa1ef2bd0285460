import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import type { TopicPage } from '../../services/peer/streams/history.ts'
import type { FakeSink } from './sink.ts'
import { TOPIC, World } from './world.ts'

const LATEST = { kind: 'latest' } as const
/** The peer without a replica. */
const AFAR = '010'

function offsets(sink: FakeSink): number[] {
  return sink.stream.messages.map(message => Number(message.lastEventId.split('-')[0]))
}

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, at) => at + 1)
}

t.test(
  'all subscribers of a topic share one trunk to one replica, which closes some time behind the last',
  async t => {
    const world = new World()
    world.create()
    const sinks: FakeSink[] = []
    for (let count = 0; count < 10; count += 1) sinks.push(await world.connect(AFAR, LATEST))
    t.equal(world.pipes, 1)
    t.equal(world.followed.length, 1)
    const serving = world.hub(world.followed[0]!)
    t.equal(serving.stats().trunksDown, 1)
    t.equal(serving.stats().streams, 0)
    world.publish('1', '2')
    await world.clock.advance(10)
    for (const sink of sinks) t.same(offsets(sink), [1, 2])
    t.equal(world.dispatched.get('describe'), 1, 'the feed knows where it is')
    for (const sink of sinks) sink.destroy()
    await world.clock.advance(LIMITS.TRUNK_IDLE_MS)
    t.equal(world.pipes, 0)
    t.equal(serving.stats().trunksDown, 0)
    await world.clock.advance(LIMITS.FOLLOW_MARK_MS)
    t.equal(world.clock.timers, 0)
  },
)

t.test('a stream that breaks goes on at another replica, without a gap and without a double', async t => {
  const world = new World()
  world.create()
  const sink = await world.connect(AFAR, LATEST)
  for (let round = 0; round < 6; round += 1) {
    world.publish(`a${round}`, `b${round}`)
    await world.clock.settle()
    world.cut()
    world.publish(`c${round}`)
    await world.clock.advance(50)
    world.publish(`d${round}`)
    await world.clock.advance(50)
  }
  t.same(offsets(sink), upTo(24))
  t.same(new Set(world.followed), new Set(['000', '001']))
})

t.test('it moves to a replica that lags and waits for it', async t => {
  const world = new World()
  world.create()
  const sink = await world.connect(AFAR, LATEST)
  const first = world.followed[0]!
  const other = first === '000' ? '001' : '000'
  for (const text of ['1', '2', '3']) world.publishLagging(text)
  world.replica(first).apply()
  await world.clock.advance(10)
  t.same(offsets(sink), [1, 2, 3])
  world.down.add(first)
  world.cut()
  await world.clock.advance(500)
  t.equal(world.followed.at(-1), other)
  t.same(offsets(sink), [1, 2, 3])
  world.publishLagging('4')
  world.replica(other).apply(2)
  await world.clock.advance(10)
  t.same(offsets(sink), [1, 2, 3])
  world.replica(other).apply()
  await world.clock.advance(10)
  t.same(offsets(sink), [1, 2, 3, 4])
})

t.test('while no replica answers the stream stays open and goes on afterwards', async t => {
  const world = new World()
  world.create()
  const sink = await world.connect(AFAR, LATEST)
  world.down.add('000').add('001')
  world.cut()
  world.publish('1')
  await world.clock.advance(20_000)
  t.notOk(sink.ended)
  t.same(offsets(sink), [])
  world.down.clear()
  await world.clock.advance(1_000)
  t.same(offsets(sink), [1])
})

t.test('a replica that has lost its primary is left for one that has not', async t => {
  const world = new World()
  world.create()
  const sink = await world.connect(AFAR, LATEST)
  const first = world.followed[0]!
  const other = first === '000' ? '001' : '000'
  world.replica(first).led = false
  world.publishLagging('1')
  world.replica(other).apply()
  await world.clock.advance(5_000)
  t.equal(world.followed.at(-1), other)
  t.same(offsets(sink), [1])
})

t.test('catching up reads a replica, in batches, and joins the live stream', async t => {
  const world = new World({ bounds: { replayEvents: 10 } })
  world.create()
  for (const n of upTo(95)) world.publish(`event ${n}`)
  const sink = await world.connect(AFAR, { kind: 'earliest' })
  world.publish('live')
  await world.clock.advance(100)
  t.same(offsets(sink), upTo(96))
  t.ok((world.dispatched.get('read') ?? 0) >= 10)
})

t.test('a follower whose replica has trimmed meanwhile announces exactly what is gone', async t => {
  const world = new World()
  world.create()
  const sink = await world.connect(AFAR, LATEST)
  world.publish('1')
  await world.clock.advance(10)
  world.down.add('000').add('001')
  world.cut()
  world.publish('2', '3', '4')
  world.trim(4)
  world.level()
  world.down.clear()
  await world.clock.advance(1_000)
  t.same(
    sink.stream.messages.map(({ type, data }) => [type, data]),
    [
      ['message', '1'],
      ['gap', '{"from":2,"to":3}'],
      ['message', '4'],
    ],
  )
})

t.test('a deletion ends the streams of all peers, a new life is a new stream', async t => {
  const world = new World()
  world.create()
  const sinks = [await world.connect(AFAR, LATEST), await world.connect('000', LATEST)]
  world.publish('1')
  await world.clock.advance(10)
  world.commit({ kind: 'delete' })
  world.create()
  world.publish('new')
  await world.clock.advance(1_000)
  for (const sink of sinks) {
    t.same(
      sink.stream.messages.map(message => message.type),
      ['message', 'end'],
    )
    t.ok(sink.ended)
  }
  const again = await world.connect(AFAR, { kind: 'earliest' })
  t.same(
    again.stream.messages.map(message => message.lastEventId),
    ['1-2'],
  )
})

t.test('a follower that was cut off while its topic was deleted learns it', async t => {
  const world = new World()
  world.create()
  const sink = await world.connect(AFAR, LATEST)
  world.down.add('000').add('001')
  world.cut()
  world.commit({ kind: 'delete' })
  world.level()
  world.down.clear()
  await world.clock.advance(1_000)
  t.equal(sink.stream.messages.at(-1)?.type, 'end')
})

t.test('marks keep an idle followed stream alive', async t => {
  const world = new World()
  world.create()
  await world.connect(AFAR, LATEST)
  await world.clock.advance(60_000)
  t.equal(world.followed.length, 1)
})

t.test(
  'a page tells what retention removed as a gap, also where a replica that lags still has it',
  async t => {
    const world = new World()
    world.create()
    for (const n of upTo(10)) world.publish(`event ${n}`)
    world.level()
    world.trim(6)
    for (const peer of ['000', AFAR]) {
      const page = await world.hub(peer).page(TOPIC, { kind: 'offset', offset: 2 }, 10)
      t.same(page.gap, { from: 2, to: 5 })
      t.same(
        page.events.map(event => event.offset),
        upTo(10).slice(5),
      )
    }
  },
)

t.test('pages and histories read what was acknowledged before, also from a peer that lags', async t => {
  const world = new World({ bounds: { replayEvents: 10 } })
  world.create()
  for (const n of upTo(25)) world.publish(`event ${n}`)
  world.trim(6)
  world.level()
  for (const peer of ['000', AFAR]) {
    const hub = world.hub(peer)
    const first = await hub.page(TOPIC, { kind: 'offset', offset: 2 }, 10)
    t.same(
      first.events.map(event => event.offset),
      upTo(15).slice(5),
    )
    t.match(first, { next: '15-1', gap: { from: 2, to: 5 }, earliest: 6, latest: 25 })
    const second = await hub.page(TOPIC, { kind: 'cursor', offset: 15, incarnation: 1 }, 100)
    t.equal(second.events.length, 10)
    t.equal(second.next, '25-1')
    const empty = await hub.page(TOPIC, { kind: 'cursor', offset: 25, incarnation: 1 }, 100)
    t.match(empty, { events: [], next: '25-1' })
    t.match(await hub.page(TOPIC, LATEST, 10), { events: [], next: '25-1' })
    t.match(await hub.page(TOPIC, { kind: 'offset', offset: 99 }, 10), { events: [], next: '25-1' })
    const history: number[] = []
    for await (const item of hub.history(TOPIC, { kind: 'earliest' }, new AbortController().signal)) {
      if ('offset' in item) history.push(item.offset)
    }
    t.same(history, upTo(25).slice(5))
    await t.rejects(hub.page('unknown', LATEST, 10), { code: 'UNKNOWN_TOPIC' })
    await t.rejects(hub.page(TOPIC, { kind: 'cursor', offset: 26, incarnation: 1 }, 10), {
      code: 'CURSOR_FROM_FUTURE',
    })
  }
  world.publishLagging('late')
  const page = world.hub('000').page(TOPIC, { kind: 'cursor', offset: 25, incarnation: 1 }, 10)
  await world.clock.settle()
  world.replica('000').apply()
  await world.clock.advance(300)
  t.equal((await page).events.length, 1, 'it waits for its own replica')
})

t.test('a page that nobody can answer says so', async t => {
  const world = new World()
  world.majority = false
  await t.rejects(world.hub(AFAR).page(TOPIC, LATEST, 10), { code: 'NO_PRIMARY' })
  world.majority = true
  world.create()
  world.publish('1')
  world.down.add('000').add('001')
  const page = t.rejects(world.hub(AFAR).page(TOPIC, { kind: 'earliest' }, 10), { code: 'UNREACHABLE' })
  await world.clock.advance(5_000)
  await page
})

t.test('a page is read elsewhere, at once, when the replica here has a bad record', async t => {
  const world = new World()
  world.create()
  world.publish('1', '2')
  const replica = world.replica('000')
  replica.read = () => {
    replica.drop()
    throw new Error('a bad record')
  }
  let page: TopicPage | undefined
  void world
    .hub('000')
    .page(TOPIC, { kind: 'earliest' }, 10)
    .then(read => {
      page = read
    })
  await world.clock.settle()
  t.same(
    page?.events.map(({ offset }) => offset),
    [1, 2],
  )
})
