import t from 'tap'
import { Cluster, type Tuning } from './cluster.ts'
import { acceptedBy, sent } from './messages.ts'

function led(tuning: Tuning): Cluster {
  const cluster = new Cluster([1, 2, 3], tuning)
  cluster.elect(1)
  cluster.settle()
  return cluster
}

function proposeEach(cluster: Cluster, ...data: string[]): void {
  for (const one of data) {
    cluster.propose(1, one)
    cluster.pump()
  }
}

t.test('appends follow each other without waiting for answers, up to the bound', t => {
  const cluster = led({ maxInflightAppends: 3 })
  proposeEach(cluster, 'a', 'b', 'c', 'd', 'e')
  const toTwo = sent(cluster, 'append').filter(message => message.to === 2)
  t.same(
    toTwo.map(({ prevIndex, entries }) => [prevIndex, entries.length]),
    [
      [1, 1],
      [2, 1],
      [3, 1],
    ],
  )
  cluster.deliver(acceptedBy(2, 1, 1, 3))
  t.same(
    sent(cluster, 'append').map(({ to, prevIndex, entries }) => [to, prevIndex, entries.length]),
    [[2, 4, 2]],
    'an answer makes room, and all that waited goes in one',
  )
  t.end()
})

t.test('one append carries at least one entry and then no more than its bound of bytes', t => {
  const cluster = led({ maxAppendBytes: 10 })
  for (const data of ['x'.repeat(50), 'aaaa', 'bbbb', 'cccc']) cluster.propose(1, data)
  cluster.pump()
  const toTwo = sent(cluster, 'append').filter(message => message.to === 2)
  t.same(
    toTwo.map(message => message.entries.length),
    [1, 2, 1],
  )
  t.end()
})

t.test('while it probes, a leader sends one append and waits', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.lose = message => message.type === 'append'
  cluster.elect(1)
  cluster.heal()
  proposeEach(cluster, 'a', 'b')
  t.same(sent(cluster, 'append'), [])
  t.end()
})

t.test('lost appends are found by the answers to heartbeats and sent again', t => {
  for (const lost of [1, 2, 5]) {
    const cluster = led({ maxInflightAppends: 2 })
    cluster.lose = message => message.type === 'append'
    proposeEach(cluster, ...'abcdefgh'.slice(0, lost))
    cluster.heal()
    cluster.run(4)
    t.equal(cluster.applied(2).length, lost)
    t.equal(cluster.status(1).progress.get(3)!.state, 'replicate')
  }
  t.end()
})

t.test('lost answers cost nothing but time', t => {
  const cluster = led({ maxInflightAppends: 2 })
  cluster.lose = message => message.type === 'appendResponse'
  proposeEach(cluster, 'a', 'b', 'c')
  cluster.settle()
  t.equal(cluster.status(1).commit, 1)
  cluster.heal()
  cluster.run(4)
  t.same(
    [1, 2, 3].map(number => cluster.applied(number)),
    [
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ],
  )
  t.end()
})

t.test('an unreachable follower is probed after it answers a heartbeat, not before', t => {
  const cluster = led({})
  cluster.host(2).crash()
  cluster.node(1).unreachable(2)
  t.equal(cluster.status(1).progress.get(2)!.state, 'probe')
  proposeEach(cluster, 'a', 'b')
  t.same(
    sent(cluster, 'append').filter(message => message.to === 2),
    [],
    'a dead peer is not dialled in a loop',
  )
  cluster.host(2).restart()
  cluster.run(3)
  t.same(cluster.applied(2), ['a', 'b'])
  t.equal(cluster.status(1).progress.get(2)!.state, 'replicate')
  t.end()
})

t.test('idle slots send nothing but heartbeats', t => {
  const cluster = led({})
  cluster.run(3)
  const types = new Set<string>()
  cluster.onSend = message => types.add(message.type)
  cluster.run(50)
  t.same([...types].sort(), ['heartbeat', 'heartbeatResponse'])
  t.end()
})
