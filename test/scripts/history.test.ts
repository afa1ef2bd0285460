import t from 'tap'
import { History, longestGapMs, quantile } from '../../scripts/lib/history.ts'

/** A history in which `a`, `b`, `c` were acknowledged at 1, 2, 3. */
function acknowledged(): History {
  const history = new History()
  for (const [index, payload] of ['a', 'b', 'c'].entries()) {
    const ms = 100 * index
    history.published({ payload, outcome: 'acknowledged', offset: index + 1, sentMs: ms, answeredMs: ms })
  }
  return history
}

function deliver(history: History, ...events: [offset: number, payload: string][]): string[] {
  for (const [offset, payload] of events) history.delivered('s', { offset, payload })
  return history.check(['s'])
}

t.test('a history in which all is well has no violation', async t => {
  t.same(deliver(acknowledged(), [1, 'a'], [2, 'b'], [3, 'c']), [])
})

t.test('a subscriber that began later need not have what was before', async t => {
  const history = acknowledged()
  history.delivered('s', { offset: 3, payload: 'c' })
  t.same(history.check(['s'], 3), [])
})

t.test('a loss, a hole, a double, a wrong order and a wrong payload are each found', async t => {
  t.match(deliver(acknowledged(), [1, 'a'], [2, 'b']), [/^unseen: .*c \(3-1\)/])
  t.match(deliver(acknowledged(), [1, 'a'], [3, 'c']), [/^poll-skip: .*c at 3-1.*2-1 was next/])
  t.match(deliver(acknowledged(), [1, 'a'], [1, 'a'], [2, 'b'], [3, 'c']), [
    /^nonmonotonic-poll: .*a at 1-1.*2-1 was next/,
  ])
  t.match(deliver(acknowledged(), [1, 'a'], [3, 'c'], [2, 'b']), [
    /^poll-skip: .*2-1 was next/,
    /^nonmonotonic-poll: .*4-1 was next/,
  ])
  t.match(deliver(acknowledged(), [1, 'a'], [2, 'x'], [3, 'c']), [/^inconsistent-offsets: .*x where b is/])
})

t.test('one event at two offsets and two events at one offset are found', async t => {
  t.match(deliver(acknowledged(), [1, 'a'], [2, 'b'], [3, 'c'], [4, 'a']), [
    /^duplicate: .*has a .*also at 1-1/,
  ])
  const history = acknowledged()
  history.published({ payload: 'd', outcome: 'acknowledged', offset: 3, sentMs: 150, answeredMs: 250 })
  t.match(deliver(history, [1, 'a'], [2, 'b'], [3, 'c']), [/^inconsistent-offsets: .*d where c is/])
})

t.test('what was refused must not appear, what is unknown may', async t => {
  const history = acknowledged()
  history.published({ payload: 'no', outcome: 'refused', sentMs: 0, answeredMs: 0 })
  history.published({ payload: 'perhaps', outcome: 'unknown', sentMs: 0, answeredMs: 0 })
  t.match(deliver(history, [1, 'a'], [2, 'b'], [3, 'c'], [4, 'perhaps'], [5, 'no']), [
    /^G1a: .*has no .*was refused/,
  ])
})

t.test('the longest gap is that between two acknowledgements that touch the time asked for', async t => {
  const history = acknowledged()
  history.published({ payload: 'late', outcome: 'acknowledged', offset: 4, sentMs: 0, answeredMs: 900 })
  t.equal(longestGapMs(history, 0, 150), 100)
  t.equal(longestGapMs(history, 150, 300), 700)
  t.equal(longestGapMs(history, 1_000, 2_000), 0)
})

t.test('quantiles are by the nearest rank', async t => {
  t.equal(quantile([5, 1, 3], 0.5), 3)
  t.equal(quantile([4, 1, 3, 2], 0.5), 2)
  t.equal(quantile([1, 2, 3], 0.99), 3)
  t.ok(Number.isNaN(quantile([], 0.5)))
})
