import fc from 'fast-check'
import t from 'tap'
import { LIMITS } from '../../services/peer/limits.ts'
import type { Slice } from '../../services/peer/links/slot-operations.ts'
import type { SlotPosition } from '../../services/peer/topics/positions.ts'
import { matchesWant } from '../../services/peer/topics/wants.ts'
import { type PastEvent, SlotWorld } from './slot-world.ts'

const START: SlotPosition = { sequence: 0, index: 0 }

const sequencesOf = (slice: Slice) => slice.events.map(({ event }) => event.sequence)

t.test('the events of all wanted topics come in the slot’s order, with their topics', async t => {
  const world = new SlotWorld()
  for (const topic of ['a', 'b/1', 'b/2']) world.create(topic)
  world.publish('a', 2)
  world.publish('b/1', 1)
  world.publish('b/2', 2)
  world.publish('a', 1)
  const slice = world.read(['a', 'b/2'], START, 100)
  t.match(slice, { gaps: [], position: { sequence: 6, index: world.index }, latest: 6 })
  t.same(
    slice.events.map(({ topic, event }) => [topic, event.offset, event.sequence, event.incarnation]),
    [
      ['a', 1, 1, 1],
      ['a', 2, 2, 1],
      ['b/2', 1, 4, 3],
      ['b/2', 2, 5, 3],
      ['a', 3, 6, 1],
    ],
  )
  t.same(
    slice.events.map(({ event }) => Buffer.from(event.data).toString()),
    ['a 0', 'a 1', 'b/2 0', 'b/2 1', 'a 0'],
  )
  t.same(sequencesOf(world.read(['b/*'], START, 100)), [3, 4, 5])
  t.same(sequencesOf(world.read(['b/*'], { sequence: 4, index: 0 }, 100)), [5])
  t.same(world.read(['c'], START, 100), { ...slice, events: [] }, 'nothing is passed over in no time')
})

t.test('a slice ends within its bounds, and before the event that is beyond', async t => {
  const world = new SlotWorld()
  world.create('a')
  world.create('b')
  world.publish('a', 3)
  world.publish('b', 2)
  world.publish('a', 1)
  const full = world.read(['a'], START, 3)
  t.same([sequencesOf(full), full.position.sequence], [[1, 2, 3], 5], 'what is not wanted is passed')
  t.same(sequencesOf(world.read(['a'], START, 2)), [1, 2])
  t.same(sequencesOf(world.read(['a'], START, 100, 7)), [1, 2], 'three bytes each')
  const one = world.read(['a'], START, 0, 0)
  t.same([sequencesOf(one), one.position.sequence], [[1], 1], 'at least one')
})

t.test('a reading looks at a bounded number of runs, and the next one goes on there', async t => {
  const world = new SlotWorld()
  world.create('busy')
  world.create('a')
  const others = LIMITS.SLOT_READ_RUNS + 10
  for (let run = 0; run < others; run++) world.publish('busy', 1)
  world.publish('a', 1)
  const first = world.read(['**/a'], START, 100)
  t.same([first.events, first.position.sequence], [[], LIMITS.SLOT_READ_RUNS])
  t.equal(first.latest, others + 1)
  const second = world.read(['**/a'], first.position, 100)
  t.same([sequencesOf(second), second.position], [[others + 1], world.position])
  const byName = world.read(['a'], START, 100)
  t.same([sequencesOf(byName), byName.position], [[others + 1], world.position], 'a name is looked up')
})

t.test('runs of topics that are not wanted are not even looked into', async t => {
  const world = new SlotWorld()
  world.create('a')
  world.create('b')
  world.publish('b', 5)
  world.publish('a', 1)
  const looked: number[] = []
  const runData = world.store.runData.bind(world.store)
  world.store.runData = (slot, index) => {
    looked.push(index)
    return runData(slot, index)
  }
  t.same(sequencesOf(world.read(['a'], START, 100)), [6])
  t.same(looked, [4])
})

t.test('a gap is told where an event was trimmed that was not passed, and only there', async t => {
  const world = new SlotWorld()
  for (const topic of ['a', 'b']) {
    world.create(topic)
    world.publish(topic, 3)
  }
  const before = world.index
  world.trim('a', 2)
  const gaps = (wants: string[], sequence: number, index: number) =>
    world.read(wants, { sequence, index }, 100).gaps
  for (const wants of [['a', 'b'], ['**']]) {
    t.same(gaps(wants, 0, before), [{ topic: 'a', incarnation: 1, to: 2, index: world.index }])
    t.match(gaps(wants, 1, before), [{ topic: 'a', to: 2 }], 'one of them was passed')
    t.same(gaps(wants, 2, before), [], 'both were passed')
    t.same(gaps(wants, 0, world.index), [], 'it began when they were gone already')
  }
  t.same(gaps(['b'], 0, before), [])
  t.same(gaps(['b', '*/a'], 0, before), [])
  t.same(world.read(['a'], world.place(['a'], { kind: 'earliest' }).position, 100).gaps, [])
})

t.test('a stream begins where it is said to', async t => {
  const world = new SlotWorld()
  world.bench.timeMs = 50
  world.create('a')
  world.create('b')
  for (const [topic, timeMs] of [
    ['a', 100],
    ['b', 200],
    ['a', 300],
  ] as const) {
    world.bench.timeMs = timeMs
    world.publish(topic, 2)
  }
  const { index } = world
  const at = (sequence: number, tail: [number, number][] = []) => ({
    ...{ kind: 'placed', position: { sequence, index } },
    tail,
  })
  t.same(world.place(['a'], { kind: 'latest' }), at(6))
  t.same(world.place(['a'], { kind: 'earliest' }), at(0))
  const afterTime = (timeMs: number) => world.place(['a'], { kind: 'time', timeMs }).position.sequence
  t.same([0, 100, 101, 200, 300, 301].map(afterTime), [0, 0, 2, 2, 4, 6])
  const last = (wants: string[], count: number) => world.place(wants, { kind: 'last', count })
  t.same(last(['a'], 1), at(5, [[6, 300]]))
  t.same(
    last(['a'], 3),
    at(1, [
      [2, 100],
      [5, 300],
      [6, 300],
    ]),
  )
  t.same(last(['*'], 4).tail, [
    [3, 200],
    [4, 200],
    [5, 300],
    [6, 300],
  ])
  t.same(last(['a'], 0), at(6))
  t.same(last(['c'], 5), at(6), 'none is found')
  world.trim('a', 3)
  t.same(last(['a'], 9).tail, [[6, 300]], 'what is gone is not counted')
})

t.test('the last events are looked for in a bounded number of runs', async t => {
  const world = new SlotWorld()
  world.create('a')
  world.create('busy')
  world.publish('a', 1)
  world.publish('busy', 1)
  let runs = 0
  const [one] = world.store.runsFrom(3, 4, 1)
  world.store.runsBefore = (_slot, before, limit) => {
    runs += limit
    return Array.from({ length: limit }, (_, at) => ({ ...one!, logIndex: before - 1 - at }))
  }
  t.same(world.place(['**/a'], { kind: 'last', count: 1 }), {
    ...{ kind: 'placed', position: world.position },
    tail: [],
  })
  t.equal(runs, LIMITS.SLOT_LAST_RUNS)
  runs = 0
  const search = world.placing(['**/a'], { kind: 'last', count: 1 })
  let most = 0
  let pieces = 0
  for (let before = 0; !search.next().done; before = runs) {
    most = Math.max(most, runs - before)
    pieces += 1
  }
  t.equal(runs, LIMITS.SLOT_LAST_RUNS)
  t.equal(most, LIMITS.SLOT_LAST_RUNS_PER_TURN)
  t.equal(pieces, Math.floor(LIMITS.SLOT_LAST_RUNS / LIMITS.SLOT_LAST_RUNS_PER_TURN))
})

t.test('few events between many of others are found by their topic’s name, both ways', async t => {
  const world = new SlotWorld()
  for (const topic of ['a', 'b', 'busy']) world.create(topic)
  const expected: number[] = []
  for (const topic of ['a', 'b', 'a', 'c', 'b']) {
    for (let run = 0; run < 1_000; run++) world.publish('busy', 1)
    if (topic === 'c') continue
    world.publish(topic, 2)
    expected.push(world.position.sequence - 1, world.position.sequence)
  }
  const looked = { runs: 0, single: 0 }
  const { store } = world
  const [findRun, runsFrom, runsBefore] = [store.findRun, store.runsFrom, store.runsBefore]
  const counted = <T>(found: T[]): T[] => {
    looked.runs += found.length
    return found
  }
  store.findRun = (...asked) => {
    looked.single += 1
    return findRun.apply(store, asked)
  }
  store.runsFrom = (...asked) => counted(runsFrom.apply(store, asked))
  store.runsBefore = (...asked) => counted(runsBefore.apply(store, asked))
  const slice = world.read(['a', 'b', 'none'], START, 100)
  t.same([sequencesOf(slice), slice.position], [expected, world.position])
  const { tail } = world.place(['a', 'b', 'none'], { kind: 'last', count: 7 })
  t.same(
    tail.map(([sequence]) => sequence),
    expected.slice(1),
  )
  t.ok(looked.runs < 2_500, `${looked.runs} of 5,004 runs, twice`)
  t.ok(looked.single < 150, `and ${looked.single} looked up`)
})

const topic = fc.constantFrom('a', 'b/1', 'b/2')
const deed = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('publish'), topic, count: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('trim'), topic, count: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete'), topic, count: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep'), topic, count: fc.constant(0) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('read'), topic, count: fc.integer({ min: 1, max: 6 }) }),
  },
)
const wants = fc.constantFrom(['a'], ['a', 'b/1'], ['b/*'], ['**'], ['b/2', 'a', 'c'], ['c'])

t.test('in whatever steps it is read: what is kept, once, in order, and every gap', async t => {
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  fc.assert(
    fc.property(wants, fc.array(deed, { maxLength: 60, size: 'max' }), (wants, deeds) => {
      const world = new SlotWorld()
      for (const name of ['a', 'b/1', 'b/2']) world.create(name)
      let position = START
      const isWanted = ({ topic }: PastEvent) => wants.some(want => matchesWant(want, topic))
      const read = (maxEvents: number) => {
        const slice = world.read(wants, position, maxEvents)
        checkSlice(world, world.history.filter(isWanted), position, slice, maxEvents)
        position = slice.position
      }
      for (const { kind, topic, count } of deeds) {
        world.bench.timeMs += count
        if (kind === 'publish') world.publish(topic, count)
        else if (kind === 'trim') world.trim(topic, count)
        else if (kind === 'sweep') world.sweep()
        else if (kind === 'read') read(count)
        else {
          world.delete(topic)
          world.create(topic)
        }
        checkLast(world, wants, world.history.filter(isWanted), count)
        checkTime(world, world.bench.timeMs - count)
      }
      while (position.sequence < world.position.sequence) read(2)
      read(2)
    }),
    { seed, numRuns: 300 },
  )
  t.pass('held')
})

function checkSlice(
  world: SlotWorld,
  wanted: readonly PastEvent[],
  from: SlotPosition,
  { events, gaps, position, latest }: Slice,
  maxEvents: number,
): void {
  const fail = (what: string) => {
    throw new Error(`${what}: ${JSON.stringify({ from, events, gaps, position, latest, wanted })}`)
  }
  if (latest !== world.position.sequence || position.index !== world.index) fail('not where it is')
  if (position.sequence < from.sequence || position.sequence > latest) fail('went astray')
  if (position.sequence === from.sequence && latest > from.sequence) fail('did not go on')
  if (events.length > maxEvents) fail('too many events')
  const due = wanted.filter(({ sequence, trimmed, isGone }) => {
    return !trimmed && !isGone && sequence > from.sequence && sequence <= position.sequence
  })
  const told = events.map(({ topic, event }) => [topic, event.incarnation, event.offset, event.sequence])
  const expected = due.map(event => [event.topic, event.incarnation, event.offset, event.sequence])
  if (JSON.stringify(told) !== JSON.stringify(expected)) fail('other events than are kept')
  const lost = wanted.filter(({ sequence, trimmed = 0, isGone }) => {
    return !isGone && trimmed > from.index && sequence > from.sequence
  })
  const ends = new Map(lost.map(({ topic, offset }) => [topic, offset]))
  if (JSON.stringify(gaps.map(({ topic, to }) => [topic, to]).sort()) !== JSON.stringify([...ends].sort()))
    fail('other gaps than there are')
}

function checkLast(world: SlotWorld, wants: readonly string[], wanted: readonly PastEvent[], count: number) {
  const kept = wanted.filter(({ trimmed, isGone }) => !trimmed && !isGone)
  const expected = count === 0 ? [] : kept.slice(-count).map(({ sequence, timeMs }) => [sequence, timeMs])
  const { tail, position } = world.place(wants, { kind: 'last', count })
  if (JSON.stringify(tail) !== JSON.stringify(expected)) throw new Error(`the last ${count}: ${tail}`)
  const before = tail[0] === undefined ? world.position.sequence : tail[0][0] - 1
  if (position.sequence !== before || position.index !== world.index) throw new Error('another place')
}

function checkTime(world: SlotWorld, timeMs: number): void {
  const { sequence } = world.place(['a'], { kind: 'time', timeMs }).position
  const isWrong = (event: PastEvent) => event.timeMs >= timeMs !== event.sequence > sequence
  const wrong = world.history.find(event => !event.trimmed && !event.isGone && isWrong(event))
  if (wrong !== undefined)
    throw new Error(`${wrong.sequence} of ${wrong.timeMs} for ${timeMs} at ${sequence}`)
}
