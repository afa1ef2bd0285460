import t from 'tap'
import { InvariantBroken } from '../../services/peer/raft/invariant.ts'
import type { Entry, Message } from '../../services/peer/raft/types.ts'
import { bytes, Cluster, logOf } from './cluster.ts'
import { acceptedBy, appendFrom, heartbeatFrom, sent } from './messages.ts'

t.test('a new leader begins its term with a no-op (paper 8)', t => {
  const cluster = new Cluster(
    [1, 2, 3],
    {},
    new Map([1, 2, 3].map(number => [number, { entries: logOf(1) }])),
  )
  cluster.elect(1)
  cluster.settle()
  t.same(
    cluster.host(1).state.map(({ index, term, type }) => [index, term, type]),
    [
      [1, 1, 'data'],
      [2, 2, 'noop'],
    ],
  )
  t.end()
})

t.test('an entry is committed when a majority holds it (paper 5.3)', t => {
  const cluster = new Cluster([1, 2, 3, 4, 5])
  cluster.elect(1)
  cluster.settle()
  t.same(cluster.propose(1, 'x'), { index: 2, term: 1 })
  cluster.pump()
  cluster.network = []
  cluster.deliver(acceptedBy(2, 1, 1, 2))
  t.equal(cluster.status(1).commit, 1)
  cluster.deliver(acceptedBy(2, 1, 1, 2))
  t.equal(cluster.status(1).commit, 1, 'the same answer twice is one')
  cluster.deliver(acceptedBy(3, 1, 1, 2))
  t.equal(cluster.status(1).commit, 2)
  t.end()
})

t.test(
  'an entry of an older term is not committed by counting, only with one of the own term (paper 5.4.2, figure 8)',
  t => {
    const cluster = new Cluster([1, 2, 3], {}, new Map([[1, { entries: logOf(1, 1) }]]))
    cluster.lose = message => message.type === 'append'
    cluster.elect(1)
    const { term } = cluster.status(1)
    cluster.deliver(acceptedBy(2, 1, term, 2))
    cluster.deliver(acceptedBy(3, 1, term, 2))
    t.equal(cluster.status(1).commit, 0, 'everybody holds entry 2, and it may still be lost')
    cluster.deliver(acceptedBy(2, 1, term, 3))
    t.equal(cluster.status(1).commit, 3)
    t.end()
  },
)

t.test('a hundred proposals of one turn travel in one append to each follower', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  cluster.settle()
  for (let at = 0; at < 100; at++) {
    cluster.propose(1, `${at}`)
    cluster.node(1).hasReady()
  }
  cluster.pump()
  t.same(
    sent(cluster, 'append').map(({ to, entries }) => [to, entries.length]),
    [
      [2, 100],
      [3, 100],
    ],
  )
  t.end()
})

t.test('followers learn the commit index without waiting for a heartbeat', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  cluster.propose(1, 'x')
  cluster.settle()
  t.same(
    [1, 2, 3].map(number => cluster.status(number).commit),
    [2, 2, 2],
  )
  t.notOk(cluster.node(1).hasReady(), 'and then nothing more is sent')
  t.end()
})

t.test('a commit index alone costs a follower that holds the entries no answer that says so again', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  cluster.settle()
  cluster.propose(1, 'x')
  const told: Message[] = []
  cluster.pump()
  for (let message = cluster.network.shift(); message; message = cluster.network.shift()) {
    told.push(message)
    cluster.deliver(message)
  }
  const of = (type: Message['type']) => told.filter(message => message.type === type)
  t.equal(of('append').length, 2, 'one for each follower, with the entry')
  t.equal(of('appendResponse').length, 2)
  t.match(of('heartbeat'), [{ commit: 2 }, { commit: 2 }])
  t.end()
})

t.test('a heartbeat names no commit index beyond what its receiver has acknowledged', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  cluster.isolate(3)
  cluster.propose(1, 'x')
  cluster.settle()
  cluster.heal()
  cluster.tick(1)
  t.same(
    sent(cluster, 'heartbeat').map(({ to, commit }) => [to, commit]),
    [
      [2, 2],
      [3, 1],
    ],
  )
  t.end()
})

t.test('an append is taken only where the entry before it matches (paper 5.3)', t => {
  const cases: [prev: [number, number], rejected: boolean][] = [
    [[0, 0], false],
    [[1, 1], false],
    [[2, 2], false],
    [[2, 1], true],
    [[3, 2], true],
  ]
  for (const [prev, rejected] of cases) {
    const cluster = new Cluster([1, 2, 3], {}, new Map([[1, { entries: logOf(1, 2) }]]))
    cluster.deliver(appendFrom(2, 1, 2, { prev }))
    t.match(sent(cluster, 'appendResponse'), [{ rejected, index: prev[0] }])
  }
  t.end()
})

t.test('followers of every kind of figure 7 end with the log of their leader (paper 5.3)', t => {
  const leader = logOf(1, 1, 1, 4, 4, 5, 5, 6, 6, 6)
  const others = [
    [1, 1, 1, 4, 4, 5, 5, 6, 6],
    [1, 1, 1, 4],
    [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    [1, 1, 1, 4, 4, 4, 4],
    [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
  ]
  for (const other of others) {
    const cluster = new Cluster(
      [1, 2, 3],
      {},
      new Map([
        [1, { hardState: { term: 7, vote: 0, commit: 0 }, entries: leader }],
        [2, { hardState: { term: 7, vote: 0, commit: 0 }, entries: logOf(...other) }],
        [3, { hardState: { term: 7, vote: 0, commit: 0 }, entries: [] }],
      ]),
    )
    cluster.elect(1)
    cluster.settle()
    const terms = cluster
      .host(2)
      .disk.entries(1, 100, 1e9)
      .map(entry => entry.term)
    t.same(terms, [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 8])
  }
  t.end()
})

t.test('appends that come twice, late or in any order take nothing back', t => {
  const cluster = new Cluster([1, 2, 3])
  const entries = logOf(1, 1, 1, 1)
  const first = appendFrom(2, 1, 1, { entries: entries.slice(0, 2) })
  const second = appendFrom(2, 1, 1, { prev: [2, 1], entries: entries.slice(2), commit: 4 })
  for (const message of [second, first, second, first, second]) cluster.deliver(message)
  t.match(cluster.status(1), { lastIndex: 4, commit: 4, durable: 4 })
  t.same(
    sent(cluster, 'appendResponse').map(({ rejected, index }) => (rejected ? 'no' : index)),
    ['no', 2, 4, 4, 4],
  )
  t.end()
})

t.test(
  'a follower commits only what it knows to match, not all that the leader has committed (paper 5.3)',
  t => {
    const cluster = new Cluster([1, 2, 3], {}, new Map([[1, { entries: logOf(1, 1, 1) }]]))
    cluster.deliver(appendFrom(2, 1, 2, { prev: [1, 1], commit: 9 }))
    t.equal(cluster.status(1).commit, 1)
    t.end()
  },
)

t.test('a commit index beyond the own log means that acknowledged entries are lost: the member stops', t => {
  const cluster = new Cluster(
    [1, 2, 3],
    {},
    new Map([[1, { entries: logOf(1, 1), hardState: { term: 1, vote: 0, commit: 2 } }]]),
  )
  t.throws(() => cluster.deliver(heartbeatFrom(2, 1, 2, 5)), InvariantBroken)
  t.end()
})

t.test('an append that cannot be right is ignored', t => {
  const [one, two] = logOf(1, 1) as [Entry, Entry]
  const wrong = [
    [two, one],
    [two],
    [{ ...one, term: 9 }],
    [{ ...one, type: 'config' as const }],
    [{ ...one, index: 7 }],
  ]
  for (const entries of wrong) {
    const cluster = new Cluster([1, 2, 3])
    cluster.deliver(appendFrom(2, 1, 1, { entries }))
    t.equal(cluster.status(1).lastIndex, 0)
    t.same(sent(cluster, 'appendResponse'), [])
  }
  t.end()
})

t.test('a follower refuses proposals', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  t.equal(cluster.propose(2, 'x'), 'notLeader')
  t.end()
})

t.test('a leader refuses proposals while too much is uncommitted, and takes them again afterwards', t => {
  const cluster = new Cluster([1, 2, 3], { maxUncommittedBytes: 10 })
  cluster.elect(1)
  cluster.settle()
  cluster.isolate(1)
  t.type(cluster.node(1).propose(bytes('x'.repeat(50))), 'object', 'a single one always fits')
  t.equal(cluster.propose(1, 'y'), 'overloaded')
  cluster.heal()
  cluster.run(4)
  t.type(cluster.propose(1, 'y'), 'object')
  t.type(cluster.propose(1, '123456789'), 'object')
  t.equal(cluster.propose(1, 'z'), 'overloaded')
  t.end()
})
