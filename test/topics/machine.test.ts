import t from 'tap'
import { emptyImage, eventSizeBytes, SlotMachine } from '../../services/peer/topics/machine.ts'
import { UNLIMITED } from '../../services/peer/topics/settings.ts'
import { Bench, LIMITS, text } from './kit.ts'

t.test('a created topic starts at offset 1 and each life of a name has its own incarnation', async t => {
  const bench = new Bench()
  const first = bench.create('a')
  t.match(first.result, {
    kind: 'created',
    fresh: true,
    topic: { incarnation: 1, earliest: 1, latest: 0, bytes: 0 },
  })
  t.match(first.notices, [{ kind: 'created', topic: { name: 'a', createdMs: 1_000 } }])
  bench.create('b')
  t.match(bench.delete('a').result, { kind: 'deleted', incarnation: 1, latest: 0 })
  t.match(bench.create('a').result, { fresh: true, topic: { incarnation: 3 } })
  t.match(bench.publish('a', 'x').result, { first: 1, last: 1, incarnation: 3 })
})

t.test('creating again is no change with the same settings and refused with others', async t => {
  const bench = new Bench()
  bench.create('a')
  bench.publish('a', 'x')
  const again = bench.create('a')
  t.match(again, {
    result: { kind: 'created', fresh: false, topic: { latest: 1 } },
    notices: [],
    duplicate: false,
  })
  const other = bench.create('a', { ...UNLIMITED, maxEvents: 1 })
  t.match(other, { result: { kind: 'refused', code: 'TOPIC_EXISTS' }, notices: [] })
})

t.test('a slot holds a bounded number of topics', async t => {
  const bench = new Bench({ maxTopics: 2 })
  bench.create('a')
  bench.create('b')
  t.match(bench.create('c').result, { kind: 'refused', code: 'TOO_MANY_TOPICS' })
  t.match(bench.create('b').result, { kind: 'created', fresh: false })
  bench.delete('a')
  t.match(bench.create('c').result, { kind: 'created', fresh: true })
})

t.test('configure changes what it names and tells it once', async t => {
  const bench = new Bench()
  bench.create('a', { ...UNLIMITED, maxEvents: 5 })
  const configure = (settings: object) => bench.apply({ kind: 'configure', topic: 'a', settings, timeMs: 1 })
  const settings = { maxAgeMs: 9, maxEvents: 5, maxBytes: null }
  t.match(configure({ maxAgeMs: 9 }), { result: { kind: 'configured', topic: { settings } } })
  t.same(configure({ maxAgeMs: 9 }).notices, [])
  t.match(bench.machine.topic('a')?.settings, settings)
  const unknown = bench.apply({ kind: 'configure', topic: 'z', settings: {}, timeMs: 1 })
  t.match(unknown.result, { kind: 'refused', code: 'UNKNOWN_TOPIC' })
})

t.test('offsets are dense per topic, sequences per slot, and a batch is one run', async t => {
  const bench = new Bench()
  bench.create('a')
  bench.create('b')
  t.match(bench.publish('a', 'x').result, { kind: 'published', first: 1, last: 1, sequence: 1 })
  t.match(bench.publish('b', ['x', 'yz']).result, { first: 1, last: 2, sequence: 2 })
  const applied = bench.publish('a', ['p', 'qr', 'stu'])
  t.match(applied.result, { first: 2, last: 4, sequence: 4 })
  const run = { logIndex: 5, incarnation: 1, first: 2, count: 3, sequence: 4, timeMs: 1_000, bytes: 6 }
  t.same(applied.notices, [{ kind: 'published', topic: 'a', run, events: ['p', 'qr', 'stu'].map(text) }])
  t.match(bench.machine.topic('a'), { earliest: 1, latest: 4, bytes: 7 })
  t.equal(bench.machine.slot.sequence, 6)
})

t.test('an event counts with its data and its attributes', async t => {
  t.equal(
    eventSizeBytes({ ...text('1234'), id: 'i', type: 't', attributes: { source: '/s', x: 'yz' } }),
    4 + 8 + 3,
  )
})

t.test('stamps never go back', async t => {
  const bench = new Bench()
  bench.create('a')
  bench.timeMs = 5_000
  bench.publish('a', 'x')
  bench.timeMs = 4_000
  t.match(bench.publish('a', 'y').result, { timeMs: 5_000 })
  t.equal(bench.machine.slot.timeMs, 5_000)
})

t.test('an unknown topic takes nothing', async t => {
  const bench = new Bench()
  for (const applied of [bench.publish('a', 'x'), bench.delete('a'), bench.trim('a', 1, 2, 0)]) {
    t.same(applied, { result: { kind: 'refused', code: 'UNKNOWN_TOPIC' }, notices: [], duplicate: false })
  }
  t.equal(bench.machine.slot.sequence, 0)
})

t.test('a publish of no events publishes none', async t => {
  const bench = new Bench()
  bench.create('a')
  const applied = bench.publish('a', [], { clientKey: { key: 'k', payloadHash: 'h' } })
  t.match(applied, { result: { first: 1, last: 0 }, notices: [] })
  t.equal(bench.machine.keyHolds('a', 'k'), undefined)
  t.same(bench.machine.drain()?.runs, [])
})

t.test('a trim moves the first kept offset, never back and never past the end', async t => {
  const bench = new Bench()
  bench.create('a')
  bench.publish('a', ['12', '34', '56'])
  const applied = bench.trim('a', 1, 3, 4)
  t.match(applied.result, { kind: 'trimmed', earliest: 3 })
  t.match(applied.notices, [{ kind: 'trimmed', topic: { earliest: 3, latest: 3, bytes: 2 } }])
  t.same(bench.trim('a', 1, 2, 1), {
    result: { kind: 'trimmed', earliest: 3 },
    notices: [],
    duplicate: false,
  })
  t.same(bench.trim('a', 7, 4, 1).notices, [], 'another incarnation')
  t.match(bench.machine.topic('a'), { bytes: 2 })
  t.match(bench.trim('a', 1, 100, 1).result, { earliest: 4 })
  t.match(bench.machine.topic('a'), { earliest: 4, latest: 3, bytes: 0 })
  t.match(bench.publish('a', 'x').result, { first: 4 })
})

t.test('a row says which event was trimmed last and by which entry, as long as its life lasts', async t => {
  const bench = new Bench()
  const floor = () => bench.machine.topic('a')?.floor
  bench.create('a')
  bench.publish('b', 'refused')
  bench.publish('a', ['1', '2', '3'])
  t.equal(floor(), undefined)
  bench.trim('a', 1, 3, 2, 2)
  t.same(floor(), { sequence: 2, index: 4 })
  bench.trim('a', 1, 2, 1, 1)
  t.same(floor(), { sequence: 2, index: 4 }, 'a trim that takes nothing says nothing')
  bench.publish('a', ['4', '5'])
  bench.apply({ kind: 'configure', topic: 'a', settings: { maxEvents: 5 }, timeMs: 1 })
  t.same(floor(), { sequence: 2, index: 4 })
  bench.trim('a', 1, 4, 1)
  t.same(floor(), { sequence: 5, index: 8 }, 'what an older program does not say may be all there is')
  bench.delete('a')
  bench.create('a')
  t.equal(floor(), undefined, 'the next life lost nothing')
})

t.test('topics with a newer trim are found among many, also after a restart', async t => {
  const bench = new Bench()
  for (const name of ['a', 'b', 'c']) {
    bench.create(name)
    bench.publish(name, ['1', '2'])
  }
  const names = (machine: SlotMachine, index: number, isMeant = (_: string) => true) =>
    machine.topicsTrimmedBehind(index, isMeant).map(({ name }) => name)
  t.same(names(bench.machine, 0), [])
  bench.trim('b', 2, 2, 1, 3)
  bench.trim('a', 1, 2, 1, 1)
  for (const machine of [bench.machine, new SlotMachine(bench.machine.image(), LIMITS)]) {
    t.same(names(machine, 0), ['a', 'b'])
    t.same(names(machine, 6), ['a', 'b'])
    t.same(names(machine, 7), ['a'])
    t.same(names(machine, 8), [])
    t.same(
      names(machine, 6, name => name === 'b'),
      ['b'],
    )
  }
  bench.delete('a')
  t.same(names(bench.machine, 6), ['b'])
})

t.test('a trim that counts too many bytes leaves none, never less', async t => {
  const bench = new Bench()
  bench.create('a')
  bench.publish('a', ['12', '34'])
  bench.trim('a', 1, 2, 100)
  t.match(bench.machine.topic('a'), { earliest: 2, latest: 2, bytes: 0 })
})

t.test('entries are applied one after the other and none twice', async t => {
  const machine = new SlotMachine(emptyImage(), LIMITS)
  machine.apply(1, 1, null)
  t.throws(() => machine.apply(1, 1, null), /entry 1 applied where 2 was due/)
  t.throws(() => machine.apply(3, 1, null), /entry 3 applied where 2 was due/)
  t.match(machine.apply(2, 4, null), { result: undefined, notices: [], duplicate: false })
  t.match(machine.slot, { appliedIndex: 2, appliedTerm: 4, timeMs: 0 })
})

t.test('a drain holds each changed row once, and nothing the second time', async t => {
  const bench = new Bench()
  t.equal(bench.machine.drain(), undefined)
  bench.create('a')
  bench.create('gone')
  bench.publish('a', 'x')
  bench.publish('a', 'y')
  bench.trim('a', 1, 2, 1)
  bench.trim('a', 1, 3, 1)
  bench.delete('gone')
  const changes = bench.machine.drain()
  t.equal(changes?.slot.appliedIndex, 7)
  t.match(
    [...changes!.topics],
    [
      ['a', { latest: 2, earliest: 3 }],
      ['gone', null],
    ],
  )
  t.match(changes?.runs, [{ logIndex: 3 }, { logIndex: 4 }])
  t.same(changes?.trims, [
    { incarnation: 1, before: 3 },
    { incarnation: 2, before: Number.POSITIVE_INFINITY },
  ])
  t.equal(bench.machine.drain(), undefined)

  bench.apply(null)
  const idle = bench.machine.drain()
  t.equal(idle?.slot.appliedIndex, 8)
  t.same(
    [idle?.topics.size, idle?.keys.size, idle?.producers.size, idle?.runs, idle?.trims],
    [0, 0, 0, [], []],
  )
})

t.test('topics are listed by name in pages', async t => {
  const bench = new Bench()
  for (const name of ['b', 'Z', 'ä', 'a', 'aa', '😀']) bench.create(name)
  bench.delete('aa')
  const names = (after: string, limit: number) => bench.machine.topics(after, limit).map(row => row.name)
  t.same(names('', 10), ['Z', 'a', 'b', 'ä', '😀'])
  t.same(names('', 2), ['Z', 'a'])
  t.same(names('a', 2), ['b', 'ä'])
  t.same(names('aa', 1), ['b'])
  t.same(names('😀', 5), [])
  t.same(names('', 0), [])
})
