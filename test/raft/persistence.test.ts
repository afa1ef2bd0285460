import t from 'tap'
import { InvariantBroken } from '../../services/peer/raft/invariant.ts'
import { Cluster, logOf } from './cluster.ts'
import { appendFrom, heartbeatFrom, sent, voteFrom } from './messages.ts'

function held(number = 1): Cluster {
  const cluster = new Cluster([1, 2, 3])
  cluster.host(number).holdSync = true
  return cluster
}

t.test('a vote leaves when it is durable, not before (paper 5.2, figure 2)', t => {
  const cluster = held()
  cluster.deliver(voteFrom(2, 1, 1))
  t.same(cluster.network, [])
  cluster.host(1).sync()
  t.match(sent(cluster, 'voteResponse'), [{ to: 2, granted: true }])
  t.end()
})

t.test('a candidate asks for votes when its own vote is durable', t => {
  const cluster = held()
  cluster.tick(1)
  cluster.settle()
  t.same([cluster.status(1).role, cluster.network], ['candidate', []])
  cluster.host(1).sync()
  t.equal(sent(cluster, 'vote').length, 2)
  t.end()
})

t.test('an acknowledged append is durable (paper figure 2)', t => {
  const cluster = held()
  cluster.deliver(appendFrom(2, 1, 1, { entries: logOf(1, 1) }))
  t.same(cluster.network, [])
  cluster.host(1).sync()
  t.match(sent(cluster, 'appendResponse'), [{ index: 2, rejected: false }])
  t.end()
})

t.test('nothing is said in a term that is not durable, afterwards an answer need not wait', t => {
  const cluster = held()
  cluster.deliver(heartbeatFrom(2, 1, 1))
  t.same(cluster.network, [])
  cluster.host(1).sync()
  t.equal(sent(cluster, 'heartbeatResponse').length, 1)
  cluster.deliver(heartbeatFrom(2, 1, 1))
  t.equal(sent(cluster, 'heartbeatResponse').length, 1)
  t.end()
})

t.test('a leader sends entries while it writes them (thesis 10.2.1)', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  cluster.settle()
  cluster.host(1).holdSync = true
  cluster.propose(1, 'x')
  cluster.pump()
  t.equal(sent(cluster, 'append').length, 2)
  t.end()
})

t.test("a leader's own log counts when it is durable (thesis 10.2.1)", t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  cluster.settle()
  cluster.host(1).holdSync = true
  cluster.lose = message => message.from === 3
  cluster.propose(1, 'x')
  cluster.settle()
  t.match(cluster.status(1), { commit: 1, durable: 1, lastIndex: 2 })
  cluster.host(1).sync()
  t.match(cluster.status(1), { commit: 2, durable: 2 })
  t.end()
})

t.test(
  'a majority of the others commits what the leader has not on disk yet, and it need not wait (thesis 10.2.1)',
  t => {
    const cluster = new Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.settle()
    cluster.host(1).holdSync = true
    cluster.propose(1, 'x')
    cluster.settle()
    t.match(cluster.status(1), { commit: 2, durable: 1, applied: 2 })
    cluster.host(1).crash()
    cluster.host(1).restart()
    t.match(cluster.status(1), { commit: 1, durable: 1 }, 'of which nothing stayed here')
    cluster.host(1).holdSync = false
    cluster.run(50)
    t.same(
      [1, 2, 3].map(number => cluster.applied(number)),
      [['x'], ['x'], ['x']],
    )
    t.end()
  },
)

t.test('Readies become durable one by one, in order', t => {
  const cluster = held()
  cluster.deliver(appendFrom(2, 1, 1, { entries: logOf(1) }))
  cluster.deliver(appendFrom(2, 1, 1, { prev: [1, 1], entries: logOf(1, 1).slice(1) }))
  cluster.host(1).sync(1)
  t.equal(cluster.status(1).durable, 1)
  t.same(
    sent(cluster, 'appendResponse').map(message => message.index),
    [1],
  )
  cluster.host(1).sync(1)
  t.equal(cluster.status(1).durable, 2)
  t.end()
})

t.test('what a write under way makes durable ends where the log was cut meanwhile', t => {
  const cluster = held()
  cluster.deliver(appendFrom(2, 1, 1, { entries: logOf(1, 1, 1) }))
  cluster.deliver(appendFrom(3, 1, 2, { prev: [1, 1], entries: logOf(1, 2, 2).slice(1) }))
  cluster.host(1).sync(1)
  t.match(cluster.status(1), { durable: 1, lastIndex: 3 })
  cluster.host(1).sync(1)
  t.match(cluster.status(1), { durable: 3, lastIndex: 3 })
  t.same(
    cluster
      .host(1)
      .disk.entries(1, 9, 1e9)
      .map(entry => entry.term),
    [1, 2, 2],
  )
  t.end()
})

t.test('what a new term cuts off before it was written is acknowledged to nobody', t => {
  const cluster = held()
  cluster.node(1).step(appendFrom(2, 1, 1, { entries: logOf(1, 1) }))
  cluster.deliver(appendFrom(3, 1, 2, { prev: [0, 0], entries: logOf(2) }))
  cluster.host(1).sync()
  t.match(cluster.status(1), { durable: 1, lastIndex: 1, term: 2 })
  const acknowledged = sent(cluster, 'appendResponse').map(({ to, term, index }) => ({ to, term, index }))
  t.same(acknowledged, [{ to: 3, term: 2, index: 1 }])
  t.end()
})

t.test('committed entries are handed out when they are on their way to the disk, each once, in order', t => {
  const cluster = held()
  cluster.deliver(appendFrom(2, 1, 1, { entries: logOf(1, 1, 1), commit: 2 }))
  t.equal(cluster.host(1).disk.durableLastIndex, 0, 'a majority has them, here they are not durable yet')
  t.same(
    cluster.host(1).state.map(entry => entry.index),
    [1, 2],
  )
  cluster.deliver(heartbeatFrom(2, 1, 1, 3))
  t.same(
    cluster.host(1).state.map(entry => entry.index),
    [1, 2, 3],
  )
  t.end()
})

t.test('committed entries are handed out within a bound of bytes for each Ready', t => {
  const cluster = new Cluster([1, 2, 3], { maxAppendBytes: 8 })
  const counts: number[] = []
  cluster.onReady = (_, ready) => void counts.push(ready.committed.length)
  cluster.deliver(appendFrom(2, 1, 1, { entries: logOf(1, 1, 1, 1, 1), commit: 5 }))
  t.same(
    counts.filter(count => count > 0),
    [2, 2, 1],
  )
  t.end()
})

t.test('a commit index alone need not be synced', t => {
  const cluster = new Cluster([1, 2, 3])
  const readies: [boolean, boolean][] = []
  cluster.deliver(appendFrom(2, 1, 1, { entries: logOf(1) }))
  cluster.onReady = (_, ready) => void readies.push([ready.hardState !== undefined, ready.mustSync])
  cluster.deliver(heartbeatFrom(2, 1, 1, 1))
  t.same(readies, [[true, false]])
  t.end()
})

t.test('a restart carries on with term, vote, log and what was applied', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  for (const data of ['a', 'b']) cluster.propose(1, data)
  cluster.settle()
  for (const applied of [0, 2, 3]) {
    cluster.host(2).crash()
    cluster.host(2).restart(applied)
    cluster.pump()
    t.match(cluster.status(2), {
      term: 1,
      role: 'follower',
      leader: 0,
      lastIndex: 3,
      durable: 3,
      commit: 3,
      applied: 3,
    })
    t.same(cluster.applied(2), ['a', 'b'])
  }
  t.end()
})

t.test('what is applied is committed, though the commit index on disk may lag', t => {
  const cluster = new Cluster([1, 2, 3], {}, new Map([[1, { entries: logOf(1, 1, 1) }]]))
  cluster.host(1).crash()
  cluster.host(1).restart(2)
  t.match(cluster.status(1), { commit: 2, applied: 2 })
  t.end()
})

t.test('a stored log that ends before what was committed stops the member at its start', t => {
  t.throws(
    () =>
      new Cluster([1], {}, new Map([[1, { entries: logOf(1), hardState: { term: 1, vote: 0, commit: 2 } }]])),
    InvariantBroken,
  )
  t.end()
})

t.test('to call a Ready durable that was never handed out is an error', t => {
  const cluster = new Cluster([1])
  t.throws(() => cluster.node(1).persisted(99), InvariantBroken)
  t.throws(() => cluster.node(1).applied(99), InvariantBroken)
  t.end()
})
