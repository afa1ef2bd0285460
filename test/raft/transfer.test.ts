import t from 'tap'
import { Cluster } from './cluster.ts'
import { sent } from './messages.ts'

function led(): Cluster {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  cluster.settle()
  return cluster
}

t.test('leadership goes to a level voter at once, in one term (thesis 3.10)', t => {
  const cluster = led()
  cluster.node(1).transferLeadership(3)
  cluster.settle()
  t.match(cluster.status(3), { role: 'leader', term: 2 })
  for (const number of [1, 2]) t.match(cluster.status(number), { role: 'follower', leader: 3, transferee: 0 })
  t.end()
})

t.test('a voter that lags is brought level first (thesis 3.10)', t => {
  const cluster = led()
  cluster.isolate(3)
  for (const data of ['a', 'b', 'c']) cluster.propose(1, data)
  cluster.settle()
  cluster.heal()
  cluster.node(1).transferLeadership(3)
  cluster.pump()
  t.same(sent(cluster, 'timeoutNow'), [])
  cluster.run(3)
  t.match(cluster.status(3), { role: 'leader', term: 2 })
  t.same(cluster.applied(3), ['a', 'b', 'c'])
  t.end()
})

t.test('no proposals are taken meanwhile, and again after an election timeout (thesis 3.10)', t => {
  const cluster = led()
  cluster.lose = message => message.type === 'timeoutNow'
  cluster.node(1).transferLeadership(3)
  t.equal(cluster.propose(1, 'x'), 'transferring')
  t.equal(cluster.status(1).transferee, 3)
  cluster.run(9)
  t.equal(cluster.propose(1, 'x'), 'transferring')
  cluster.run(1)
  t.type(cluster.propose(1, 'x'), 'object')
  t.match(cluster.status(1), { role: 'leader', term: 1, transferee: 0 })
  t.end()
})

t.test('a transfer to a member that cannot be reached is given up at once', t => {
  const cluster = led()
  cluster.host(3).crash()
  cluster.node(1).transferLeadership(3)
  cluster.node(1).unreachable(3)
  t.type(cluster.propose(1, 'x'), 'object')
  t.end()
})

t.test('another transferee takes the place of the first', t => {
  const cluster = led()
  cluster.lose = message => message.to === 3
  cluster.node(1).transferLeadership(3)
  cluster.node(1).transferLeadership(2)
  cluster.settle()
  t.match(cluster.status(2), { role: 'leader', term: 2 })
  t.end()
})

t.test('a transfer to itself, to a stranger or by a follower is ignored', t => {
  const cluster = led()
  cluster.node(1).transferLeadership(1)
  cluster.node(1).transferLeadership(9)
  cluster.node(2).transferLeadership(3)
  cluster.settle()
  t.match(cluster.status(1), { role: 'leader', term: 1, transferee: 0 })
  t.end()
})

t.test('only the leader can tell a member to stand', t => {
  const cluster = led()
  cluster.deliver({ type: 'timeoutNow', from: 1, to: 2, term: 0 })
  t.match(cluster.status(2), { role: 'follower', term: 1 })
  t.end()
})

t.test('what was proposed before the transfer is kept', t => {
  const cluster = led()
  cluster.propose(1, 'a')
  cluster.node(1).transferLeadership(2)
  cluster.settle()
  t.equal(cluster.leader?.number, 2)
  for (const number of [1, 2, 3]) t.same(cluster.applied(number), ['a'])
  t.end()
})
