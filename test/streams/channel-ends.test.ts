import t from 'tap'
import { ChannelWorld, cursorStart, told } from './channel-world.ts'
import { stoppingAt } from './sink.ts'

const LATEST = { kind: 'latest' } as const
const EARLIEST = { kind: 'earliest' } as const
const END = 'end a/0 deleted'

/** A stream of one slot that was shown the first event of `a/0`. */
async function shown(wants: readonly string[]) {
  const world = new ChannelWorld({ slots: 1 })
  world.create('a/0', 'b/0')
  const sink = world.connect(wants, LATEST)
  await world.clock.settle()
  world.publish('a/0', 'one')
  await world.clock.advance(5)
  const [tap] = [...world.taps]
  return { world, sink, tap: tap! }
}

for (const wants of [['*/0'], ['a/0', 'b/0']]) {
  t.test(`an end that fell into a break of the relay is told once (${wants})`, async t => {
    const { world, sink, tap } = await shown(wants)
    world.commit('a/0', { kind: 'delete' })
    for (const replica of world.replicas[0]!) replica.apply()
    tap.cover(world.model('a/0').length)
    await world.clock.advance(2_000)
    t.same(told(sink), ['a/0 1', END])
    tap.cover(world.model('a/0').length)
    world.publish('b/0', 'next')
    await world.clock.advance(2_000)
    t.same(told(sink), ['a/0 1', END, 'b/0 1'])
    const resumed = world.connect(wants, cursorStart(sink.stream.messages[1]!.lastEventId))
    await world.clock.advance(2_000)
    t.same(told(resumed), ['b/0 1'])
  })

  t.test(`also when events fell into it, and the next life of its name (${wants})`, async t => {
    const { world, sink, tap } = await shown(wants)
    world.publishLagging('b/0', 'next')
    world.commit('a/0', { kind: 'delete' })
    world.commit('a/0', { kind: 'create', settings: world.settings })
    world.publishLagging('a/0', 'again')
    for (const replica of world.replicas[0]!) replica.apply()
    tap.cover(world.model('a/0').length)
    await world.clock.advance(2_000)
    t.same(told(sink).toSorted(), ['a/0 1', 'a/0 1', 'b/0 1', END])
    t.ok(told(sink).indexOf(END) < told(sink).lastIndexOf('a/0 1'))
    world.publish('a/0', 'more')
    await world.clock.advance(2_000)
    t.same(told(sink).slice(4), ['a/0 2'])
  })

  t.test(`what still exists behind a break is not told to have ended (${wants})`, async t => {
    const { world, sink, tap } = await shown(wants)
    world.commit('b/0', { kind: 'delete' })
    world.commit('b/0', { kind: 'create', settings: world.settings })
    for (const replica of world.replicas[0]!) replica.apply()
    tap.cover(world.model('a/0').length)
    await world.clock.advance(2_000)
    t.notOk(told(sink).includes(END))
    world.commit('a/0', { kind: 'delete' })
    world.level()
    await world.clock.advance(2_000)
    t.equal(told(sink).filter(what => what === END).length, 1)
  })

  t.test(`an end that a replica knows of ahead of the feed is told once (${wants})`, async t => {
    const world = new ChannelWorld({ slots: 1, bounds: { replayEvents: 2 } })
    world.create('a/0', 'b/0')
    for (const text of ['1', '2', '3', '4']) world.publish('a/0', text)
    // The opening, the place, and what was read first.
    const sink = world.connect(wants, EARLIEST, stoppingAt(3))
    await world.clock.advance(50)
    world.publishLagging('b/0', 'next')
    world.commit('a/0', { kind: 'delete' })
    for (const replica of world.replicas[0]!) replica.apply()
    sink.resume()
    await world.clock.advance(50)
    t.same(told(sink), ['a/0 1', 'a/0 2', END, 'b/0 1'])
    world.level()
    await world.clock.advance(50)
    t.same(told(sink), ['a/0 1', 'a/0 2', END, 'b/0 1'])
  })
}

t.test('a topic that ended before the stream began is not told to have ended', async t => {
  const world = new ChannelWorld({ slots: 1 })
  world.create('a/0', 'b/0')
  world.connect(['a/0', 'b/0'], LATEST)
  await world.clock.settle()
  world.commit('a/0', { kind: 'delete' })
  for (const replica of world.replicas[0]!) replica.apply()
  const late = world.connect(['a/0', 'b/0'], cursorStart('0.0.3'))
  await world.clock.advance(50)
  world.level()
  world.publish('b/0', 'next')
  await world.clock.advance(50)
  t.same(told(late), ['b/0 1'])
})
