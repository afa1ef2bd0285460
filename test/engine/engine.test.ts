import t from 'tap'
import { SlotError } from '../../services/peer/engine/types.ts'
import type { SlotNotice } from '../../services/peer/topics/types.ts'
import { anyTime, Engines, text } from './engines.ts'

const THREE = ['00', '01', '10']

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    if (error instanceof SlotError) return error.failure
    throw error
  }
  return undefined
}

t.test(
  'the home of a founded slot is its first primary, and what is published is on every replica',
  async t => {
    const cube = new Engines(THREE)
    await cube.start()
    t.equal(cube.primary(), '00')
    t.match(await cube.append({ kind: 'create', topic: 'a', settings: anyTime }), {
      result: { kind: 'created', fresh: true },
    })
    const published = await cube.append({ kind: 'publish', topic: 'a', events: text('one', 'two') })
    t.match(published, { result: { kind: 'published', first: 1, last: 2, incarnation: 1 } })
    t.ok(published.replicas >= 2)
    await cube.clock.advance(200)
    for (const id of THREE) {
      const events = cube.peer(id).engine.read(0, 1, 1, 10, 1_000)
      t.same(
        events.map(event => [event.offset, new TextDecoder().decode(event.data)]),
        [
          [1, 'one'],
          [2, 'two'],
        ],
        id,
      )
    }
  },
)

t.test('an idle slot costs no messages', async t => {
  const cube = new Engines(THREE)
  await cube.start()
  cube.batches.clear()
  await cube.clock.advance(5_000)
  t.same([...cube.batches], [])
})

t.test(
  'one exchange per pair and interval, begun by one side, and fewer where no leadership stands between them',
  async t => {
    const cube = new Engines(THREE)
    await cube.start()
    cube.beats.clear()
    await cube.clock.advance(10_000)
    const beats = Object.fromEntries(cube.beats)
    t.same(Object.keys(beats).sort(), ['00>01', '00>10', '01>10'])
    for (const pair of ['00>01', '00>10'])
      t.ok(beats[pair]! >= 95 && beats[pair]! <= 101, `${pair} ${beats[pair]}`)
    t.ok(beats['01>10']! >= 15 && beats['01>10']! <= 18, `two followers: ${beats['01>10']}`)
  },
)

t.test('all that is proposed in one turn travels in one batch per peer', async t => {
  const cube = new Engines(THREE)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  await cube.clock.advance(500)
  cube.batches.clear()
  const all = Array.from({ length: 50 }, (_, at) =>
    cube.peer('00').engine.append(0, { kind: 'publish', topic: 'a', events: text(`${at}`) }, 1e9),
  )
  await cube.clock.advance(100)
  const offsets = (await Promise.all(all)).map(({ result }) =>
    result.kind === 'published' ? result.first : 0,
  )
  t.same(
    offsets,
    Array.from({ length: 50 }, (_, at) => at + 1),
  )
  t.ok(cube.batches.get('00>01')! <= 2, `entries, then the commit: ${cube.batches.get('00>01')}`)
})

t.test(
  'a crashed primary is replaced at once, nothing acknowledged is lost, and it reclaims its slot',
  async t => {
    const cube = new Engines(THREE)
    await cube.start()
    await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
    await cube.append({ kind: 'publish', topic: 'a', events: text('before') })
    const atMs = cube.clock.monotonicMs()
    cube.crash('00')
    while (cube.primary() === undefined) await cube.clock.advance(5)
    t.ok(cube.clock.monotonicMs() - atMs <= 100, `takeover after ${cube.clock.monotonicMs() - atMs} ms`)
    const second = await cube.append({ kind: 'publish', topic: 'a', events: text('between') })
    t.match(second, { result: { kind: 'published', first: 2 } })
    await cube.restart('00')
    await cube.clock.advance(3_000)
    t.equal(cube.primary(), '00', 'the home is primary again')
    t.match(await cube.append({ kind: 'publish', topic: 'a', events: text('after') }), {
      result: { first: 3 },
    })
    const kinds = cube.peer('01').events.map(event => event.kind)
    for (const kind of ['failed', 'takeover', 'rejoined', 'reclaimed'])
      t.ok(kinds.includes(kind as never), kind)
    t.same(cube.peer('00').fatal, [])
  },
)

t.test(
  'a silent primary is replaced after the election timeout and acknowledges nothing without a majority',
  async t => {
    const cube = new Engines(THREE)
    await cube.start()
    await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
    for (const link of ['00>01', '00>10', '01>00', '10>00']) cube.cut.add(link)
    const lonely = cube
      .peer('00')
      .engine.append(0, { kind: 'publish', topic: 'a', events: text('lonely') }, 1e9)
    lonely.catch(() => {})
    await cube.clock.advance(2_500)
    t.not(cube.primary(), '00')
    t.match(await failureOf(lonely), { kind: 'unknown' })
    t.match(await cube.append({ kind: 'publish', topic: 'a', events: text('majority') }), {
      result: { first: 1 },
    })
    cube.cut.clear()
    await cube.clock.advance(4_000)
    t.equal(cube.primary(), '00')
    const events = cube.peer('00').engine.read(0, 1, 1, 10, 1_000)
    t.same(
      events.map(event => new TextDecoder().decode(event.data)),
      ['majority'],
    )
  },
)

t.test('a retry under the same producer stamp is given the same answer, in flight and after', async t => {
  const cube = new Engines(THREE)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  const producer = { uid: 'p', boot: 1, sequence: 7, low: 7 }
  const request = { kind: 'publish', topic: 'a', events: text('once'), producer } as const
  const { engine } = cube.peer('00')
  const both = Promise.all([engine.append(0, request, 1e9), engine.append(0, request, 1e9)])
  await cube.clock.advance(100)
  const [first, again] = await both
  t.same(first?.result, again?.result)
  t.same((await cube.append(request)).result, first?.result)
  t.equal(cube.peer('00').engine.topic(0, 'a')?.latest, 1)
})

t.test('the same client key in flight is refused, afterwards answered', async t => {
  const cube = new Engines(THREE)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  const keyed = (sequence: number) =>
    ({
      kind: 'publish',
      topic: 'a',
      events: text('x'),
      clientKey: { key: 'k', payloadHash: 'h' },
      producer: { uid: 'p', boot: 1, sequence, low: 1 },
    }) as const
  const { engine } = cube.peer('00')
  const first = engine.append(0, keyed(1), 1e9)
  t.match(await failureOf(engine.append(0, keyed(2), 1e9)), { kind: 'refused', code: 'KEY_IN_FLIGHT' })
  await cube.clock.advance(100)
  t.match(await first, { result: { kind: 'published', first: 1 } })
  t.match(await cube.append(keyed(3)), { result: { kind: 'published', first: 1 } })
})

t.test('a publish to a topic that does not exist is refused without a log entry', async t => {
  const cube = new Engines(THREE)
  await cube.start()
  const before = cube.peer('00').engine.status(0).raft.lastIndex
  t.match(await cube.append({ kind: 'publish', topic: 'none', events: text('x') }), {
    result: { kind: 'refused', code: 'UNKNOWN_TOPIC' },
  })
  t.equal(cube.peer('00').engine.status(0).raft.lastIndex, before)
})

t.test('a replica says who is primary, a peer that is no replica that it is none', async t => {
  const cube = new Engines(['00', '01', '10', '11'])
  await cube.start()
  t.match(await failureOf(cube.append({ kind: 'delete', topic: 'a' }, '01')), {
    kind: 'notPrimary',
    primary: '00',
  })
  const stranger = THREE.concat('11').find(id => !cube.peer(id).engine.holds(0))!
  t.throws(() => cube.peer(stranger).engine.status(0), SlotError)
})

t.test('retention by count leaves the newest events on every replica', async t => {
  const cube = new Engines(THREE)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: { ...anyTime, maxEvents: 3 } })
  for (let at = 1; at <= 10; at++) await cube.append({ kind: 'publish', topic: 'a', events: text(`${at}`) })
  await cube.clock.advance(5_000)
  for (const id of THREE) {
    const { engine } = cube.peer(id)
    t.match(engine.topic(0, 'a'), { earliest: 8, latest: 10 })
    t.same(
      engine.read(0, 1, 1, 100, 10_000).map(event => event.offset),
      [8, 9, 10],
      id,
    )
  }
})

t.test('an offset is found by time', async t => {
  const cube = new Engines(THREE)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  const stamps: number[] = []
  for (let at = 0; at < 6; at++) {
    await cube.clock.advance(1_000)
    stamps.push(cube.clock.nowMs())
    await cube.append({ kind: 'publish', topic: 'a', events: text('x', 'y') })
  }
  const { engine } = cube.peer('00')
  t.equal(engine.offsetAt(0, 'a', 0), 1)
  t.equal(engine.offsetAt(0, 'a', stamps[2]!), 5)
  t.equal(engine.offsetAt(0, 'a', stamps[2]! + 500), 7)
  t.equal(engine.offsetAt(0, 'a', stamps[5]! + 60_000), 13)
})

t.test(
  'a replica that lags behind the log is brought level by a snapshot and tells its followers',
  async t => {
    const cube = new Engines(THREE)
    await cube.start()
    await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
    await cube.append({ kind: 'publish', topic: 'a', events: text('first') })
    cube.crash('10')
    const { engine } = cube.peer('00')
    for (let batch = 0; batch < 120; batch++) {
      const all = Array.from({ length: 100 }, (_, at) =>
        engine.append(0, { kind: 'publish', topic: 'a', events: text(`${batch}/${at}`.padEnd(400)) }, 1e9),
      )
      await cube.clock.advance(20)
      await Promise.all(all)
    }
    await cube.clock.advance(500)
    t.ok(cube.peer('00').store.log(0).firstIndex() > 100, 'the log is compacted')
    await cube.restart('10')
    const notices: SlotNotice['kind'][] = []
    cube.peer('10').engine.follow(0, notice => notices.push(notice.kind))
    await cube.clock.advance(10_000)
    t.same(cube.peer('10').fatal, [])
    t.equal(cube.peer('10').engine.topic(0, 'a')?.latest, 12_001)
    t.ok(notices.includes('restored'))
    const events = cube.peer('10').engine.read(0, 1, 1, 20_000, 1e9)
    t.equal(events.length, 12_001)
    t.same(events, engine.read(0, 1, 1, 20_000, 1e9))
  },
)

t.test('an acknowledged publish survives when all peers lose power at once', async t => {
  const cube = new Engines(THREE)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  for (let at = 1; at <= 20; at++) await cube.append({ kind: 'publish', topic: 'a', events: text(`${at}`) })
  for (const id of THREE) cube.crash(id)
  for (const id of THREE) await cube.restart(id)
  await cube.clock.advance(3_000)
  t.equal(cube.primary(), '00')
  await cube.append({ kind: 'publish', topic: 'a', events: text('21') })
  await cube.clock.advance(200)
  for (const id of THREE) {
    t.same(
      cube
        .peer(id)
        .engine.read(0, 1, 1, 100, 1e6)
        .map(event => new TextDecoder().decode(event.data)),
      Array.from({ length: 21 }, (_, at) => `${at + 1}`),
    )
  }
})

t.test('a peer that stops hands its slots over first', async t => {
  const cube = new Engines(THREE)
  await cube.start()
  const stopping = cube.peer('00').engine.stop()
  let isOver = false
  const again = cube
    .peer('00')
    .engine.stop()
    .then(() => {
      isOver = true
    })
  await cube.clock.settle()
  t.notOk(isOver, 'who asks a second time waits for it, too')
  await cube.clock.advance(300)
  await stopping
  await again
  cube.peer('00').alive = false
  t.not(cube.primary(), undefined)
  t.not(cube.primary(), '00')
})

t.test('a lone peer is a cube of one', async t => {
  const cube = new Engines(['0'], 4)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime }, '0', 3)
  t.match(await cube.append({ kind: 'publish', topic: 'a', events: text('x') }, '0', 3), { replicas: 1 })
  t.ok(cube.peer('0').engine.ready())
})
