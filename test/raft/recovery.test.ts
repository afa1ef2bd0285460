import t from 'tap'
import { Cluster, configurationOf, logOf, type Start } from './cluster.ts'
import { appendFrom } from './messages.ts'

const alone = (number: number) => ({ rosterVersion: 1, voters: [{ number, uid: `uid-${number}` }] })

function led(count = 3): Cluster {
  const cluster = new Cluster(Array.from({ length: count }, (_, at) => at + 1))
  cluster.elect(1)
  cluster.settle()
  return cluster
}

/** Goes on alone in a term, and does what is then to be done. */
function goOnAlone(cluster: Cluster, number: number, term: number) {
  const entry = cluster.node(number).goOnAlone(`uid-${number}`, term, 1)
  cluster.pump()
  return entry
}

t.test('a member that goes on alone keeps its whole log, and commits what was not yet', t => {
  const cluster = led()
  cluster.propose(1, 'a')
  cluster.settle()
  cluster.lose = message =>
    message.type === 'appendResponse' || (message.type === 'append' && message.to === 2)
  cluster.propose(1, 'b')
  cluster.settle()
  for (const number of [1, 2]) cluster.host(number).crash()
  cluster.heal()
  const { lastIndex, commit } = cluster.status(3)
  t.ok(commit < lastIndex, 'nobody told it whether b is committed')
  t.same(goOnAlone(cluster, 3, 50), { index: lastIndex + 1, term: 50 })
  t.match(cluster.status(3), { role: 'leader', term: 50, configuration: alone(3), changing: false })
  t.type(cluster.propose(3, 'c'), 'object')
  cluster.settle()
  t.same(cluster.applied(3), ['a', 'b', 'c'])
  cluster.run(30)
  t.equal(cluster.status(3).role, 'leader', 'it needs nobody')
  t.end()
})

t.test('nothing is said before it is durable, nor to those that the configuration before named', t => {
  const cluster = led()
  const host = cluster.host(3)
  for (const number of [1, 2]) cluster.host(number).crash()
  host.holdSync = true
  goOnAlone(cluster, 3, 50)
  t.same(cluster.network, [])
  t.ok(host.status.commit < host.status.lastIndex, 'nor is it committed')
  host.sync()
  t.same(cluster.network, [])
  t.equal(host.status.commit, host.status.lastIndex)
  t.end()
})

t.test('what is proposed in the same turn is written with it or not at all', t => {
  const cluster = led()
  const host = cluster.host(3)
  for (const number of [1, 2]) cluster.host(number).crash()
  host.holdSync = true
  cluster.node(3).goOnAlone('uid-3', 50, 1)
  cluster.propose(3, 'first')
  const ready = host.node.ready()
  t.same(
    ready.entries.map(({ type, term }) => [type, term]),
    [
      ['config', 50],
      ['noop', 50],
      ['data', 50],
    ],
  )
  t.match(ready.hardState, { term: 50, vote: 3 })
  host.handle(ready)
  host.crash()
  host.restart()
  t.match(host.status, { term: 1, configuration: configurationOf(1, 2, 3) }, 'it was not durable')
  t.end()
})

t.test('it goes on alone after a crash as well', t => {
  const cluster = led()
  for (const number of [1, 2]) cluster.host(number).crash()
  goOnAlone(cluster, 3, 50)
  cluster.host(3).crash()
  cluster.host(3).restart()
  cluster.run(20)
  t.match(cluster.status(3), { role: 'leader', configuration: alone(3) })
  t.equal(cluster.status(3).term, 51)
  t.end()
})

t.test('a leader that nobody follows any more goes on alone, and answers no read of before', t => {
  const cluster = led()
  for (const number of [2, 3]) cluster.host(number).crash()
  cluster.node(1).readIndex(7)
  cluster.host(1).pump()
  goOnAlone(cluster, 1, 50)
  t.same(cluster.host(1).readsFailed, [7])
  t.match(cluster.status(1), { role: 'leader', term: 50, transferee: 0 })
  t.end()
})

t.test('in the middle of a change it is alone all the same', t => {
  const founded = { index: 0, term: 0, configuration: configurationOf(1, 2, 3) }
  const empty = { index: 0, term: 0, configuration: { rosterVersion: 0, voters: [] } }
  const starts = new Map<number, Start>([1, 2, 3, 4].map(n => [n, { snapshot: n === 4 ? empty : founded }]))
  const cluster = new Cluster([1, 2, 3, 4], {}, starts)
  cluster.elect(1)
  cluster.settle()
  cluster.lose = message => message.to === 2 || message.to === 3
  cluster.node(1).changeMembers({ rosterVersion: 4, voters: configurationOf(1, 2, 4).voters })
  cluster.settle()
  t.ok(cluster.status(4).configuration.outgoing, 'the joint configuration has reached the newcomer')
  for (const number of [1, 2, 3]) cluster.host(number).crash()
  goOnAlone(cluster, 4, 50)
  cluster.run(5)
  const { configuration, changing } = cluster.status(4)
  t.same(
    configuration,
    { ...alone(4), rosterVersion: 4 },
    'it never goes back behind a version of the roster',
  )
  t.equal(changing, false)
  t.end()
})

t.test('another that is left does not win against it, and comes in with its tail cut', t => {
  const cluster = led(5)
  cluster.propose(1, 'a')
  cluster.settle()
  // A leader among the lost leaves a tail at one of those that are left, and nowhere else.
  for (const number of [2, 3, 4]) cluster.isolate(number)
  for (const data of ['x', 'y', 'z']) cluster.propose(1, data)
  cluster.settle()
  cluster.heal()
  for (const number of [1, 2, 3]) cluster.host(number).crash()
  goOnAlone(cluster, 4, 50)
  cluster.propose(4, 'b')
  cluster.run(60)
  t.match(cluster.status(4), { role: 'leader', term: 50 }, 'an old configuration asks for votes in vain')
  t.equal(cluster.status(5).term, 50, 'it learns the term and does not raise it')
  t.ok(cluster.status(5).lastIndex > 2)
  const { voters } = configurationOf(4)
  cluster.node(4).changeMembers({ rosterVersion: 2, voters, learners: configurationOf(5).voters })
  cluster.run(5)
  t.same(cluster.applied(5), ['a', 'b'])
  cluster.node(4).changeMembers({ rosterVersion: 2, voters: configurationOf(4, 5).voters })
  cluster.run(5)
  t.same(cluster.status(5).configuration, { ...configurationOf(4, 5), rosterVersion: 2 })
  t.same(cluster.applied(5), ['a', 'b'])
  t.end()
})

t.test('a lost member that leads the old configuration gives way where the two meet', t => {
  const cluster = led()
  cluster.isolate(3)
  cluster.propose(1, 'lost')
  cluster.settle()
  goOnAlone(cluster, 3, 50)
  cluster.heal()
  const { term } = cluster.status(1)
  cluster.node(3).step(appendFrom(1, 3, term, { prev: [1, 1], entries: logOf(1, 1).slice(1), commit: 2 }))
  cluster.host(3).pump()
  cluster.settle()
  t.match(cluster.status(1), { role: 'follower', term: 50 })
  t.same(cluster.status(3).configuration, alone(3))
  t.end()
})

t.test('a term that is not above the own one is refused loudly', t => {
  const cluster = led()
  t.throws(() => cluster.node(3).goOnAlone('uid-3', cluster.status(3).term, 1), /needs one above/)
  t.end()
})

t.test('one that lost its log and came again stands in for nothing any more', t => {
  const cluster = led()
  for (const data of ['a', 'b']) cluster.propose(1, data)
  cluster.settle()
  cluster.host(3).comeAgain()
  t.match(cluster.status(3).floor, { index: cluster.status(1).lastIndex })
  for (const number of [1, 2]) cluster.host(number).crash()
  goOnAlone(cluster, 3, 50)
  t.equal(cluster.status(3).floor, undefined)
  cluster.host(3).crash()
  cluster.host(3).restart()
  cluster.run(20)
  t.match(cluster.status(3), { role: 'leader', configuration: alone(3) })
  t.end()
})
