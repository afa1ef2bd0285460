import t from 'tap'
import { Block, Blocks } from '../../services/peer/streams/blocks.ts'
import { sseEncoding } from '../../services/peer/streams/frames.ts'
import type { StoredEvent } from '../../services/peer/topics/types.ts'
import { ManualClock } from './clock.ts'
import type { FakeSink } from './sink.ts'
import { World } from './world.ts'

const ENCODING = sseEncoding('sports', { named: false, format: 'plain', retryMs: 500 })

function event(offset: number, text = `event ${offset}`): StoredEvent {
  return { offset, incarnation: 1, sequence: offset, timeMs: 0, data: Buffer.from(text) }
}

function offsets(sink: FakeSink): number[] {
  return sink.stream.messages.map(message => Number(message.lastEventId.split('-')[0]))
}

t.test('a block gives the frames from any of its offsets on, and all of it as the same bytes', async t => {
  const events = [7, 8, 9].map(offset => event(offset))
  const block = new Block(ENCODING, events)
  t.same([block.first, block.last], [7, 9])
  for (const [at, { offset }] of events.entries()) {
    const frames = events.slice(at).map(one => ENCODING.event(one))
    t.same(block.from(offset), Buffer.concat(frames))
  }
  t.equal(block.from(7), block.from(7))
})

t.test('blocks are bounded, the oldest goes first, and all are forgotten when nobody asks', async t => {
  const clock = new ManualClock()
  const blocks = new Blocks<object>(clock, 1)
  const owner = {}
  const large = 'x'.repeat(6 * 1_048_576)
  for (const offset of [1, 2, 3]) blocks.put(owner, ENCODING, new Block(ENCODING, [event(offset, large)]))
  t.same(
    [1, 2, 3].map(first => blocks.find(owner, ENCODING, first)?.first),
    [undefined, 2, 3],
  )
  t.equal(blocks.find({}, ENCODING, 3), undefined, 'others have their own')
  await clock.advance(10_000)
  t.equal(blocks.find(owner, ENCODING, 3), undefined)
  t.equal(clock.timers, 0)
})

t.test('a stretch has several blocks, none of which lies within another', t => {
  const clock = new ManualClock()
  const blocks = new Blocks<object>(clock, 10)
  const owner = {}
  const put = (...offsets: number[]) =>
    blocks.put(
      owner,
      ENCODING,
      new Block(
        ENCODING,
        offsets.map(offset => event(offset)),
      ),
    )
  const held = () =>
    Array.from({ length: 12 }, (_, at) => blocks.find(owner, ENCODING, at + 1)?.first ?? '-').join(' ')
  t.same([blocks.stretch(1), blocks.stretch(10)], Array(2).fill({ first: 1, last: 10 }))
  t.same(blocks.stretch(11), { first: 11, last: 20 })
  put(9, 10)
  put(3, 4)
  put(11, 12)
  t.equal(held(), '- - 3 3 - - - - 9 9 11 11')
  put(8, 9, 10)
  t.equal(held(), '- - 3 3 - - - 8 8 8 11 11')
  put(2, 3)
  t.equal(held(), '- 2 3 3 - - - 8 8 8 11 11')
  const other = sseEncoding('sports', { named: true, format: 'plain', retryMs: 500 })
  t.equal(blocks.find(owner, other, 3), undefined)
  t.end()
})

t.test('those who come by the same history from different places share its reads', async t => {
  const world = new World({ bounds: { replayEvents: 10, ringEvents: 5 } })
  world.create()
  const count = 203
  for (let n = 1; n <= count; n += 1) world.publish(`event ${n}`)
  const sinks: { from: number; sink: FakeSink }[] = []
  const opened: Promise<unknown>[] = []
  const before = world.replica('000').reads
  for (let n = 0; n < 40; n += 1) {
    const from = 1 + ((n * 37) % 190)
    opened.push(
      world.connect('000', { kind: 'offset', offset: from }).then(sink => sinks.push({ from, sink })),
    )
  }
  await Promise.all(opened)
  await world.clock.advance(200)
  for (const { from, sink } of sinks) {
    t.same(
      offsets(sink),
      Array.from({ length: count + 1 - from }, (_, at) => from + at),
    )
  }
  const reads = world.replica('000').reads - before
  t.ok(reads <= 30, `${reads} reads for 40 streams over 21 blocks`)
})
