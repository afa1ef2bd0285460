import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import type { SeveralStart } from '../../services/peer/streams/types.ts'
import { ChannelWorld, told } from './channel-world.ts'

/** Events of which no replica but the primary and no tap has heard, nor of a topic of another slot. */
async function lagging() {
  const world = new ChannelWorld({ slots: 2 })
  world.create('a/0', 'a/1')
  world.publish('a/0', 'old')
  // So that the channel is there, and complete.
  world.connect(['a/*'], { kind: 'latest' })
  await world.clock.settle()
  await world.clock.advance(1_000)
  const timeMs = world.clock.nowMs() + 1
  world.publishLagging('a/0', 'acknowledged')
  await world.clock.advance(10)
  return { world, timeMs }
}

const STARTS: readonly [SeveralStart['kind'], (timeMs: number) => SeveralStart, string[]][] = [
  ['latest', () => ({ kind: 'latest' }), ['a/0 3']],
  ['time', timeMs => ({ kind: 'time', timeMs }), ['a/0 3']],
  ['last', () => ({ kind: 'last', count: 1 }), ['a/0 2', 'a/0 3']],
]

for (const [kind, start, due] of STARTS) {
  t.test(`${kind} begins where the primary says, whatever the replica at hand knows`, async t => {
    const { world, timeMs } = await lagging()
    const sink = world.connect(['a/*'], start(timeMs))
    await world.clock.advance(50)
    t.match(sink.text, /^retry: 500\n\nid: /)
    world.level()
    world.publish('a/0', 'next')
    await world.clock.advance(1_000)
    t.same(told(sink), due)
  })

  t.test(
    `${kind} in a slot without a majority begins as the replicas say, and holds up nobody for long`,
    async t => {
      const { world, timeMs } = await lagging()
      world.leaderless.add(0)
      const sink = world.connect(['a/*'], start(timeMs))
      await world.clock.advance(LIMITS.SLOT_READ_PATIENCE_MS + 10)
      t.match(sink.stream.lastEventId, /^0\.\w+\.\w+~1\.0\.1$/)
      const next = world.connect(['a/*'], start(timeMs))
      await world.clock.advance(10)
      t.not(next.stream.lastEventId, '', 'it is known that there is none')
      world.leaderless.clear()
      world.level()
      await world.clock.advance(2_000)
      t.ok(told(sink).includes('a/0 2'))
      const later = world.connect(['a/*'], { kind: 'latest' })
      await world.clock.advance(10)
      t.equal(later.stream.lastEventId, '0.2.3~1.0.1')
    },
  )
}

t.test('what is said to one who asked before is not said to one who asked after a publish', async t => {
  const world = new ChannelWorld({ slots: 1, random: () => 0.9 })
  world.create('a/0')
  const first = world.connect(['a/*'], { kind: 'latest' })
  // Its question is on its way.
  await world.clock.settle()
  await world.clock.advance(1)
  world.publishLagging('a/0', 'acknowledged')
  const second = world.connect(['a/*'], { kind: 'latest' })
  await world.clock.advance(50)
  t.equal(second.stream.lastEventId, '0.1.2')
  t.not(first.stream.lastEventId, '')
})
