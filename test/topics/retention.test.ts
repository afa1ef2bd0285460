import fc from 'fast-check'
import t from 'tap'
import { planTrim, type RunReader } from '../../services/peer/topics/retention.ts'
import type { Run, TopicRow, TopicSettings } from '../../services/peer/topics/types.ts'
import { Bench } from './kit.ts'

/** Events of other topics before those of the topic. */
const OTHERS = 100
const NONE: TopicSettings = { maxAgeMs: null, maxEvents: null, maxBytes: null }

/** Runs of [count, bytes, timeMs] each, as a topic and the reader of its runs. */
function topicOf(settings: Partial<TopicSettings>, shape: [count: number, bytes: number, timeMs: number][]) {
  const runs: Run[] = []
  let latest = 0
  for (const [count, bytes, timeMs] of shape) {
    const logIndex = runs.length + 1
    const sequence = OTHERS + latest + 1
    runs.push({ logIndex, incarnation: 1, first: latest + 1, count, sequence, timeMs, bytes })
    latest += count
  }
  const bytes = runs.reduce((sum, run) => sum + run.bytes, 0)
  const named = { name: 'a', incarnation: 1, settings: { ...NONE, ...settings } }
  const topic: TopicRow = { ...named, earliest: 1, latest, bytes, createdMs: 0 }
  const read: RunReader = (offset, limit) =>
    runs.filter(run => run.first + run.count > offset).slice(0, limit)
  return { topic, runs, read }
}

t.test('a topic without limits keeps everything and reads nothing', async t => {
  const { topic } = topicOf({}, [[1, 1, 0]])
  t.equal(
    planTrim(topic, 1e12, () => t.fail('nothing to read') as never, 10),
    undefined,
  )
})

t.test('runs leave when they are older than the age', async t => {
  const { topic, read } = topicOf({ maxAgeMs: 100 }, [
    [2, 20, 0],
    [1, 5, 50],
    [1, 5, 100],
  ])
  t.equal(planTrim(topic, 100, read, 10), undefined)
  t.same(planTrim(topic, 101, read, 10), { before: 3, bytes: 20, sequence: 102 })
  t.same(planTrim(topic, 151, read, 10), { before: 4, bytes: 25, sequence: 103 })
  t.same(planTrim(topic, 1_000, read, 10), { before: 5, bytes: 30, sequence: 104 })
})

t.test('the oldest runs leave while there are too many bytes, the newest never', async t => {
  const shape: [number, number, number][] = [
    [1, 10, 0],
    [1, 10, 0],
    [1, 10, 0],
  ]
  for (const [maxBytes, expected] of [
    [30, undefined],
    [29, { before: 2, bytes: 10, sequence: 101 }],
    [20, { before: 2, bytes: 10, sequence: 101 }],
    [10, { before: 3, bytes: 20, sequence: 102 }],
    [1, { before: 3, bytes: 20, sequence: 102 }],
  ] as const) {
    const { topic, read } = topicOf({ maxBytes }, shape)
    t.same(planTrim(topic, 0, read, 10), expected, `maxBytes ${maxBytes}`)
  }
})

t.test('the number of events is exact; a cut run’s bytes leave with its last event', async t => {
  const { topic, read } = topicOf({ maxEvents: 4 }, [
    [3, 30, 0],
    [3, 30, 0],
  ])
  t.same(planTrim(topic, 0, read, 10), { before: 3, bytes: 0, sequence: 102 })
  const cut = { ...topic, earliest: 3 }
  t.equal(planTrim(cut, 0, read, 10), undefined)
  t.same(planTrim({ ...cut, settings: { ...NONE, maxEvents: 3 } }, 0, read, 10), {
    before: 4,
    bytes: 30,
    sequence: 103,
  })
  t.same(planTrim({ ...cut, settings: { ...NONE, maxEvents: 2 } }, 0, read, 10), {
    before: 5,
    bytes: 30,
    sequence: 104,
  })
})

t.test('one plan covers a bounded number of runs, the next goes on', async t => {
  const { topic, read } = topicOf(
    { maxEvents: 1 },
    Array.from({ length: 100 }, () => [1, 1, 0]),
  )
  t.same(planTrim(topic, 0, read, 70), { before: 71, bytes: 70, sequence: 170 })
  t.same(planTrim({ ...topic, earliest: 71, bytes: 30 }, 0, read, 70), {
    before: 100,
    bytes: 29,
    sequence: 199,
  })
})

t.test('an empty topic has nothing to lose', async t => {
  const { topic, read } = topicOf({ maxAgeMs: 1, maxEvents: 1, maxBytes: 1 }, [])
  t.equal(planTrim(topic, 1e12, read, 10), undefined)
})

t.test('applied again and again, the plans leave exactly what the settings allow', async t => {
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  const limit = (max: number) => fc.option(fc.integer({ min: 1, max }), { nil: null })
  const settings = fc.record({ maxAgeMs: limit(60), maxEvents: limit(40), maxBytes: limit(60) })
  const step = fc.record({ count: fc.integer({ min: 1, max: 5 }), size: fc.nat(4), pauseMs: fc.nat(10) })
  fc.assert(
    fc.property(
      settings,
      fc.array(step, { maxLength: 30 }),
      fc.integer({ min: 1, max: 5 }),
      (settings, steps, max) => {
        const bench = new Bench()
        bench.create('a', settings)
        bench.create('b')
        const runs: Run[] = []
        const read: RunReader = (offset, limit) =>
          runs.filter(run => run.first + run.count > offset).slice(0, limit)
        for (const { count, size, pauseMs } of steps) {
          bench.timeMs += pauseMs
          bench.publish('b', 'beside it')
          bench.publish(
            'a',
            Array.from({ length: count }, () => 'x'.repeat(size)),
          )
          runs.push(...bench.machine.drain()!.runs.filter(({ incarnation }) => incarnation === 1))
          for (;;) {
            const trim = planTrim(bench.machine.topic('a')!, bench.timeMs, read, max)
            if (trim === undefined) break
            bench.trim('a', 1, trim.before, trim.bytes, trim.sequence)
            const last = runs.findLast(run => run.first < trim.before)!
            if (trim.sequence !== last.sequence + trim.before - 1 - last.first)
              throw new Error('wrong sequence')
          }
          checkKept(bench.machine.topic('a')!, runs, bench.timeMs)
        }
      },
    ),
    { seed, numRuns: 300 },
  )
  t.pass('held')
})

function checkKept(topic: TopicRow, runs: readonly Run[], nowMs: number): void {
  const kept = runs.filter(run => run.first + run.count > topic.earliest)
  const { maxAgeMs, maxBytes, maxEvents } = topic.settings
  const bytes = kept.reduce((sum, run) => sum + run.bytes, 0)
  if (topic.bytes !== bytes) throw new Error(`${topic.bytes} bytes said, ${bytes} kept`)
  if (maxEvents !== null && topic.latest - topic.earliest >= maxEvents) throw new Error('too many events')
  if (maxBytes !== null && kept.length > 1 && bytes > maxBytes) throw new Error('too many bytes')
  if (maxAgeMs !== null && kept.some(run => run.timeMs < nowMs - maxAgeMs)) throw new Error('too old')
  const gone = runs[runs.length - kept.length - 1]
  if (gone === undefined) return
  const isOld = maxAgeMs !== null && gone.timeMs < nowMs - maxAgeMs
  const isMany = maxEvents !== null && topic.latest - (gone.first + gone.count - 1) >= maxEvents
  const isHeavy = maxBytes !== null && bytes + gone.bytes > maxBytes
  if (!isOld && !isMany && !isHeavy) throw new Error('trimmed without need')
}
