import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import { FakeSink } from './sink.ts'
import { TOPIC, World } from './world.ts'

const LATEST = { kind: 'latest' } as const
const EARLIEST = { kind: 'earliest' } as const

function data(sink: FakeSink): string[] {
  return sink.stream.messages.map(message => message.data)
}

t.test('a stream on the wire, byte by byte', async t => {
  const world = new World()
  world.create()
  world.publish('before')
  const sink = await world.connect('000', LATEST)
  world.publish('one', 'two')
  await world.clock.settle()
  world.commit({ kind: 'delete' })
  world.level()
  await world.clock.advance(2)
  t.equal(
    sink.text,
    'id: 1-1\n\nretry: 500\n\n' +
      'id: 2-1\ndata: one\n\nid: 3-1\ndata: two\n\n' +
      'event: end\nid: 3-1\ndata: {"reason":"deleted"}\n\n',
  )
  t.ok(sink.ended)
})

t.test('a stream that saw nothing yet resumes where it began', async t => {
  const world = new World()
  world.create()
  const first = await world.connect('000', LATEST)
  first.destroy()
  world.publish('missed')
  t.equal(first.stream.lastEventId, '0-1')
  const second = await world.connect('001', { kind: 'cursor', offset: 0, incarnation: 1 })
  t.same(data(second), ['missed'])
})

t.test('1,000 subscribers that are level get one write each per flush, of the same bytes', async t => {
  const world = new World()
  world.create()
  const sinks: FakeSink[] = []
  for (let count = 0; count < 1_000; count += 1) sinks.push(new FakeSink())
  for (const sink of sinks) {
    const opened = await world
      .hub('000')
      .open({ topic: TOPIC, start: LATEST, named: false, format: 'plain' }, 1e12)
    if (opened.kind === 'open') opened.attach(sink)
  }
  const before = sinks[0]!.writes
  for (let count = 0; count < 50; count += 1) world.publish(`event ${count}`)
  await world.clock.settle()
  t.ok(sinks.every(sink => sink.writes === before + 1))
  t.equal(new Set(sinks.map(sink => sink.chunks.at(-1))).size, 1)
  t.equal(world.hub('000').stats().deliveries, 50_000)
  t.equal(world.hub('000').stats().streams, 1_000)
})

t.test('under load flushes are at least flushMs apart; idle there is no timer but the pulse', async t => {
  const world = new World()
  world.create()
  const sink = await world.connect('000', LATEST)
  const pulse = world.clock.timers
  t.equal(pulse, 2, 'that of the clients, and that of the slots')
  const before = sink.writes
  world.publish('a')
  await world.clock.settle()
  world.publish('b')
  await world.clock.settle()
  world.publish('c')
  await world.clock.settle()
  t.equal(sink.writes, before + 1, 'the second waits')
  await world.clock.advance(2)
  t.equal(sink.writes, before + 2, 'and leaves with the third')
  t.same(data(sink), ['a', 'b', 'c'])
  t.equal(world.clock.timers, pulse)
  sink.destroy()
  t.equal(world.clock.timers, 0)
})

t.test('heartbeats are comments, and only where nothing else was written', async t => {
  const world = new World({ heartbeatMs: 1_000 })
  world.create()
  const sink = await world.connect('000', LATEST)
  await world.clock.advance(5_000)
  t.ok(sink.stream.comments.length >= 5, `${sink.stream.comments.length} in 5 s`)
  t.ok(sink.stream.comments.length <= 10)
  t.same(sink.stream.messages, [])
})

t.test('a subscriber over its buffer is not fed, and is level again from the log', async t => {
  const world = new World({ bounds: { bufferBytes: 200, ringEvents: 5, replayEvents: 7 } })
  world.create()
  const sink = await world.connect('000', LATEST)
  sink.stop()
  for (let count = 1; count <= 100; count += 1) {
    world.publish(`event ${count}`)
    await world.clock.advance(5)
  }
  t.ok(sink.writableLength < 400, `${sink.writableLength} bytes wait`)
  sink.resume()
  await world.clock.advance(100)
  t.same(
    data(sink),
    Array.from({ length: 100 }, (_, at) => `event ${at + 1}`),
  )
  world.publish('live again')
  await world.clock.advance(10)
  t.equal(data(sink).at(-1), 'live again')
})

t.test('a burst beyond the ring reaches level subscribers from the log, by one read for all', async t => {
  const world = new World({ bounds: { ringEvents: 10, replayEvents: 100 } })
  world.create()
  const sinks = [await world.connect('000', LATEST), await world.connect('000', LATEST)]
  const reads = world.replica('000').reads
  world.publish(...Array.from({ length: 60 }, (_, at) => `event ${at}`))
  await world.clock.advance(10)
  for (const sink of sinks) t.equal(data(sink).length, 60)
  t.equal(world.replica('000').reads - reads, 1)
})

t.test('only a socket that takes nothing for the set time is closed', async t => {
  const world = new World({ stallTimeoutMs: 10_000 })
  world.create()
  const stuck = await world.connect('000', LATEST)
  const slow = await world.connect('000', LATEST)
  const idle = await world.connect('000', LATEST)
  for (const sink of [stuck, slow]) sink.stop()
  for (let second = 0; second < 20; second += 1) {
    world.publish(`event ${second}`)
    slow.take()
    await world.clock.advance(1_000)
  }
  t.ok(stuck.destroyed)
  t.notOk(slow.destroyed)
  t.notOk(idle.destroyed)
  t.equal(world.hub('000').stats().streams, 2)
})

t.test('a long history does not hold up live streams', async t => {
  const world = new World({ bounds: { replayEvents: 10 } })
  world.create()
  world.publish(...Array.from({ length: 1_000 }, (_, at) => `old ${at}`))
  const live = await world.connect('000', LATEST)
  const opened = await world
    .hub('000')
    .open({ topic: TOPIC, start: EARLIEST, named: false, format: 'plain' }, 1e12)
  const behind = new FakeSink()
  if (opened.kind === 'open') opened.attach(behind)
  world.publish('now')
  let seenWhileBehind = 0
  const write = live.write.bind(live)
  live.write = chunk => {
    seenWhileBehind = data(behind).length
    return write(chunk)
  }
  await world.clock.advance(10)
  t.ok(seenWhileBehind < 100, `live after ${seenWhileBehind} replayed`)
  t.equal(data(behind).length, 1_001)
})

t.test('a deleted topic’s events that a slow subscriber did not get are announced as a gap', async t => {
  const world = new World({ bounds: { bufferBytes: 50, ringEvents: 3 } })
  world.create()
  const sink = await world.connect('000', LATEST)
  sink.stop()
  for (let count = 1; count <= 10; count += 1) {
    world.publish(`event ${count}`)
    await world.clock.advance(5)
  }
  world.commit({ kind: 'delete' })
  world.level()
  await world.clock.advance(5)
  sink.resume()
  await world.clock.advance(5)
  const gap = sink.stream.messages.find(message => message.type === 'gap')
  const { from, to } = JSON.parse(gap!.data)
  const offsets = sink.stream.messages.filter(message => message.type === 'message').map(m => m.lastEventId)
  t.same(
    offsets,
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].filter(n => n < from || n > to).map(n => `${n}-1`),
  )
  t.equal(sink.stream.messages.at(-1)?.type, 'end')
  t.equal(sink.stream.lastEventId, '10-1')
})

t.test('more streams than the bound are refused, and a stopping peer refuses all', async t => {
  const world = new World()
  world.create()
  const hub = world.hub('000')
  const options = { topic: TOPIC, start: LATEST, named: false, format: 'plain' } as const
  const opened = await hub.open(options, 1e12)
  if (opened.kind === 'ended') throw new Error('ended')
  for (let count = 0; count < LIMITS.MAX_STREAMS; count += 1) opened.attach(new FakeSink())
  await t.rejects(hub.open(options, 1e12), { code: 'OVERLOADED' })
  const closing = hub.close()
  await t.rejects(hub.open(options, 1e12), { code: 'STOPPING' })
  await closing
  t.equal(hub.stats().streams, 0)
})

t.test('a stream takes its place when it is asked for, and gives it back when it does not begin', async t => {
  const world = new World()
  world.create()
  const hub = world.hub('000')
  const options = { topic: TOPIC, start: LATEST, named: false, format: 'plain' } as const
  const several = { wants: [TOPIC], start: LATEST } as const
  const first = await hub.open(options, 1e12)
  if (first.kind === 'ended') throw new Error('ended')
  for (let count = 1; count < LIMITS.MAX_STREAMS; count += 1) first.attach(new FakeSink())
  const asked = [hub.open(options, 1e12), hub.openSeveral(several), hub.open(options, 1e12)]
  const settled = await Promise.allSettled(asked)
  t.match(settled, [
    { status: 'fulfilled' },
    { status: 'rejected', reason: { code: 'OVERLOADED' } },
    { status: 'rejected', reason: { code: 'OVERLOADED' } },
  ])
  const opened = await asked[0]!
  await t.rejects(hub.openSeveral(several), { code: 'OVERLOADED' })
  if (opened.kind === 'open') opened.abandon()
  for (let count = 0; count < 3; count += 1) {
    await t.rejects(hub.open({ ...options, topic: 'unknown' }, 1e12), { code: 'UNKNOWN_TOPIC' })
  }
  const last = await hub.open(options, 1e12)
  if (last.kind === 'open') last.attach(new FakeSink())
  t.equal(hub.stats().streams, LIMITS.MAX_STREAMS)
  await hub.close()
})

t.test(
  'close ends every stream, drops the sockets that do not take the rest, and leaves no timer',
  async t => {
    const world = new World()
    world.create()
    const quick = await world.connect('000', LATEST)
    const stuck = await world.connect('000', LATEST)
    stuck.stop()
    world.publish('x')
    await world.clock.settle()
    const closing = world.hub('000').close()
    t.ok(quick.ended)
    t.notOk(stuck.destroyed)
    await world.clock.advance(LIMITS.STREAM_CLOSE_MS)
    await closing
    t.ok(stuck.destroyed)
    t.equal(world.clock.timers, 0)
    t.equal(world.replica('000').listeners, 0)
  },
)
