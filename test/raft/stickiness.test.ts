import t from 'tap'
import { Cluster } from './cluster.ts'
import { heartbeatFrom, preVoteFrom, sent, voteFrom } from './messages.ts'

function led(): Cluster {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  cluster.network = []
  return cluster
}

t.test(
  'who heard from the leader within the election timeout ignores votes and pre-votes (thesis 4.2.3)',
  t => {
    const cluster = led()
    cluster.tick(2, 9)
    cluster.deliver(voteFrom(3, 2, 5))
    cluster.deliver(preVoteFrom(3, 2, 5))
    t.same(cluster.network, [])
    t.match(cluster.status(2), { term: 1, leader: 1 })
    t.end()
  },
)

t.test('a leader ignores votes and pre-votes of later terms (thesis 4.2.3)', t => {
  const cluster = led()
  cluster.deliver(voteFrom(3, 1, 5))
  cluster.deliver(preVoteFrom(3, 1, 5))
  t.same(cluster.network, [])
  t.match(cluster.status(1), { role: 'leader', term: 1 })
  t.end()
})

t.test('after an election timeout of silence it votes', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  cluster.tick(3, 10)
  t.equal(cluster.status(3).role, 'follower', 'its own turn comes later')
  cluster.deliver(voteFrom(2, 3, 5))
  t.match(sent(cluster, 'voteResponse'), [{ granted: true, term: 5 }])
  t.end()
})

t.test('evidence that the leader is gone ends stickiness towards it', t => {
  const cluster = led()
  cluster.node(3).leaderGone(1)
  cluster.deliver(preVoteFrom(2, 3, 2))
  cluster.deliver(voteFrom(2, 3, 2))
  t.same(
    cluster.network.map(({ type, term }) => [type, term]),
    [
      ['preVoteResponse', 2],
      ['voteResponse', 2],
    ],
  )
  t.end()
})

t.test('evidence that another member is gone does not', t => {
  const cluster = led()
  cluster.node(3).leaderGone(2)
  cluster.deliver(voteFrom(2, 3, 2))
  t.same(cluster.network, [])
  t.end()
})

t.test('it sticks again to a leader that is heard after all, and to the next one', t => {
  const cluster = led()
  cluster.node(3).leaderGone(1)
  cluster.deliver(heartbeatFrom(1, 3, 1))
  cluster.network = []
  cluster.deliver(voteFrom(2, 3, 2))
  t.same(cluster.network, [])
  cluster.node(3).leaderGone(1)
  cluster.deliver(heartbeatFrom(2, 3, 2))
  cluster.network = []
  cluster.node(3).leaderGone(1)
  cluster.deliver(voteFrom(1, 3, 3))
  t.same(cluster.network, [], 'that the old leader is gone is nothing to the new one')
  t.end()
})

t.test('an election that the leader asked for passes stickiness (thesis 4.2.3)', t => {
  const cluster = led()
  cluster.deliver({ ...voteFrom(2, 3, 2), transfer: true })
  t.match(sent(cluster, 'voteResponse'), [{ granted: true, term: 2 }])
  cluster.deliver({ ...voteFrom(2, 1, 2), transfer: true })
  t.match(sent(cluster, 'voteResponse'), [{ granted: true, term: 2 }])
  t.equal(cluster.status(1).role, 'follower')
  t.end()
})
