import t from 'tap'
import { Cluster, logOf, type Start } from './cluster.ts'
import { preVoteFrom, sent } from './messages.ts'

t.test('to ask for pre-votes changes neither term nor vote (thesis 9.6)', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.tick(1)
  t.match(cluster.status(1), { role: 'preCandidate', term: 0 })
  t.same(cluster.host(1).disk.hardState, { term: 0, vote: 0, commit: 0 })
  t.end()
})

t.test('to grant a pre-vote changes neither term nor vote, and several may be granted (thesis 9.6)', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.deliver(preVoteFrom(2, 1, 7))
  cluster.deliver(preVoteFrom(3, 1, 8))
  t.same(cluster.status(1).term, 0)
  t.same(
    sent(cluster, 'preVoteResponse').map(({ to, term, granted }) => [to, term, granted]),
    [
      [2, 7, true],
      [3, 8, true],
    ],
    'the answers name the term asked about',
  )
  t.end()
})

t.test('a member that was cut off comes back in the old term and disturbs nobody (thesis 9.6)', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  cluster.isolate(3)
  cluster.run(100)
  t.equal(cluster.status(3).term, 1)
  cluster.heal()
  cluster.run(5)
  t.match(cluster.status(1), { role: 'leader', term: 1 })
  t.match(cluster.status(3), { role: 'follower', term: 1, leader: 1 })
  t.end()
})

t.test('no pre-vote for a log that ends earlier', t => {
  const cluster = new Cluster([1, 2, 3], {}, new Map([[1, { entries: logOf(1, 2) }]]))
  cluster.deliver(preVoteFrom(2, 1, 3, 5, 1))
  cluster.deliver(preVoteFrom(3, 1, 3, 2, 2))
  t.same(
    sent(cluster, 'preVoteResponse').map(({ granted, term }) => [granted, term]),
    [
      [false, 2],
      [true, 3],
    ],
    'a refusal names the own term',
  )
  t.end()
})

t.test('the higher term of a granted pre-vote is not adopted, that of a refusal is', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.tick(1)
  cluster.deliver({ type: 'preVoteResponse', from: 2, to: 1, term: 9, granted: true })
  t.match(cluster.status(1), { role: 'preCandidate', term: 0 })
  cluster.deliver({ type: 'preVoteResponse', from: 2, to: 1, term: 9, granted: false })
  t.match(cluster.status(1), { role: 'follower', term: 9 })
  t.end()
})

t.test('late pre-votes of an earlier term elect nobody', t => {
  const cluster = new Cluster(
    [1, 2, 3],
    {},
    new Map([[1, { hardState: { term: 4, vote: 0, commit: 0 }, entries: [] }]]),
  )
  cluster.tick(1)
  for (const term of [3, 4]) cluster.deliver({ type: 'preVoteResponse', from: 2, to: 1, term, granted: true })
  t.match(cluster.status(1), { role: 'preCandidate', term: 4 })
  cluster.deliver({ type: 'preVoteResponse', from: 2, to: 1, term: 5, granted: true })
  t.match(cluster.status(1), { role: 'candidate', term: 5 })
  t.end()
})

t.test('a member with a higher term and a shorter log does not stop the others from electing a leader', t => {
  const longer: Start = { entries: logOf(1, 1) }
  const starts = new Map<number, Start>([
    [1, { hardState: { term: 9, vote: 0, commit: 0 }, entries: logOf(1) }],
    [2, longer],
    [3, longer],
  ])
  const cluster = new Cluster([1, 2, 3], {}, starts)
  cluster.run(40)
  t.ok([2, 3].includes(cluster.leader!.number))
  t.equal(cluster.status(1).leader, cluster.leader!.number)
  t.end()
})
