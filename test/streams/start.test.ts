import t from 'tap'
import type { FakeSink } from './sink.ts'
import { TOPIC, World } from './world.ts'

const LATEST = { kind: 'latest' } as const

function ids(sink: FakeSink): string[] {
  return sink.stream.messages.map(message => message.lastEventId)
}

function cursor(offset: number, incarnation = 1) {
  return { kind: 'cursor', offset, incarnation } as const
}

for (const peer of ['000', '010']) {
  const where = peer === '000' ? 'with a replica' : 'without a replica'

  t.test(`every way to begin, on a peer ${where}`, async t => {
    const world = new World()
    world.create()
    for (let count = 1; count <= 5; count += 1) {
      world.publish(`event ${count}`)
      await world.clock.advance(1_000)
    }
    const timeMs = world.log.events.get(1)![2]!.timeMs
    const begun = async (start: Parameters<World['connect']>[1]) => ids(await world.connect(peer, start))
    t.same(await begun({ kind: 'earliest' }), ['1-1', '2-1', '3-1', '4-1', '5-1'])
    t.same(await begun(LATEST), [])
    t.same(await begun({ kind: 'offset', offset: 4 }), ['4-1', '5-1'])
    t.same(await begun({ kind: 'offset', offset: 0 }), ['1-1', '2-1', '3-1', '4-1', '5-1'])
    t.same(await begun({ kind: 'last', count: 2 }), ['4-1', '5-1'])
    t.same(await begun({ kind: 'last', count: 99 }), ['1-1', '2-1', '3-1', '4-1', '5-1'])
    t.same(await begun({ kind: 'time', timeMs }), ['3-1', '4-1', '5-1'])
    t.same(await begun({ kind: 'time', timeMs: timeMs + 1 }), ['4-1', '5-1'])
    t.same(await begun({ kind: 'time', timeMs: timeMs + 1e9 }), [])
    t.same(await begun(cursor(3)), ['4-1', '5-1'])
    t.same(await begun(cursor(0)), ['1-1', '2-1', '3-1', '4-1', '5-1'])
    t.same(await begun(cursor(5)), [])
  })

  t.test(`what retention removed is announced, on a peer ${where}`, async t => {
    const world = new World()
    world.create()
    world.publish('1', '2', '3', '4', '5')
    world.trim(4)
    world.level()
    for (const start of [cursor(1), { kind: 'offset', offset: 2 } as const]) {
      const sink = await world.connect(peer, start)
      t.same(sink.stream.messages, [
        { type: 'gap', data: '{"from":2,"to":3}', lastEventId: '3-1' },
        { type: 'message', data: '4', lastEventId: '4-1' },
        { type: 'message', data: '5', lastEventId: '5-1' },
      ])
    }
    t.same(ids(await world.connect(peer, { kind: 'earliest' })), ['4-1', '5-1'])
    world.trim(6)
    world.level()
    const all = await world.connect(peer, cursor(0))
    t.same(all.stream.messages, [{ type: 'gap', data: '{"from":1,"to":5}', lastEventId: '5-1' }])
    world.publish('6')
    await world.clock.advance(100)
    t.same(ids(all), ['5-1', '6-1'])
  })

  t.test(`what is wrong for good is said, on a peer ${where}`, async t => {
    const world = new World()
    await t.rejects(world.connect(peer, LATEST), { code: 'UNKNOWN_TOPIC' })
    world.create()
    world.publish('1')
    await t.rejects(world.connect(peer, cursor(2)), { code: 'CURSOR_FROM_FUTURE' })
    await t.rejects(world.connect(peer, cursor(0, 2)), { code: 'CURSOR_FROM_FUTURE' })
    world.commit({ kind: 'delete' })
    world.level()
    await t.rejects(world.connect(peer, LATEST), { code: 'UNKNOWN_TOPIC' })
    t.ok((await world.connect(peer, cursor(1))).ended, 'a cursor of the life that is over')
    world.create()
    t.ok((await world.connect(peer, cursor(1))).ended, 'also when there is a new one')
    t.same((await world.connect(peer, cursor(0, 2))).destroyed, false)
    world.create('other')
    await t.rejects(
      world.connect(peer, cursor(0, 3)),
      { code: 'CURSOR_FROM_FUTURE' },
      'another topic’s cursor',
    )
  })

  t.test(`a stream may begin at an offset that does not exist yet, on a peer ${where}`, async t => {
    const world = new World()
    world.create()
    world.publish('1')
    const sink = await world.connect(peer, { kind: 'offset', offset: 4 })
    t.equal(sink.text, 'retry: 500\n\n', 'no position that a cursor could not name')
    world.publish('2', '3')
    await world.clock.advance(10)
    t.equal(sink.stream.lastEventId, '3-1', 'it is told as soon as it exists')
    world.publish('4', '5')
    await world.clock.advance(10)
    t.same(ids(sink), ['4-1', '5-1'])
  })

  t.test(`without a majority the committed prefix is served, on a peer ${where}`, async t => {
    const world = new World()
    world.create()
    world.publish('1')
    world.majority = false
    const known = await world.connect(peer, cursor(0))
    t.same(ids(known), ['1-1'])
    const page = world.hub(peer).page(TOPIC, { kind: 'earliest' }, 10)
    await world.clock.advance(100)
    t.equal((await page).events.length, 1)
  })

  t.test(`a stream whose topic cannot be looked up is open and waits, on a peer ${where}`, async t => {
    const world = new World({ heartbeatMs: 1_000 })
    world.majority = false
    const one = await world.connect(peer, LATEST)
    const other = await world.connect(peer, cursor(3))
    const third = await world.connect(peer, cursor(3, 9))
    t.equal(one.text, 'retry: 500\n\n')
    await world.clock.advance(3_000)
    t.ok(one.stream.comments.length > 0, 'heartbeats keep it')
    world.create()
    world.publish('1', '2', '3', '4')
    world.majority = true
    await world.clock.advance(2_000)
    t.equal(one.stream.lastEventId, '4-1')
    t.same(ids(other), ['4-1'])
    t.same(third.stream.messages, [{ type: 'end', data: '{"reason":"future"}', lastEventId: '' }])
    t.ok(third.ended)
  })

  t.test(`a stream that waits ends when its topic turns out not to be, on a peer ${where}`, async t => {
    const world = new World()
    world.majority = false
    const unknown = await world.connect(peer, LATEST)
    const gone = await world.connect(peer, { kind: 'earliest' })
    gone.destroy()
    world.majority = true
    await world.clock.advance(2_000)
    t.same(unknown.stream.messages, [{ type: 'end', data: '{"reason":"unknown"}', lastEventId: '' }])
    t.equal(world.hub(peer).stats().streams, 0)
    t.equal(world.clock.timers, 0)
  })
}

t.test('a replica that lags does not know a topic yet, and asks', async t => {
  const world = new World()
  world.commit({ kind: 'create', settings: { maxAgeMs: null, maxEvents: null, maxBytes: null } })
  world.publishLagging('1', '2')
  const sink = await world.connect('000', LATEST)
  t.equal(sink.stream.lastEventId, '2-1')
  world.publishLagging('3')
  world.replica('000').apply()
  await world.clock.advance(10)
  t.same(ids(sink), ['3-1'], 'only what came after')
})

t.test('a cursor ahead of a lagging replica waits for it', async t => {
  const world = new World()
  world.create()
  world.publishLagging('1')
  world.publishLagging('2')
  world.publishLagging('3')
  const sink = await world.connect('000', cursor(2))
  t.equal(sink.stream.lastEventId, '2-1')
  world.replica('000').apply(1)
  await world.clock.advance(10)
  t.same(ids(sink), [])
  world.replica('000').apply(1)
  await world.clock.advance(10)
  t.same(ids(sink), [])
  world.replica('000').apply(1)
  await world.clock.advance(10)
  t.same(ids(sink), ['3-1'])
})

t.test('a replica that caught up by a snapshot serves what it skipped from the log', async t => {
  const world = new World()
  world.create()
  world.publish('1')
  const sink = await world.connect('000', LATEST)
  world.publishLagging('2', '3')
  world.trim(3)
  world.publishLagging('4')
  world.replica('000').restore()
  await world.clock.advance(10)
  t.same(
    sink.stream.messages.map(({ type, data }) => [type, data]),
    [
      ['gap', '{"from":2,"to":2}'],
      ['message', '3'],
      ['message', '4'],
    ],
  )
  world.commit({ kind: 'delete' })
  world.create()
  world.replica('000').restore()
  await world.clock.advance(10)
  t.equal(sink.stream.messages.at(-1)?.type, 'end', 'a deletion within the snapshot is seen')
})
