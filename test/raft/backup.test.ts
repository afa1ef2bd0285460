import t from 'tap'
import { Cluster, logOf, type Start } from './cluster.ts'

/** Appends that a leader with `leader` as its log sends until a follower with `follower` is level. */
function rounds(leader: number[], follower: number[]): number {
  const term = Math.max(...leader, ...follower)
  const start = (...terms: number[]): Start => ({
    hardState: { term, vote: 0, commit: 0 },
    entries: logOf(...terms),
  })
  const cluster = new Cluster(
    [1, 2, 3],
    {},
    new Map([
      [1, start(...leader)],
      [2, start(...follower)],
      [3, start()],
    ]),
  )
  let appends = 0
  cluster.onSend = message => {
    if (message.type === 'append' && message.to === 2 && cluster.status(1).progress.get(2)!.state === 'probe')
      appends++
  }
  cluster.elect(1)
  cluster.settle()
  if (cluster.status(1).progress.get(2)!.match !== leader.length + 1)
    throw new Error('the follower is not level')
  return appends
}

const times = (count: number, term: number): number[] => Array.from({ length: count }, () => term)

t.test('a follower with a short log is level after one refusal (paper 5.3)', t => {
  t.equal(rounds(times(100, 1), times(3, 1)), 2)
  t.end()
})

t.test(
  'a follower with many entries of a term the leader does not know is level after one refusal (paper 5.3)',
  t => {
    t.equal(rounds([1, 1, ...times(50, 4)], [1, 1, ...times(100, 3)]), 2)
    t.end()
  },
)

t.test("a follower whose terms are above and below the leader's skips one term a round (paper 5.3)", t => {
  t.equal(
    rounds([1, ...times(30, 4), ...times(30, 6)], [1, ...times(20, 2), ...times(20, 3), ...times(30, 5)]),
    3,
  )
  t.end()
})

t.test('a level follower costs one append', t => {
  t.equal(rounds([1, 2, 3], [1, 2, 3]), 1)
  t.end()
})
