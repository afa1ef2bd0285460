import t from 'tap'
import type { CubeEvent, SlotLogs } from '../services/peer/engine/types.ts'
import { PeerJournal } from '../services/peer/journal.ts'
import { LIMITS } from '../services/peer/limits.ts'
import type { SlotNotice, TopicRow } from '../services/peer/topics/types.ts'

type Line = { level: string; message: string } & Record<string, unknown>

/** A journal over slots that the test speaks for, with a clock it moves. */
function setUp() {
  const lines: Line[] = []
  const write = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, message, ...fields })
  const log = { debug: write('debug'), info: write('info'), warn: write('warn') }
  const followers = new Map<number, (notice: SlotNotice) => void>()
  let tellCube: ((event: CubeEvent) => void) | undefined
  const slots: Pick<SlotLogs, 'held' | 'follow' | 'onCubeEvent'> = {
    held: [3, 11],
    follow: (slot, listener) => {
      followers.set(slot, listener)
      return () => followers.delete(slot)
    },
    onCubeEvent: listener => {
      tellCube = listener
      return () => {
        tellCube = undefined
      }
    },
  }
  const timers = new Set<() => void>()
  const clock = {
    after: (_delayMs: number, run: () => void) => {
      timers.add(run)
      return () => timers.delete(run)
    },
  }
  const journal = new PeerJournal({ log, slots: () => slots as SlotLogs, clock })
  journal.start()
  return {
    journal,
    lines,
    followers,
    notice: (slot: number, notice: SlotNotice) => followers.get(slot)!(notice),
    cube: (event: CubeEvent) => tellCube?.(event),
    minute: () => {
      for (const run of [...timers]) {
        timers.delete(run)
        run()
      }
    },
    timers,
  }
}

function row(name: string): TopicRow {
  const settings = { maxAgeMs: null, maxEvents: null, maxBytes: null }
  return { name, incarnation: 1, settings, earliest: 1, latest: 0, bytes: 0, createdMs: 0 }
}

function published(topic: string, first: number, count: number): SlotNotice {
  const run = {
    logIndex: first + 1,
    incarnation: 1,
    first,
    count,
    sequence: first,
    timeMs: 0,
    bytes: 10 * count,
  }
  return { kind: 'published', topic, run, events: [] }
}

t.test('a slot that comes here is followed from then on, also when it comes again', t => {
  const { followers, cube, lines, notice } = setUp()
  const moved = (kind: 'arrived' | 'departed') => cube({ kind, slot: 7, peer: '000', timeMs: 1 })
  moved('arrived')
  notice(7, { kind: 'created', topic: row('a') })
  moved('departed')
  followers.delete(7)
  moved('arrived')
  notice(7, { kind: 'created', topic: row('b') })
  t.same(
    lines.map(({ event, topic }) => topic ?? event),
    ['arrived', 'a', 'departed', 'arrived', 'b'],
  )
  t.end()
})

t.test('topics created, changed and deleted are logged as they happen', async t => {
  const { notice, lines } = setUp()
  notice(3, { kind: 'created', topic: row('sports') })
  notice(3, { kind: 'configured', topic: row('sports') })
  notice(3, { kind: 'deleted', topic: 'sports', incarnation: 1, latest: 7, index: 9 })
  t.match(lines, [
    { level: 'info', event: 'topic-created', topic: 'sports', slot: 3 },
    { level: 'info', event: 'topic-configured', topic: 'sports' },
    { level: 'info', event: 'topic-deleted', topic: 'sports', latest: 7 },
  ])
})

t.test('each publish is logged at debug level, and once a minute per topic in sum', async t => {
  const { notice, lines, minute } = setUp()
  notice(3, published('sports', 1, 1))
  notice(3, published('sports', 2, 3))
  notice(11, published('news', 1, 1))
  t.match(lines, [
    { level: 'debug', event: 'publish', topic: 'sports', offset: 1, count: 1, bytes: 10 },
    {},
    {},
  ])
  lines.length = 0
  minute()
  t.match(lines, [
    {
      level: 'info',
      event: 'publishes',
      topics: {
        sports: { publishes: 2, events: 4, bytes: 40 },
        news: { publishes: 1, events: 1, bytes: 10 },
      },
    },
  ])
  lines.length = 0
  minute()
  t.same(lines, [], 'a quiet minute has no summary')
})

t.test('heartbeats are summed per peer', async t => {
  const { journal, lines, minute } = setUp()
  journal.beat('001', true)
  journal.beat('001', false)
  journal.beat('010', true)
  minute()
  t.match(lines, [
    { event: 'heartbeats', peers: { '001': { sent: 2, failed: 1 }, '010': { sent: 1, failed: 0 } } },
  ])
})

t.test('suspicion and failure are warnings, what else happens to the cube is information', async t => {
  const { cube, lines } = setUp()
  cube({ timeMs: 1, kind: 'suspected', peer: '110', why: 'silent' })
  cube({ timeMs: 2, kind: 'failed', peer: '110', why: 'refused' })
  cube({ timeMs: 3, kind: 'takeover', slot: 30, peer: '010', from: '110', term: 5 })
  cube({ timeMs: 4, kind: 'rejoined', peer: '110', why: 'answered' })
  cube({ timeMs: 5, kind: 'reclaimed', slot: 30, peer: '110', term: 6 })
  cube({ timeMs: 6, kind: 'moving', peer: '000', slots: 3, bytes: 5_000 })
  t.match(lines, [
    { level: 'warn', event: 'suspected', who: '110' },
    { level: 'warn', event: 'failed', who: '110', why: 'refused' },
    { level: 'info', event: 'takeover', who: '010', slot: 30, from: '110' },
    { level: 'info', event: 'rejoined' },
    { level: 'info', event: 'reclaimed', term: 6 },
    { level: 'info', event: 'moving', who: '000', slots: 3, bytes: 5_000 },
  ])
})

t.test('the summary names a bounded number of topics and sums up the rest', async t => {
  const { notice, lines, journal } = setUp()
  for (let topic = 0; topic < LIMITS.MAX_SUMMARY_TOPICS + 5; topic += 1)
    notice(3, published(`t${topic}`, 1, 1))
  journal.summarize()
  const summary = lines.at(-1) as unknown as { topics: object; others: object }
  t.equal(Object.keys(summary.topics).length, LIMITS.MAX_SUMMARY_TOPICS)
  t.match(summary.others, { publishes: 5, events: 5 })
})

t.test('closing writes the last summary and lets go of everything', async t => {
  const { notice, journal, lines, followers, timers } = setUp()
  notice(3, published('sports', 1, 1))
  journal.close()
  t.match(lines.at(-1), { event: 'publishes' })
  t.equal(followers.size, 0)
  t.equal(timers.size, 0)
})
