import t from 'tap'
import { Cluster } from './cluster.ts'

t.test('a leader that no majority answers for an election timeout steps down (thesis 6.2)', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  cluster.run(3)
  cluster.isolate(1)
  cluster.tick(1, 9)
  t.equal(cluster.status(1).role, 'leader')
  cluster.tick(1)
  t.match(cluster.status(1), { role: 'follower', leader: 0, term: 1 })
  t.equal(cluster.propose(1, 'x'), 'notLeader')
  t.end()
})

t.test('a leader that a majority answers stays, whoever else is silent', t => {
  const cluster = new Cluster([1, 2, 3, 4, 5])
  cluster.elect(1)
  cluster.host(4).crash()
  cluster.host(5).crash()
  cluster.run(100)
  t.match(cluster.status(1), { role: 'leader', term: 1 })
  t.same(
    [2, 3, 4, 5].map(number => cluster.status(1).progress.get(number)!.recentActive),
    [true, true, false, false],
  )
  t.end()
})

t.test('a leader whose messages arrive but are not answered steps down', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  cluster.lose = message => message.to === 1
  cluster.run(10)
  t.not(cluster.status(1).role, 'leader')
  t.end()
})

t.test('a leader that is heard, and hears, but cannot send to a majority steps down', t => {
  const cluster = new Cluster([1, 2, 3, 4])
  cluster.elect(1)
  cluster.run(3)
  // Followers that are not where their leader looks for them ask it for its heartbeats, and answer these.
  cluster.lose = ({ from, to, type }) => {
    if (from !== 1 || type !== 'append' || to < 3) return false
    cluster.node(1).unreachable(to)
    return true
  }
  cluster.propose(1, 'x')
  cluster.run(9)
  t.equal(cluster.status(1).role, 'leader', 'a lost message alone takes no office')
  t.match(cluster.status(1).progress.get(3), { state: 'probe', recentActive: true })
  cluster.run(20)
  t.not(cluster.status(1).role, 'leader')
  t.end()
})

t.test('a follower that messages were lost to counts again when it answers one', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  cluster.host(3).crash()
  cluster.node(1).unreachable(2)
  cluster.run(100)
  t.match(cluster.status(1), { role: 'leader', term: 1 })
  t.end()
})

t.test('a lone voter stays leader', t => {
  const cluster = new Cluster([1])
  cluster.run(100)
  t.match(cluster.status(1), { role: 'leader', term: 1 })
  t.end()
})

t.test('a leader with a lower term than a follower steps down, and the cluster has a leader again', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  cluster.node(3).step({ type: 'voteResponse', from: 2, to: 3, term: 9, granted: false })
  cluster.run(30)
  t.ok(cluster.leader!.status.term > 9)
  for (const number of [1, 2, 3]) t.equal(cluster.status(number).leader, cluster.leader!.number)
  t.end()
})
