import t from 'tap'
import {
  type Anomaly,
  type AnomalyKind,
  type CheckOptions,
  checkHistory,
} from '../../scripts/lib/checker/check.ts'
import type { Operation } from '../../scripts/lib/checker/operations.ts'
import { barrier, DOCTORED, doctor, open } from './doctored.ts'
import { final, honest, placed, poll, send } from './histories.ts'

const KINDS: Readonly<Record<AnomalyKind, true>> = {
  'lost-write': true,
  unseen: true,
  unread: true,
  duplicate: true,
  'inconsistent-offsets': true,
  G1a: true,
  phantom: true,
  'poll-skip': true,
  'nonmonotonic-poll': true,
  'int-poll-skip': true,
  'int-nonmonotonic-poll': true,
  'nonmonotonic-send': true,
  'int-send-skip': true,
  'int-nonmonotonic-send': true,
  idempotency: true,
  'stale-read': true,
  'deleted-stays-deleted': true,
  'false-end': true,
  'replicas-differ': true,
}

const told = (anomalies: readonly Anomaly[]) => anomalies.map(({ kind, what }) => `${kind}: ${what}`)

t.test('an honest history with something of everything has no anomaly', async t => {
  t.same(told(checkHistory([...honest().values()])), [])
})

t.test('every kind is found, and nothing but it, in a history doctored for it', async t => {
  t.same(new Set(DOCTORED.map(({ kind }) => kind)), new Set(Object.keys(KINDS)), 'every kind has a history')
  for (const doctored of DOCTORED) {
    const anomalies = checkHistory(doctor(honest(), doctored))
    t.same(
      anomalies.map(({ kind }) => kind),
      [doctored.kind],
      `${doctored.kind}: ${doctored.how}; ${told(anomalies).join('; ')}`,
    )
    if (doctored.what) t.match(anomalies[0]?.what, doctored.what)
  }
})

t.test('what runs at the same time as a deletion may see either life', async t => {
  const anomalies = checkHistory(
    doctor(honest(), {
      kind: 'deleted-stays-deleted',
      how: '',
      change: { 'read gone': null },
      add: [
        'delete',
        send('q', 'churn', 'beside', 20.5, placed(2, 2)),
        open('w', 'churn', 20.5),
        poll('w', 'churn', 26, 2, [1, 'x'], [2, 'beside']),
        { kind: 'end', client: 'w', topic: 'churn', atMs: 27 },
        barrier('churn', 20.5, 2, 2),
        barrier('gone', 30, 3, 1),
      ],
    }),
  )
  t.same(told(anomalies), [])
})

t.test(
  'a stream of a replica that has not heard of the deletion is pardoned where that is allowed',
  async t => {
    const stale = DOCTORED.find(({ how }) => how === 'a stream opened later delivers it')!
    t.same(told(checkHistory(doctor(honest(), stale), { allowStaleStreams: true })), [])
  },
)

t.test('a head that is missing is lost where no retention takes events away', async t => {
  const beheaded = [
    send('p', 'a', 'x', 0, placed(1, 1)),
    send('p', 'a', 'y', 2, placed(1, 2)),
    final('000', 'a', 1, [[2, 'y']]),
  ]
  t.same(told(checkHistory(beheaded)), [])
  const anomalies = checkHistory(beheaded, { isTrimmed: () => false })
  t.same(
    anomalies.map(({ kind }) => kind),
    ['lost-write'],
    told(anomalies).join('; '),
  )
})

t.test('a stream that was told its place, and is given what follows, has all', async t => {
  const stream = { client: 'w', topic: 'keep' }
  const anomalies = checkHistory(
    doctor(honest(), {
      kind: 'unseen',
      how: '',
      change: {},
      add: [
        'send h',
        open('w', 'keep', 67),
        { kind: 'position', ...stream, atMs: 68, incarnation: 1, offset: 6 },
        poll('w', 'keep', 72, 1, [7, 'h']),
        open('late', 'keep', 67),
        { kind: 'position', ...stream, client: 'late', atMs: 71, incarnation: 1, offset: 7 },
        // It waits for an offset that is still to come.
        open('early', 'keep', 67),
      ],
    }),
  )
  t.same(told(anomalies), [])
})

t.test(
  'a deletion of unknown outcome may have ended a life at any moment after it was seen alive',
  async t => {
    const unknown = {
      kind: 'delete',
      client: 'c',
      topic: 'a',
      fromMs: 5,
      toMs: 6,
      outcome: 'unknown',
    } as const
    const gone = { kind: 'final', client: '000', topic: 'a', found: null } as const
    const lived = [send('p', 'a', 'x', 0, placed(1, 1)), unknown, send('p', 'a', 'y', 100, placed(1, 2))]
    t.same(told(checkHistory([...lived, gone])), [])
    const renewed = [...lived, send('p', 'a', 'z', 200, placed(2, 1))]
    t.same(told(checkHistory([...renewed, final('000', 'a', 2, [[1, 'z']])])), [])
    t.same(told(checkHistory([...renewed, { ...unknown, fromMs: 7, toMs: 8 }, gone])), [])
    // One that was acknowledged must have ended the second life: it came too late for the first one.
    const acknowledged = { ...unknown, fromMs: 300, toMs: 301, outcome: 'acknowledged' } as const
    t.same(told(checkHistory([...renewed, acknowledged, gone])), [])
    t.same(
      checkHistory([...renewed.filter(one => one !== unknown), acknowledged, gone]).map(({ what }) => what),
      ['x', 'y'].map((id, at) => {
        const place = `${id} was at ${at + 1}-1`
        return `a: ${place}; at the end 000 no longer has that life, and nobody can have deleted it`
      }),
    )
  },
)

t.test('final reads of every topic are expected where any was made, or where that is said', async t => {
  const topics = ['a', 'b'].map(topic => send('p', topic, 'x', 0, placed(1, 1)))
  const kinds = (operations: readonly Operation[], options: CheckOptions) =>
    checkHistory(operations, options).map(({ kind, what }) => `${kind} ${what[0]}`)
  t.same(kinds(topics, {}), [])
  t.same(kinds(topics, { expectFinals: true }), ['unread a', 'unread b'])
  const read = [...topics, final('000', 'a', 1, [[1, 'x']])]
  t.same(kinds(read, {}), ['unread b'])
  t.same(kinds(read, { expectFinals: false }), [])
  const refused = send('p', 'c', 'y', 0, { outcome: 'refused' })
  t.same(kinds([refused, send('p', 'd', 'z', 0, {})], { expectFinals: true }), [], 'nobody was told of it')
})

t.test('of many anomalies of a kind some are described and the others counted', async t => {
  const operations = Array.from({ length: 100 }, (_, i) => poll('s', 'a', i, 1, [1, 'x']))
  const anomalies = checkHistory([send('p', 'a', 'x', 0, placed(1, 1)), ...operations])
  t.equal(anomalies.length, 21)
  t.equal(anomalies.at(-1)?.what, 'and 79 more of these')
})

t.test('200,000 delivered events of a large history are checked', async t => {
  const operations: Operation[] = []
  for (let offset = 1; offset <= 20_000; offset += 1) {
    operations.push(send('p', 'a', `e${offset}`, offset, placed(1, offset)))
    for (let s = 0; s < 10; s += 1) operations.push(poll(`s${s}`, 'a', offset + 2, 1, [offset, `e${offset}`]))
  }
  t.same(told(checkHistory(operations)), [])
  operations.push(poll('s3', 'a', 30_000, 1, [20_002, 'e1']))
  t.same(new Set(checkHistory(operations).map(({ kind }) => kind)), new Set(['poll-skip', 'duplicate']))
})
