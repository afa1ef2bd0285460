import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import { Attachment } from '../../services/peer/streams/attachment.ts'
import { SlotFeed } from '../../services/peer/streams/slot-feed.ts'
import type { SlotSource } from '../../services/peer/streams/slot-source.ts'
import type { SlotTap } from '../../services/peer/streams/taps.ts'
import { slotFeedsOf } from './slot-feeds-of.ts'
import { TOPIC, World } from './world.ts'

class FakeSource implements SlotSource {
  readonly depth = 0
  readonly led = true
  misplaced = false
  isClosed = false
  readonly wants = new Set<string>()
  want(want: string): void {
    this.wants.add(want)
  }
  unwant(want: string): void {
    this.wants.delete(want)
  }
  below(): void {}
  beat(): void {}
  close(): void {
    this.isClosed = true
  }
}

function setUp() {
  const sources: FakeSource[] = []
  const idle: SlotFeed[] = []
  const feed = new SlotFeed({
    slot: 7,
    source: () => {
      sources.push(new FakeSource())
      return sources.at(-1)!
    },
    onIdle: one => idle.push(one),
  })
  const cover = (sequence: number, ...wants: string[]) =>
    feed.covered(wants, { sequence, index: 1 }, 1, new Map())
  const event = (topic: string, sequence: number) =>
    feed.events(
      topic,
      [{ offset: sequence, incarnation: 1, sequence, timeMs: 1, data: new Uint8Array() }],
      sequence,
    )
  return { feed, sources, idle, cover, event }
}

function tapOf(told: string[], ...wants: string[]): SlotTap {
  return {
    wants,
    covered: ({ sequence }) => told.push(`covered ${sequence}`),
    events: (topic, events) => told.push(`${topic} ${events.map(event => event.sequence)}`),
    ended: topic => told.push(`ended ${topic}`),
    passed: ({ sequence }) => told.push(`passed ${sequence}`),
    interrupted: () => told.push('interrupted'),
  }
}

t.test('a tap is told nothing before all of its wants are covered', async t => {
  const { feed, cover, event } = setUp()
  const told: string[] = []
  feed.add(tapOf(told, 'a', 'b/*'))
  cover(3, 'a')
  event('a', 4)
  feed.passed({ sequence: 5, index: 5 })
  feed.ended('a', 1, 4, 6)
  t.same(told, [])
  cover(6, 'b/*')
  event('b/1', 7)
  event('b/1/2', 8)
  t.same(told, ['covered 6', 'b/1 7'])
})

t.test('who wants what others have wanted is covered at once, from where they are', async t => {
  const { feed, sources, cover, event } = setUp()
  feed.add(tapOf([], 'a'))
  cover(3, 'a')
  event('a', 4)
  const told: string[] = []
  feed.add(tapOf(told, 'a'))
  t.same(told, ['covered 4'])
  t.same([...sources[0]!.wants], ['a'], 'it is asked for once')
})

t.test('whoever was told of no event is told, too, how far the slot is', async t => {
  const { feed, cover, event } = setUp()
  const told: string[] = []
  feed.add(tapOf(told, 'a'))
  feed.add(tapOf([], 'b'))
  cover(3, 'a', 'b')
  event('b', 4)
  feed.passed({ sequence: 4, index: 4 })
  t.same(told, ['covered 3', 'passed 4'])
  feed.passed({ sequence: 4, index: 4 })
  feed.add(tapOf([], 'c'))
  cover(5, 'c')
  feed.passed({ sequence: 5, index: 1 })
  feed.passed({ sequence: 5, index: 1 })
  t.same(told, ['covered 3', 'passed 4', 'passed 5'], 'once each')
  feed.interrupted()
  cover(4, 'a', 'b', 'c')
  feed.passed({ sequence: 5, index: 1 })
  t.same(told.slice(3), ['interrupted', 'covered 4', 'passed 5'], 'anew when the order was broken')
})

t.test('an interruption is told, and then nothing until all is covered anew', async t => {
  const { feed, cover, event } = setUp()
  const told: string[] = []
  feed.add(tapOf(told, 'a', 'b'))
  cover(3, 'a', 'b')
  feed.interrupted()
  cover(5, 'a')
  event('a', 6)
  feed.interrupted()
  cover(7, 'b')
  t.same(told, ['covered 3', 'interrupted'], 'what was covered before the second one does not count')
  cover(8, 'a')
  t.same(told, ['covered 3', 'interrupted', 'covered 8'])
})

t.test('another source is asked for all that is wanted, and the old one closed', async t => {
  const { feed, sources, cover } = setUp()
  const told: string[] = []
  const stop = feed.add(tapOf(told, 'a', 'b'))
  cover(3, 'a', 'b')
  feed.relocate()
  t.equal(sources.length, 1)
  sources[0]!.misplaced = true
  feed.relocate()
  t.ok(sources[0]!.isClosed)
  t.same([...sources[1]!.wants], ['a', 'b'])
  t.same(told, ['covered 3', 'interrupted'])
  stop()
  t.same([...sources[1]!.wants], [])
})

t.test('a tap that another one stops is not told any more', async t => {
  const { feed, idle, cover, event } = setUp()
  const told: string[] = []
  let stop = () => {}
  const stopFirst = feed.add({ ...tapOf([], 'a'), events: () => stop() })
  stop = feed.add(tapOf(told, '*'))
  cover(1, 'a', '*')
  event('a', 2)
  t.same(told, ['covered 1'])
  stopFirst()
  t.equal(idle.length, 1)
})

t.test('a replica that catches up by a snapshot covers everything anew, once', async t => {
  const world = new World()
  world.create()
  world.publish('1')
  const told: string[] = []
  const feeds = slotFeedsOf(world, '000', [])
  const stop = feeds.tap(7, tapOf(told, TOPIC, '**'))
  world.publishLagging('2', '3')
  world.replica('000').restore()
  world.publish('4')
  t.same(told, ['covered 1', 'interrupted', 'covered 3', `${TOPIC} 4`])
  stop()
  t.equal(world.replica('000').listeners, 0)
  t.equal(world.clock.timers, 0)
})

t.test('a tap that comes when the replica has come is told, also if its coming ends all others', async t => {
  const world = new World()
  world.create()
  world.down.add('000').add('001')
  const taps = slotFeedsOf(world, '010', world.placed)
  let stop = () => {}
  stop = taps.tap(7, { ...tapOf([], 'other'), covered: () => stop() })
  await world.clock.settle()
  world.replica('010').arrive()
  const told: string[] = []
  const stopLast = taps.tap(7, tapOf(told, TOPIC))
  world.publish('1')
  t.same(told, ['covered 0', `${TOPIC} 1`])
  stopLast()
  t.equal(world.replica('010').listeners, 0)
})

t.test('a parent is late by the want that waits longest, not because there is always one', async t => {
  let nowMs = 0
  const nothing = () => {}
  const line = { add: nothing, remove: nothing, below: nothing, close: nothing }
  const listener = { frame: nothing, mark: nothing, broken: nothing }
  const trunk = { peer: '000', attach: () => line } as never
  const one = new Attachment(
    trunk,
    7,
    [],
    () => nowMs,
    () => listener,
  )
  for (let round = 0; round < 100; round += 1) {
    one.add(`t${round}`)
    nowMs += LIMITS.PARENT_PATIENCE_MS / 4
    one.add(`u${round}`)
    one.covers([`t${round}`, `u${round - 1}`])
    t.notOk(one.isLate())
  }
  one.add('never')
  one.covers(['u99'])
  nowMs += LIMITS.PARENT_PATIENCE_MS
  t.ok(one.isLate())
})
