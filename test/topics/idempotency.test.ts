import t from 'tap'
import { UNLIMITED } from '../../services/peer/topics/settings.ts'
import { Bench, stamp } from './kit.ts'

const KEY = { key: 'k', payloadHash: 'h' }

t.test('a key gives the first answer again and publishes nothing', async t => {
  const bench = new Bench()
  bench.create('a')
  const first = bench.publish('a', 'x', { clientKey: KEY })
  bench.timeMs += 10
  const again = bench.publish('a', 'x', { clientKey: KEY })
  t.same(again, { result: first.result, notices: [], duplicate: true })
  t.equal(bench.machine.topic('a')?.latest, 1)
})

t.test('a key with another payload is refused', async t => {
  const bench = new Bench()
  bench.create('a')
  bench.publish('a', 'x', { clientKey: KEY })
  const reused = bench.publish('a', 'y', { clientKey: { key: 'k', payloadHash: 'other' } })
  t.match(reused.result, { kind: 'refused', code: 'KEY_REUSED' })
  bench.create('b')
  t.match(bench.publish('b', 'y', { clientKey: KEY }).result, { first: 1 }, 'keys are per topic')
})

t.test('a refused publish leaves its key free', async t => {
  const bench = new Bench()
  bench.publish('a', 'x', { clientKey: KEY })
  bench.create('a')
  t.match(bench.publish('a', 'x', { clientKey: KEY }), { result: { first: 1 }, duplicate: false })
})

t.test('keys outlive the deletion of their topic', async t => {
  const bench = new Bench()
  bench.create('a')
  const first = bench.publish('a', 'x', { clientKey: KEY })
  bench.delete('a')
  t.same(bench.publish('a', 'x', { clientKey: KEY }).result, first.result)
  bench.create('a')
  t.same(bench.publish('a', 'x', { clientKey: KEY }).result, first.result)
  t.equal(bench.machine.topic('a')?.latest, 0)
})

t.test('keys are forgotten by age, whatever command comes', async t => {
  const bench = new Bench({ keyWindowMs: 100 })
  bench.create('a')
  bench.publish('a', 'x', { clientKey: KEY })
  bench.timeMs += 100
  bench.create('b')
  t.ok(bench.machine.keyHolds('a', 'k'), 'at the end of the window')
  bench.machine.drain()
  bench.timeMs += 1
  bench.create('c')
  t.equal(bench.machine.keyHolds('a', 'k'), undefined)
  t.same([...bench.machine.drain()!.keys], [['a\u0000k', null]])
})

t.test(
  'when the space of keys is full, keyed publishes are refused and no key is forgotten early',
  async t => {
    const bench = new Bench({ maxKeys: 2, keyWindowMs: 100 })
    bench.create('a')
    const publish = (key: string) => bench.publish('a', 'x', { clientKey: { key, payloadHash: 'h' } })
    publish('1')
    bench.timeMs += 50
    publish('2')
    t.match(publish('3').result, { kind: 'refused', code: 'KEY_SPACE_FULL' })
    t.match(publish('1'), { result: { first: 1 }, duplicate: true })
    t.match(bench.publish('a', 'x').result, { kind: 'published', first: 3 }, 'without a key it is taken')
    bench.timeMs += 51
    t.match(publish('3').result, { kind: 'published', first: 4 })
    t.match(publish('2').duplicate, true)
  },
)

t.test('many keys that grow old together are forgotten in slices', async t => {
  const bench = new Bench({ maxKeys: 1_000, keyWindowMs: 100 })
  bench.create('a')
  for (let key = 0; key < 200; key++)
    bench.publish('a', 'x', { clientKey: { key: `${key}`, payloadHash: 'h' } })
  bench.timeMs += 1_000
  const left = []
  for (let times = 0; times < 4; times++) {
    bench.publish('a', 'x')
    left.push(bench.machine.image().keys.length)
  }
  t.same(left, [136, 72, 8, 0])
})

t.test('a producer’s retry of any command is answered the same', async t => {
  const bench = new Bench()
  const commands = [
    () => bench.publish('a', 'x', { producer: stamp('p', 1) }),
    () => bench.create('a', UNLIMITED, stamp('p', 2)),
    () => bench.publish('a', ['x', 'y'], { producer: stamp('p', 3) }),
    () =>
      bench.apply({
        kind: 'configure',
        topic: 'a',
        settings: { maxEvents: 3 },
        timeMs: 1,
        producer: stamp('p', 4),
      }),
    () => bench.apply({ kind: 'delete', topic: 'a', timeMs: 1, producer: stamp('p', 5) }),
  ]
  const first = commands.map(command => command())
  t.same(
    first.map(applied => applied.result?.kind),
    ['refused', 'created', 'published', 'configured', 'deleted'],
  )
  const before = bench.machine.image()
  for (const [at, command] of commands.entries()) {
    t.same(command(), { result: first[at]?.result, notices: [], duplicate: true })
  }
  const after = bench.machine.image()
  t.same({ ...after, slot: { ...after.slot, appliedIndex: before.slot.appliedIndex } }, before)
})

t.test('answers below the producer’s low mark are forgotten and their requests stale', async t => {
  const bench = new Bench()
  bench.create('a')
  for (let sequence = 1; sequence <= 4; sequence++)
    bench.publish('a', 'x', { producer: stamp('p', sequence) })
  bench.publish('a', 'x', { producer: stamp('p', 5, 4) })
  t.match(bench.machine.image().producers, [
    {
      low: 4,
      results: [
        [4, {}],
        [5, {}],
      ],
    },
  ])
  const stale = { result: { kind: 'refused', code: 'STALE_PRODUCER' }, notices: [], duplicate: false }
  t.same(bench.publish('a', 'x', { producer: stamp('p', 3) }), stale)
  t.match(bench.publish('a', 'x', { producer: stamp('p', 4) }), { result: { first: 4 }, duplicate: true })
  t.same(bench.publish('a', 'x', { producer: stamp('p', 6, 7) }), stale, 'below its own mark')
  bench.publish('a', 'x', { producer: stamp('p', 6, 2) })
  t.match(bench.machine.image().producers, [{ low: 4 }], 'a late stamp does not lower it')
  bench.publish('a', 'x', { producer: stamp('p', 1_000_000, 1_000_000) })
  t.match(bench.machine.image().producers, [{ low: 1_000_000, results: [[1_000_000, {}]] }])
  t.equal(bench.machine.topic('a')?.latest, 7)
})

t.test('a request that was applied is known before it is proposed again', async t => {
  const bench = new Bench()
  bench.create('a', UNLIMITED, stamp('p', 2, 2))
  const remembers = (sequence: number, boot = 1) =>
    bench.machine.producerRemembers(stamp('p', sequence, 1, boot))
  t.same([remembers(1), remembers(2), remembers(3), remembers(2, 2)], [false, true, false, false])
})

t.test('requests may arrive in any order', async t => {
  const bench = new Bench()
  bench.create('a')
  t.match(bench.publish('a', 'x', { producer: stamp('p', 3) }).result, { first: 1 })
  t.match(bench.publish('a', 'x', { producer: stamp('p', 1) }).result, { first: 2 })
  t.match(bench.publish('a', 'x', { producer: stamp('p', 3) }), { result: { first: 1 }, duplicate: true })
  t.same(
    bench.machine.image().producers[0]?.results.map(([sequence]) => sequence),
    [1, 3],
  )
})

t.test('a restarted producer starts anew and its former life is stale', async t => {
  const bench = new Bench()
  bench.create('a')
  bench.publish('a', 'x', { producer: stamp('p', 7) })
  t.match(bench.publish('a', 'x', { producer: stamp('p', 7, 1, 2) }).result, { first: 2 })
  t.match(bench.publish('a', 'x', { producer: stamp('p', 8, 1, 1) }).result, { code: 'STALE_PRODUCER' })
  t.match(bench.machine.image().producers, [{ boot: 2, results: [[7, { first: 2 }]] }])
})

t.test('of too many producers the one longest unused is forgotten', async t => {
  const bench = new Bench({ maxProducers: 2 })
  bench.create('a')
  bench.publish('a', 'x', { producer: stamp('p', 1) })
  bench.publish('a', 'x', { producer: stamp('q', 1) })
  bench.publish('a', 'x', { producer: stamp('p', 2) })
  bench.machine.drain()
  bench.publish('a', 'x', { producer: stamp('r', 1) })
  t.same(
    bench.machine.image().producers.map(row => row.uid),
    ['p', 'r'],
  )
  t.equal(bench.machine.drain()?.producers.get('q'), null)
})

t.test('of too many unanswered requests the oldest is given up, so that it can never be doubled', async t => {
  const bench = new Bench({ maxProducerInflight: 2 })
  bench.create('a')
  for (const sequence of [2, 4, 6]) bench.publish('a', 'x', { producer: stamp('p', sequence) })
  t.match(bench.machine.image().producers, [
    {
      low: 3,
      results: [
        [4, {}],
        [6, {}],
      ],
    },
  ])
  t.match(bench.publish('a', 'x', { producer: stamp('p', 2) }).result, { code: 'STALE_PRODUCER' })
})

t.test('a client’s retry through another peer is remembered for that peer too', async t => {
  const bench = new Bench()
  bench.create('a')
  const first = bench.publish('a', 'x', { clientKey: KEY, producer: stamp('p', 1) })
  const second = bench.publish('a', 'x', { clientKey: KEY, producer: stamp('q', 1) })
  t.same([second.result, second.duplicate], [first.result, true])
  t.same(bench.machine.image().producers.find(row => row.uid === 'q')?.results, [[1, first.result]])
})
