import t from 'tap'
import { Cluster } from './cluster.ts'
import { sent } from './messages.ts'

function led(): Cluster {
  const cluster = new Cluster([1, 2, 3, 4, 5])
  cluster.elect(1)
  cluster.settle()
  return cluster
}

t.test('a read is served once a majority confirmed the leader after it was asked for (thesis 6.4)', t => {
  const cluster = led()
  t.equal(cluster.node(1).readIndex(7), undefined)
  cluster.pump()
  const rounds = sent(cluster, 'heartbeat')
  t.same(
    rounds.map(({ to, context }) => [to, context]),
    [
      [2, 1],
      [3, 1],
      [4, 1],
      [5, 1],
    ],
  )
  for (const [at, round] of rounds.entries()) {
    cluster.deliver(round)
    cluster.deliver(cluster.network.shift()!)
    t.equal(cluster.host(1).reads.length, at >= 1 ? 1 : 0)
  }
  t.same(cluster.host(1).reads, [{ context: 7, index: 1 }])
  t.end()
})

t.test('the read point is the commit index when the round began', t => {
  const cluster = led()
  cluster.propose(1, 'a')
  cluster.settle()
  cluster.node(1).readIndex(7)
  cluster.pump()
  cluster.propose(1, 'b')
  cluster.settle()
  t.same(cluster.host(1).reads, [{ context: 7, index: 2 }])
  t.end()
})

t.test('requests of one turn share a round', t => {
  const cluster = led()
  for (const context of [7, 8, 9]) cluster.node(1).readIndex(context)
  cluster.pump()
  t.equal(cluster.network.length, 4)
  cluster.settle()
  t.same(
    cluster.host(1).reads.map(read => read.context),
    [7, 8, 9],
  )
  t.end()
})

t.test('a later round confirms the earlier ones', t => {
  const cluster = led()
  cluster.node(1).readIndex(7)
  cluster.pump()
  cluster.network = []
  cluster.node(1).readIndex(8)
  cluster.settle()
  t.same(
    cluster.host(1).reads.map(read => read.context),
    [7, 8],
  )
  t.end()
})

t.test('a lost round goes again with the next heartbeat', t => {
  const cluster = led()
  cluster.node(1).readIndex(7)
  cluster.pump()
  cluster.network = []
  cluster.tick(1)
  cluster.settle()
  t.same(cluster.host(1).reads, [{ context: 7, index: 1 }])
  t.end()
})

t.test('a lost round goes again also where the engine sends the heartbeats', t => {
  const cluster = new Cluster([1, 2, 3], { heartbeatTicks: Number.MAX_SAFE_INTEGER })
  cluster.elect(1)
  cluster.settle()
  cluster.node(1).readIndex(7)
  cluster.pump()
  cluster.network = []
  cluster.tick(1, 3)
  cluster.settle()
  t.same(cluster.host(1).reads, [{ context: 7, index: 1 }])
  t.end()
})

t.test("nothing is read before the no-op of the leader's term is committed (thesis 6.4)", t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.lose = message => message.type === 'append'
  cluster.elect(1)
  cluster.node(1).readIndex(7)
  cluster.settle()
  t.same(cluster.host(1).reads, [])
  cluster.heal()
  cluster.run(2)
  t.same(cluster.host(1).reads, [{ context: 7, index: 1 }])
  t.end()
})

t.test('a lone voter answers at once', t => {
  const cluster = new Cluster([1])
  cluster.tick(1)
  cluster.node(1).readIndex(7)
  cluster.pump()
  t.same(cluster.host(1).reads, [{ context: 7, index: 1 }])
  t.end()
})

t.test('a deposed leader fails what is open, and never serves it', t => {
  const cluster = led()
  cluster.isolate(1)
  cluster.node(1).readIndex(7)
  cluster.pump()
  cluster.node(1).readIndex(8)
  cluster.tick(1, 10)
  t.same(cluster.host(1).reads, [])
  t.same(cluster.host(1).readsFailed, [7, 8])
  t.end()
})

t.test('a follower takes no read', t => {
  t.equal(led().node(2).readIndex(7), 'notLeader')
  t.end()
})

t.test('answers of an earlier term or an earlier round confirm nothing', t => {
  const cluster = led()
  cluster.node(1).readIndex(7)
  cluster.pump()
  cluster.settle()
  cluster.node(1).readIndex(8)
  cluster.pump()
  cluster.network = []
  for (const from of [2, 3, 4])
    cluster.deliver({ type: 'heartbeatResponse', from, to: 1, term: 1, context: 1 })
  for (const from of [2, 3, 4])
    cluster.deliver({ type: 'heartbeatResponse', from, to: 1, term: 0, context: 2 })
  for (const from of [8, 9]) cluster.deliver({ type: 'heartbeatResponse', from, to: 1, term: 1, context: 2 })
  t.same(
    cluster.host(1).reads.map(read => read.context),
    [7],
  )
  t.end()
})

t.test('there is a bound on open reads', t => {
  const cluster = led()
  cluster.isolate(1)
  let context = 0
  while (cluster.node(1).readIndex(++context) === undefined);
  t.equal(context, 16_385)
  t.end()
})
