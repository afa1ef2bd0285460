import t from 'tap'
import type { Configuration, Entry } from '../../services/peer/raft/types.ts'
import { Cluster, configurationOf, logOf } from './cluster.ts'
import { appendFrom } from './messages.ts'

function configEntry(index: number, term: number, configuration: Configuration): Entry {
  return { index, term, type: 'config', data: new Uint8Array(0), configuration }
}

const five = configurationOf(1, 2, 3, 4, 5)

t.test('a configuration is in force when it is appended, committed or not (paper 6)', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.deliver(appendFrom(2, 1, 1, { entries: [...logOf(1), configEntry(2, 1, five)] }))
  t.same(cluster.status(1).configuration, five)
  t.equal(cluster.status(1).commit, 0)
  t.end()
})

t.test('when it is truncated, the one before is in force again (paper 6)', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.deliver(appendFrom(2, 1, 1, { entries: [...logOf(1), configEntry(2, 1, five)] }))
  cluster.deliver(appendFrom(3, 1, 2, { prev: [1, 1], entries: logOf(1, 2).slice(1) }))
  t.same(cluster.status(1).configuration, configurationOf(1, 2, 3))
  t.end()
})

t.test('a restarted member reads the configurations in its log', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.deliver(
    appendFrom(2, 1, 1, { entries: [...logOf(1), configEntry(2, 1, five), ...logOf(1, 1, 1).slice(2)] }),
  )
  cluster.host(1).crash()
  cluster.host(1).restart()
  t.same(cluster.status(1).configuration, five)
  cluster.deliver(appendFrom(3, 1, 2, { prev: [1, 1], entries: logOf(1, 2).slice(1) }))
  t.same(cluster.status(1).configuration, configurationOf(1, 2, 3))
  t.end()
})

t.test('elections and commits need a majority of the configuration in the log', t => {
  const entries = [...logOf(1), configEntry(2, 1, five)]
  const cluster = new Cluster(
    [1, 2, 3, 4, 5],
    {},
    new Map([[1, { snapshot: { index: 0, term: 0, configuration: configurationOf(1, 2, 3) }, entries }]]),
  )
  cluster.lose = message => message.from > 2 || message.to > 2
  cluster.run(20)
  t.not(cluster.status(1).role, 'leader', 'two of five')
  cluster.lose = message => message.from > 3 || message.to > 3
  cluster.run(20)
  t.ok(cluster.leader!.number <= 3, 'three of five')
  t.equal(cluster.leader!.status.commit, cluster.leader!.status.lastIndex)
  t.end()
})

t.test('a snapshot is offered with the configuration at its index, not with a later one', t => {
  const cluster = new Cluster([1, 2, 3], { maxCachedBytes: 0 })
  cluster.isolate(3)
  cluster.elect(1)
  cluster.propose(1, 'a')
  cluster.settle()
  cluster.host(1).disk.compact(2, cluster.status(1).configuration)
  cluster.heal()
  const offered: Configuration[] = []
  cluster.onSend = message => {
    if (message.type === 'snapshot') offered.push(message.snapshot.configuration)
  }
  cluster.run(3)
  t.same(offered, [configurationOf(1, 2, 3)])
  t.end()
})
