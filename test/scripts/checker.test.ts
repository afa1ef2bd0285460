import t from 'tap'
import { type Anomaly, type AnomalyKind, checkHistory } from '../../scripts/lib/checker/check.ts'
import type { Operation } from '../../scripts/lib/checker/operations.ts'
import { barrier, DOCTORED, doctor, open } from './doctored.ts'
import { final, honest, placed, poll, send } from './histories.ts'

const KINDS: Readonly<Record<AnomalyKind, true>> = {
  'lost-write': true,
  unseen: true,
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
