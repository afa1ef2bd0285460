import t from 'tap'
import { FORMAT } from '../../services/peer/engine/formats.ts'
import { SlotError } from '../../services/peer/engine/types.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import { withLimits } from '../support/limits.ts'
import { anyTime, Engines, text } from './engines.ts'

const THREE = ['00', '01', '10']

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    if (error instanceof SlotError && error.failure.kind === 'refused') return error.failure.code
    throw error
  }
  return undefined
}

t.test('below its disk reserve a primary takes no event, and goes on to trim and to delete', async t => {
  const cube = new Engines(THREE, 1, { diskReserveBytes: 1_000_000 })
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: { ...anyTime, maxEvents: 3 } })
  await cube.append({ kind: 'create', topic: 'b', settings: anyTime })
  await cube.append({ kind: 'publish', topic: 'a', events: text(...'123456789') })
  const { disk, engine } = cube.peer('00')
  disk.capacityBytes = disk.space().usedBytes + 500_000
  await cube.clock.advance(1_100)
  t.equal(await codeOf(cube.append({ kind: 'publish', topic: 'a', events: text('x') })), 'DISK_FULL')
  t.equal(await codeOf(cube.append({ kind: 'create', topic: 'c', settings: anyTime })), 'DISK_FULL')
  await cube.append({ kind: 'delete', topic: 'b' })
  await cube.append({ kind: 'configure', topic: 'a', settings: { maxEvents: 2 } })
  await cube.clock.advance(3_000)
  t.equal(engine.topic(0, 'b'), undefined)
  t.match(engine.topic(0, 'a'), { earliest: 8, latest: 9 })
})

t.test('a bad record found while trimming takes its slot out of service, and nothing else', async t => {
  const cube = new Engines(['0'], 2)
  await cube.start()
  for (const slot of [0, 1]) {
    await cube.append(
      { kind: 'create', topic: 'a', settings: { maxAgeMs: 60_000, maxEvents: null, maxBytes: null } },
      '0',
      slot,
    )
    await cube.append({ kind: 'publish', topic: 'a', events: text('x') }, '0', slot)
  }
  await cube.clock.advance(500)
  cube.crash('0')
  // Runs of slot 0: read by nobody before retention looks at them.
  const spoil = (key: string) => key.startsWith('r\u0000\u0000')
  t.equal(
    cube.peer('0').disk.corrupt(spoil, value => value.fill(7, 5)),
    1,
  )
  await cube.restart('0')
  await cube.clock.advance(3_000)
  const { engine, fatal } = cube.peer('0')
  t.same(fatal, [])
  t.same(engine.held, [1, 2], 'the other slot and the roster’s')
  t.match(await cube.append({ kind: 'publish', topic: 'a', events: text('y') }, '0', 1), {
    result: { first: 2 },
  })
})

t.test('a bad record found while sweeping takes its slot out of service, and nothing else', async t => {
  const cube = new Engines(['0'], 2)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime }, '0', 0)
  await cube.append({ kind: 'publish', topic: 'a', events: text('x') }, '0', 0)
  await cube.clock.advance(500)
  cube.crash('0')
  const spoil = (key: string) => key.startsWith('o\u0000\u0000')
  t.equal(
    cube.peer('0').disk.corrupt(spoil, value => value.fill(7, 5)),
    1,
  )
  await cube.restart('0')
  await cube.clock.advance(300)
  await cube.append({ kind: 'delete', topic: 'a' }, '0', 0)
  await cube.clock.advance(3_000)
  t.same(cube.peer('0').fatal, [])
  t.same(cube.peer('0').engine.held, [1, 2], 'the other slot and the roster’s')
})

t.test('a key is remembered for the window by every clock within the skew bound', async t => {
  // Minutes of virtual time take seconds.
  withLimits(t, { KEY_WINDOW_MS: 20_000 })
  const cube = new Engines(THREE)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  const keyed = {
    kind: 'publish',
    topic: 'a',
    events: text('x'),
    clientKey: { key: 'k', payloadHash: 'h' },
  } as const
  cube.skewMs.set('00', -4_900)
  t.match(await cube.append(keyed), { result: { first: 1 } })
  cube.skewMs.set('00', 4_900)
  await cube.clock.advance(LIMITS.KEY_WINDOW_MS - 1_000)
  t.match(await cube.append(keyed), { result: { first: 1 } })
})

t.test('retention keeps up with a busy topic: trims and sweeps go on until nothing is left', async t => {
  const cube = new Engines(THREE)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: { ...anyTime, maxEvents: 10 } })
  const { engine, store } = cube.peer('00')
  const all = Array.from({ length: 4_000 }, (_, at) =>
    engine.append(0, { kind: 'publish', topic: 'a', events: text(`${at}`) }, 1e9),
  )
  await cube.clock.advance(500)
  await Promise.all(all)
  await cube.clock.advance(2_500)
  t.equal(engine.topic(0, 'a')?.earliest, 3_991)
  t.equal(store.runsAfter(0, 0, 1e9, 1e9).length, 10, 'runs left on the disk')
})

t.test('a trim says how far it gets as soon as every peer knows that', async t => {
  const cube = new Engines(THREE)
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: { ...anyTime, maxEvents: 2 } })
  await cube.append({ kind: 'create', topic: 'b', settings: anyTime })
  const publish = async (data: string) => {
    await cube.append({ kind: 'publish', topic: 'a', events: text(...data) })
    await cube.append({ kind: 'publish', topic: 'b', events: text('beside it') })
    await cube.clock.advance(3_000)
  }
  const rows = () => THREE.map(id => cube.peer(id).engine.topic(0, 'a'))
  const each = <T>(row: T) => THREE.map(() => row)
  await publish('1234')
  t.match(rows(), each({ earliest: 3, floor: { sequence: 5 } }), 'only that it was at most the last one')
  for (const uid of THREE.map(id => `uid-${id}`)) {
    const change = { kind: 'format', uid, format: FORMAT, by: 'test', why: 'upgraded' } as const
    await cube.append({ kind: 'roster', change }, cube.primary(1), 1)
  }
  const { index } = cube.peer('00').engine.position(0)
  await publish('56')
  t.match(rows(), each({ earliest: 5, floor: { sequence: 4 } }), 'the fourth event of the topic')
  for (const id of THREE) {
    const read = (sequence: number) => cube.peer(id).engine.readSlot(0, ['a'], { sequence, index }, 10, 1_000)
    t.match(read(3).gaps, [{ topic: 'a', incarnation: 1, to: 4 }])
    t.same(read(4).gaps, [], 'it was passed')
    t.same(
      read(4).events.map(({ event }) => [event.offset, event.sequence]),
      [
        [5, 6],
        [6, 7],
      ],
    )
    t.same(read(4).position, cube.peer(id).engine.position(0))
    const placed = cube.peer(id).engine.placeSlot(0, ['a'], { kind: 'last', count: 1 })
    await cube.clock.advance(1)
    t.match(await placed, { tail: [[7]] })
  }
})

t.test('the reserve is not overrun between two looks at the disk', async t => {
  const cube = new Engines(['0'], 1, { diskReserveBytes: 1_000_000 })
  await cube.start()
  await cube.append({ kind: 'create', topic: 'a', settings: anyTime })
  const { disk } = cube.peer('0')
  disk.capacityBytes = disk.space().usedBytes + 3_000_000
  await cube.clock.advance(1_100)
  const atMs = cube.clock.monotonicMs()
  let taken = 0
  for (; taken < 30; taken++) {
    const publish = cube.append({ kind: 'publish', topic: 'a', events: text('x'.repeat(100_000)) })
    if ((await codeOf(publish)) === 'DISK_FULL') break
  }
  t.ok(taken >= 5 && taken <= 20, `${taken} events of 0.1 MB taken`)
  t.ok(cube.clock.monotonicMs() - atMs < 900, 'before the disk was looked at again')
  t.same(cube.peer('0').fatal, [])
})
