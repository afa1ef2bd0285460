import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import { ChannelWorld, cursorStart, told } from './channel-world.ts'
import { FakeSink } from './sink.ts'

const LATEST = { kind: 'latest' } as const
const EARLIEST = { kind: 'earliest' } as const

t.test('a stream on the wire, byte by byte', async t => {
  const world = new ChannelWorld({ slots: 2 })
  world.create('a/0', 'b/1')
  const sink = world.connect(['a/0', 'b/*'], LATEST)
  t.equal(sink.text, 'retry: 500\n\n', 'at once')
  await world.clock.settle()
  t.equal(sink.text, 'retry: 500\n\nid: 0.0.1~1.0.1\n\n', 'as soon as it is known')
  world.publish('b/1', 'one\ntwo')
  await world.clock.settle()
  world.commit('a/0', { kind: 'delete' })
  world.level()
  await world.clock.advance(5)
  t.equal(
    sink.text,
    'retry: 500\n\nid: 0.0.1~1.0.1\n\n' +
      'id: 0.0.1~1.1.2\ndata: {"specversion":"1.0","id":"1-1","source":"/v1/topics/b%2F1","type":"hypercast.event",' +
      '"time":"2023-11-14T22:13:20.000Z","datacontenttype":"text/plain; charset=utf-8","topic":"b/1","offset":1,"incarnation":1,' +
      '"data":"one\\ntwo"}\n\n' +
      'event: end\nid: 0.0.2~1.1.2\ndata: {"topic":"a/0","incarnation":1,"reason":"deleted"}\n\n',
  )
  t.notOk(sink.ended, 'the others go on')
  world.create('a/0')
  world.publish('a/0', 'again')
  await world.clock.advance(5)
  t.same(told(sink), ['b/1 1', 'end a/0 deleted', 'a/0 1'])
})

t.test(
  'an item is framed once for any number of level subscribers, and leaves in one write of the same bytes',
  async t => {
    const world = new ChannelWorld()
    world.create('a/0', 'a/1')
    const sinks = Array.from({ length: 500 }, () => world.connect(['a/*'], LATEST))
    const other = world.connect(['a/0', 'a/1'], LATEST)
    await world.clock.advance(20)
    t.equal(world.streams.channels, 2)
    const { concat } = Buffer
    const before = sinks[0]!.writes
    let framed = 0
    Buffer.concat = (list, length) => {
      framed += 1
      return concat(list, length)
    }
    try {
      for (let at = 0; at < 10; at += 1) world.publish(`a/${at % 2}`, `event ${at}`)
      await world.clock.settle()
    } finally {
      Buffer.concat = concat
    }
    // Ten events and the write that gathers them, per channel.
    t.equal(framed, 22)
    t.ok(sinks.every(sink => sink.writes === before + 1))
    t.equal(new Set(sinks.map(sink => sink.chunks.at(-1))).size, 1)
    t.equal(told(other).length, 10)
    t.equal(world.tally.deliveries, 5_010)
    t.equal(world.reads, 0)
  },
)

t.test('the text of an event is made once over all channels', async t => {
  const world = new ChannelWorld()
  world.create('a/0')
  let asked = 0
  world.connect(['a/0'], LATEST)
  world.connect(['a/*'], LATEST)
  world.connect(['**'], LATEST)
  await world.clock.advance(5)
  const model = world.model('a/0')
  world.publishLagging('a/0', 'x')
  const [stored] = model.events
  const counted = new Proxy(stored!.event, {
    get(target, name) {
      if (name === 'contentType') asked += 1
      return Reflect.get(target, name)
    },
  })
  for (const { tap, model: of } of world.taps) if (of === model) tap.events('a/0', [counted], model.length)
  await world.clock.settle()
  t.equal(world.tally.deliveries, 3)
  t.equal(asked, 2, 'once for its media type, once for how it is shown')
})

t.test('signs of life say how far the stream got without events', async t => {
  const world = new ChannelWorld({ slots: 2 })
  world.create('a/0', 'b/0')
  const sink = new FakeSink()
  const { streams } = world
  const subscriber = streams.attach(
    streams.select(['a/0']),
    LATEST,
    { sink, bufferBytes: 1_000, now: () => world.clock.monotonicMs(), tally: world.tally },
    () => undefined,
  )
  await world.clock.advance(100)
  const before = sink.text
  subscriber.heartbeat(world.clock.monotonicMs())
  t.equal(sink.text, `${before}:\n\n`)
  world.publish('b/0', 'of no interest', 'nor this')
  await world.clock.advance(100)
  t.equal(sink.text, `${before}:\n\n`)
  subscriber.heartbeat(world.clock.monotonicMs())
  t.equal(sink.text, `${before}:\n\nid: 0.2.3\n\n`)
  await world.clock.advance(100)
  subscriber.heartbeat(world.clock.monotonicMs())
  t.equal(sink.text, `${before}:\n\nid: 0.2.3\n\n:\n\n`)
})

t.test('the last one to leave takes the taps along', async t => {
  const world = new ChannelWorld({ slots: 3 })
  const sinks = [world.connect(['a/*'], LATEST), world.connect(['a/*'], EARLIEST)]
  t.equal(world.taps.size, 3)
  sinks[0]!.destroy()
  t.equal(world.taps.size, 3)
  sinks[1]!.destroy()
  await world.clock.advance(10)
  t.same([world.taps.size, world.streams.channels, world.clock.timers], [0, 0, 0])
  const gone = new FakeSink()
  gone.destroy()
  world.connect(['a/*'], LATEST, gone)
  t.same([world.taps.size, world.streams.channels], [0, 0])
})

t.test('one subscriber that is level keeps no items', async t => {
  const world = new ChannelWorld()
  world.create('a/0')
  const sink = world.connect(['a/0'], LATEST)
  await world.clock.settle()
  for (let at = 1; at <= 20; at += 1) world.publish('a/0', `event ${at}`)
  await world.clock.advance(5)
  t.equal(told(sink).length, 20)
  const second = world.connect(['a/0'], cursorStart(sink.stream.messages[9]!.lastEventId))
  await world.clock.advance(5)
  t.equal(told(second).length, 10)
  t.ok(world.reads > 0)
})

t.test('patterns over too many slots are refused', async t => {
  const world = new ChannelWorld({ slots: LIMITS.MAX_STREAM_SLOTS + 1 })
  t.throws(() => world.streams.select(['a/*']), { code: 'INVALID_REQUEST', message: /name the topics/ })
  t.equal(world.streams.select(['a/0', 'b/1', 'a/0']).slots.length, 2)
})
