import t from 'tap'
import type { Message, SnapshotMeta } from '../../services/peer/raft/types.ts'
import { Cluster, configurationOf, logOf } from './cluster.ts'
import { acceptedBy, appendFrom, heartbeatFrom, sent } from './messages.ts'

const meta = (index: number, term: number): SnapshotMeta => ({
  index,
  term,
  configuration: configurationOf(1, 2, 3),
})

function snapshotFrom(from: number, to: number, term: number, snapshot: SnapshotMeta): Message {
  return { type: 'snapshot', from, to, term, snapshot }
}

/** Member 1 leads, member 3 missed everything, and what it missed is compacted. */
function lagging(): Cluster {
  const cluster = new Cluster([1, 2, 3], { maxCachedBytes: 0 })
  cluster.lose = message => message.to === 3 && message.type === 'append'
  cluster.elect(1)
  for (const data of ['a', 'b', 'c']) cluster.propose(1, data)
  cluster.settle()
  cluster.host(1).disk.compact(4, cluster.status(1).configuration)
  cluster.heal()
  return cluster
}

t.test('a follower that needs what is compacted is offered the applied state (paper 7)', t => {
  const cluster = lagging()
  cluster.tick(1)
  cluster.network = cluster.network.filter(message => message.to === 3)
  cluster.deliver(cluster.network.shift()!)
  cluster.deliver(cluster.network.shift()!)
  t.same(
    sent(cluster, 'snapshot').map(({ to, snapshot }) => [to, snapshot.index, snapshot.term]),
    [[3, 4, 1]],
  )
  t.equal(cluster.status(1).progress.get(3)!.state, 'snapshot')
  t.end()
})

t.test('it takes the state over and then follows the log again', t => {
  const cluster = lagging()
  cluster.run(2)
  t.match(cluster.status(3), { commit: 4, applied: 4, lastIndex: 4, durable: 4 })
  t.equal(cluster.status(1).progress.get(3)!.state, 'replicate')
  cluster.propose(1, 'd')
  cluster.settle()
  t.same(cluster.applied(3), ['a', 'b', 'c', 'd'])
  t.end()
})

t.test('an offer is repeated once per election timeout while heartbeats are answered', t => {
  const cluster = lagging()
  cluster.lose = message => message.type === 'snapshot'
  let offers = 0
  cluster.onSend = message => {
    if (message.type === 'snapshot') offers++
  }
  cluster.run(31)
  t.equal(offers, 4)
  t.same(cluster.status(1).progress.get(3), { match: 0, state: 'snapshot', recentActive: true })
  t.end()
})

t.test('an unreachable follower leaves the snapshot state', t => {
  const cluster = lagging()
  cluster.lose = message => message.type === 'snapshot'
  cluster.run(2)
  cluster.node(1).unreachable(3)
  t.equal(cluster.status(1).progress.get(3)!.state, 'probe')
  t.end()
})

t.test(
  'a follower that takes long to install a snapshot counts for its leader, also when messages to it were lost',
  t => {
    const cluster = lagging()
    cluster.host(2).crash()
    cluster.node(1).unreachable(3)
    // The offer arrives, and is answered when everything is installed.
    cluster.lose = message => message.type === 'snapshot'
    cluster.run(40)
    t.match(cluster.status(1), { role: 'leader', term: 1 })
    t.end()
  },
)

t.test('a follower that catches up in another way needs no snapshot any more', t => {
  const cluster = lagging()
  cluster.lose = message => message.to === 3
  cluster.run(1)
  cluster.heal()
  cluster.tick(1)
  cluster.deliver(cluster.network.find(message => message.to === 3)!)
  cluster.deliver(cluster.network.find(message => message.from === 3)!)
  cluster.deliver(acceptedBy(3, 1, 1, 4))
  t.equal(cluster.status(1).progress.get(3)!.state, 'replicate')
  t.end()
})

t.test('when the log moved on meanwhile, the newer state is offered at once', t => {
  const cluster = lagging()
  cluster.lose = message => message.from === 3 && message.type === 'appendResponse'
  cluster.run(2)
  cluster.lose = message => message.to === 3
  cluster.propose(1, 'd')
  cluster.settle()
  cluster.host(1).disk.compact(5, cluster.status(1).configuration)
  cluster.heal()
  cluster.deliver(acceptedBy(3, 1, 1, 4))
  t.same(
    sent(cluster, 'snapshot').map(({ to, snapshot }) => [to, snapshot.index]),
    [[3, 5]],
  )
  t.end()
})

t.test('a snapshot replaces a log that differs, entries behind it included (paper 7)', t => {
  const cluster = new Cluster([1, 2, 3], {}, new Map([[1, { entries: logOf(1, 1, 1, 1, 1) }]]))
  cluster.deliver(snapshotFrom(2, 1, 2, meta(3, 2)))
  t.match(cluster.status(1), { lastIndex: 3, commit: 3, applied: 3, durable: 3 })
  t.match(sent(cluster, 'appendResponse'), [{ index: 3, rejected: false }])
  t.end()
})

t.test('a snapshot whose last entry the log holds only moves the commit index (paper 7)', t => {
  const cluster = new Cluster([1, 2, 3], {}, new Map([[1, { entries: logOf(1, 1, 1, 1, 1) }]]))
  cluster.onReady = (_, ready) => t.equal(ready.snapshot, undefined)
  cluster.deliver(snapshotFrom(2, 1, 2, meta(3, 1)))
  t.match(cluster.status(1), { lastIndex: 5, commit: 3, applied: 3 })
  t.match(sent(cluster, 'appendResponse'), [{ index: 3, rejected: false }])
  t.end()
})

t.test('a snapshot that is not ahead of the commit index is answered with it', t => {
  const start = { entries: logOf(1, 1, 1), hardState: { term: 1, vote: 0, commit: 3 } }
  const cluster = new Cluster([1, 2, 3], {}, new Map([[1, start]]))
  cluster.deliver(snapshotFrom(2, 1, 2, meta(2, 1)))
  t.match(cluster.status(1), { lastIndex: 3, commit: 3 })
  t.match(sent(cluster, 'appendResponse'), [{ index: 3, rejected: false }])
  t.end()
})

t.test('a snapshot pulled under an older leader is committed state all the same', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.deliver(heartbeatFrom(3, 1, 5))
  cluster.network = []
  cluster.deliver(snapshotFrom(2, 1, 2, meta(3, 2)))
  t.match(cluster.status(1), { lastIndex: 3, commit: 3, leader: 3, term: 5 })
  t.match(sent(cluster, 'appendResponse'), [{ to: 2, rejected: true, term: 5 }])
  t.end()
})

t.test('it is acknowledged when it is durable, and what is behind it goes in a Ready of its own', t => {
  const cluster = new Cluster([1, 2, 3])
  const host = cluster.host(1)
  host.holdSync = true
  host.node.step(snapshotFrom(2, 1, 2, meta(3, 2)))
  host.node.step(appendFrom(2, 1, 2, { prev: [3, 2], entries: logOf(1, 1, 1, 2, 2).slice(3), commit: 4 }))
  const first = host.node.ready()
  t.match(first, {
    snapshot: { index: 3 },
    entries: [],
    hardState: { commit: 3 },
    messagesAfterPersist: [],
    mustSync: true,
  })
  host.handle(first)
  const second = host.node.ready()
  t.same(
    second.entries.map(entry => entry.index),
    [4, 5],
  )
  t.match(
    second.messagesAfterPersist.map(message => message.type === 'appendResponse' && message.index),
    [3, 5],
  )
  t.equal(second.hardState?.commit, 4)
  host.handle(second)
  t.same(cluster.network, [])
  host.sync()
  t.match(cluster.status(1), { durable: 5, commit: 4, applied: 4 })
  t.end()
})

t.test('the configuration comes with the snapshot', t => {
  const cluster = new Cluster([1, 2, 3])
  const configuration = configurationOf(1, 2, 7)
  cluster.deliver(snapshotFrom(2, 1, 2, { index: 3, term: 2, configuration }))
  t.same(cluster.status(1).configuration, configuration)
  t.end()
})

t.test('a crash before a snapshot is durable leaves the old log', t => {
  const cluster = new Cluster([1, 2, 3], {}, new Map([[1, { entries: logOf(1, 1) }]]))
  cluster.host(1).holdSync = true
  cluster.deliver(snapshotFrom(2, 1, 2, meta(3, 2)))
  cluster.host(1).crash()
  cluster.host(1).restart()
  t.match(cluster.status(1), { lastIndex: 2, commit: 0, term: 1 })
  t.end()
})

t.test('a member that starts from a compacted log carries on behind it', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  for (const data of ['a', 'b']) cluster.propose(1, data)
  cluster.settle()
  cluster.host(2).disk.compact(3, cluster.status(2).configuration)
  cluster.host(2).crash()
  cluster.host(2).restart()
  cluster.propose(1, 'c')
  cluster.run(3)
  t.match(cluster.status(2), { lastIndex: 4, commit: 4, applied: 4 })
  t.end()
})
