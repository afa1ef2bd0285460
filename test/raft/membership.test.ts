import fc from 'fast-check'
import t from 'tap'
import { Configurations } from '../../services/peer/raft/configuration.ts'
import type { Configuration, MembershipTarget } from '../../services/peer/raft/types.ts'
import { Cluster, configurationOf, type Start } from './cluster.ts'
import { appendFrom } from './messages.ts'

const member = (number: number) => ({ number, uid: `uid-${number}` })

function target(voters: number[], learners: number[] = [], rosterVersion = 1): MembershipTarget {
  return { rosterVersion, voters: voters.map(member), learners: learners.map(member) }
}

/** Members 1, 2, 3 led by 1, and empty stores of `others` that nobody has added yet. */
function led(...others: number[]): Cluster {
  const founded = { index: 0, term: 0, configuration: configurationOf(1, 2, 3) }
  const empty = { index: 0, term: 0, configuration: { rosterVersion: 0, voters: [] } }
  const starts = new Map<number, Start>([
    ...[1, 2, 3].map(number => [number, { snapshot: founded }] as const),
    ...others.map(number => [number, { snapshot: empty }] as const),
  ])
  const cluster = new Cluster([1, 2, 3, ...others], {}, starts)
  cluster.elect(1)
  cluster.settle()
  return cluster
}

const isFinal = (configuration?: Configuration) =>
  configuration !== undefined && configuration.outgoing === undefined && configuration.voters.length > 0

const votersOf = (configuration: Configuration) => configuration.voters.map(({ number }) => number)

t.test('a change goes through a joint configuration to the new one by itself (paper 6)', t => {
  const cluster = led(4)
  t.type(cluster.node(1).changeMembers(target([1, 2, 4])), 'object')
  cluster.pump()
  const joint = cluster.status(1)
  t.same(
    [votersOf(joint.configuration), joint.configuration.outgoing?.map(({ number }) => number)],
    [
      [1, 2, 4],
      [1, 2, 3],
    ],
  )
  t.equal(joint.changing, true)
  cluster.run(3)
  for (const number of [1, 2, 4]) {
    const { configuration, changing, commit, lastIndex } = cluster.status(number)
    t.same(configuration, configurationOf(1, 2, 4), `member ${number}`)
    t.equal(changing, false)
    t.equal(commit, lastIndex)
  }
  t.end()
})

t.test('a joint configuration decides by a majority of both sets (paper 6)', async t => {
  for (const [cut, decides] of [
    [[5, 6], true],
    [[2], true],
    [[2, 3], false],
    [[4, 5], false],
    [[2, 5], true],
  ] as const) {
    await t.test(`without ${cut.join(' and ')} of 1 2 3 and 1 4 5 (6 a learner)`, t => {
      const cluster = led(4, 5, 6)
      cluster.node(1).changeMembers(target([1, 2, 3], [4, 5, 6]))
      cluster.run(3)
      cluster.lose = message => message.type === 'append' && message.from === 1
      cluster.node(1).changeMembers(target([1, 4, 5], [6]))
      cluster.pump()
      cluster.heal()
      for (const number of cut) cluster.isolate(number)
      cluster.run(4)
      const { commit, lastIndex, changing, configuration } = cluster.status(1)
      t.equal(commit === lastIndex && !changing && configuration.outgoing === undefined, decides)
      if (!decides) {
        cluster.run(12)
        t.not(cluster.status(1).role, 'leader', 'check-quorum asks both as well')
      }
      t.end()
    })
  }
})

t.test('a learner counts nowhere, though it receives the log (thesis 4.2.1)', t => {
  const cluster = led(4, 5)
  cluster.node(1).changeMembers(target([1, 2, 3], [4, 5]))
  cluster.pump()
  t.equal(cluster.status(1).configuration.outgoing, undefined, 'only learners change: no joint phase')
  cluster.propose(1, 'a')
  cluster.run(3)
  t.same(cluster.applied(4), ['a'])
  t.equal(cluster.status(1).progress.get(4)?.match, cluster.status(1).lastIndex)
  for (const number of [2, 3]) cluster.isolate(number)
  const before = cluster.status(1).commit
  cluster.propose(1, 'b')
  cluster.settle()
  t.equal(cluster.status(1).commit, before, 'one voter and two learners commit nothing')
  cluster.run(30)
  t.not(cluster.status(1).role, 'leader')
  t.same(
    [4, 5].map(number => cluster.status(number).role),
    ['follower', 'follower'],
    'a learner does not stand',
  )
  t.end()
})

t.test('leadership is not handed to a learner', t => {
  const cluster = led(4)
  cluster.node(1).changeMembers(target([1, 2, 3], [4]))
  cluster.run(3)
  cluster.node(1).transferLeadership(4)
  t.equal(cluster.status(1).transferee, 0)
  cluster.run(3)
  t.same([cluster.status(1).role, cluster.status(4).role], ['leader', 'follower'])
  t.type(cluster.propose(1, 'a'), 'object', 'and nothing waits for it')
  t.end()
})

t.test('a new voter whose entries are compacted gets a snapshot with the configuration', t => {
  const cluster = led(4)
  for (const data of ['a', 'b', 'c']) cluster.propose(1, data)
  cluster.run(2)
  cluster.host(1).disk.compact(4, cluster.status(1).configuration)
  cluster.node(1).changeMembers(target([1, 2, 3], [4]))
  cluster.run(3)
  t.same(cluster.applied(4), ['a', 'b', 'c'])
  t.same(cluster.status(4).configuration.learners, [member(4)])
  t.end()
})

t.test('a new leader finishes a joint configuration it finds', t => {
  const cluster = led(4)
  cluster.node(1).changeMembers(target([2, 3, 4]))
  cluster.lose = ({ from, ...message }) =>
    from === 1 &&
    message.type === 'append' &&
    message.entries.some(({ configuration }) => configuration && !configuration.outgoing)
  cluster.settle()
  t.ok(cluster.status(2).configuration.outgoing, 'the joint one has arrived')
  cluster.host(1).crash()
  cluster.heal()
  for (const number of [2, 3, 4]) cluster.node(number).leaderGone(1)
  cluster.run(20)
  t.ok([2, 3, 4].includes(cluster.leader!.number))
  for (const number of [2, 3, 4]) t.same(cluster.status(number).configuration, configurationOf(2, 3, 4))
  t.end()
})

t.test('a new leader undoes a joint configuration that a majority never saw, with its entry', t => {
  const cluster = led(4)
  cluster.isolate(1)
  cluster.node(1).changeMembers(target([1, 2, 4]))
  cluster.pump()
  t.ok(cluster.status(1).configuration.outgoing)
  cluster.run(30)
  t.ok([2, 3].includes(cluster.leader!.number))
  cluster.heal()
  cluster.run(5)
  for (const number of [1, 2, 3]) t.same(cluster.status(number).configuration, configurationOf(1, 2, 3))
  t.end()
})

t.test(
  'the removed leader steps down when that is committed, not before, and hands over (thesis 4.2.2)',
  t => {
    const cluster = led(4)
    cluster.node(1).changeMembers(target([1, 2, 3], [4]))
    cluster.run(2)
    cluster.node(1).changeMembers(target([2, 3, 4]))
    cluster.propose(1, 'meanwhile')
    cluster.run(1)
    t.equal(cluster.status(1).role, 'follower')
    cluster.run(2)
    t.ok([2, 3, 4].includes(cluster.leader!.number), 'at once, not after an election timeout')
    t.same(cluster.applied(4), ['meanwhile'])
    cluster.run(50)
    t.equal(cluster.status(1).role, 'follower', 'who is out does not stand')
    t.end()
  },
)

t.test('who is left out receives the configuration without it, and is then forgotten', t => {
  const cluster = led(4)
  cluster.node(1).changeMembers(target([1, 2, 3], [4]))
  cluster.run(2)
  cluster.node(1).changeMembers(target([1, 2, 4]))
  cluster.run(2)
  const { configuration } = cluster.status(3)
  t.same(
    configuration.voters.map(({ number }) => number),
    [1, 2, 4],
    'it knows that it is out',
  )
  t.same([...cluster.status(1).progress.keys()].sort(), [2, 4], 'its leader talks to it no more')
  t.end()
})

t.test(
  'a voter that is being removed stands until that is committed, without a vote of its own (thesis 4.2.2)',
  t => {
    const cluster = led(4, 5)
    cluster.node(1).changeMembers(target([1, 2, 3], [4, 5]))
    cluster.run(3)
    cluster.node(1).changeMembers(target([1, 4, 5]))
    // The last configuration reaches no other than 3, which is not in it; then the leader is gone.
    cluster.lose = ({ to, ...message }) =>
      to !== 3 &&
      message.type === 'append' &&
      message.entries.some(({ configuration }) => isFinal(configuration))
    cluster.settle()
    const entry = cluster
      .host(1)
      .disk.entries(cluster.status(1).lastIndex, cluster.status(1).lastIndex + 1, 0)[0]!
    t.ok(isFinal(entry.configuration))
    const { term, lastIndex } = cluster.status(1)
    cluster.host(1).crash()
    cluster.network = []
    cluster.heal()
    const prev: [number, number] = [lastIndex - 1, term]
    cluster.deliver(appendFrom(1, 3, term, { prev, entries: [entry] }))
    t.same(votersOf(cluster.status(3).configuration), [1, 4, 5])
    for (const number of [2, 4, 5]) cluster.isolate(number)
    cluster.run(100)
    t.not(cluster.status(3).role, 'leader', 'alone it has no vote')
    cluster.heal()
    cluster.isolate(2)
    cluster.run(100)
    t.ok([4, 5].includes(cluster.leader!.number), 'it led, committed that it is out, and stepped down')
    for (const number of [4, 5]) t.same(votersOf(cluster.status(number).configuration), [1, 4, 5])
    t.equal(cluster.status(3).role, 'follower')
    t.end()
  },
)

t.test('its own log does not count for a configuration without it (thesis 4.2.2)', t => {
  const cluster = led(4)
  cluster.node(1).changeMembers(target([1, 2, 3], [4]))
  cluster.run(2)
  cluster.lose = message => message.from === 1 && message.type === 'append' && message.to !== 2
  cluster.node(1).changeMembers(target([2, 3, 4]))
  cluster.run(2)
  const { commit, lastIndex, role } = cluster.status(1)
  t.equal(role, 'leader')
  t.ok(commit < lastIndex, 'two of the old, but only one of the new hold the joint one')
  t.end()
})

t.test('one change at a time, behind an entry of the own term, never from an older roster', t => {
  const cluster = led(4)
  t.equal(cluster.node(2).changeMembers(target([1, 2, 4])), 'notLeader')
  t.type(cluster.node(1).changeMembers(target([1, 2, 4], [], 7)), 'object')
  t.equal(cluster.node(1).changeMembers(target([1, 2, 3], [], 8)), 'changing')
  cluster.run(3)
  t.equal(cluster.node(1).changeMembers(target([1, 2, 3], [], 6)), 'outdated')
  t.equal(cluster.node(1).changeMembers(target([1, 2, 3], [], 7)) instanceof Object, true)
  cluster.run(3)
  cluster.lose = message => message.type === 'appendResponse'
  cluster.node(1).transferLeadership(2)
  t.equal(cluster.node(1).changeMembers(target([1, 2, 4], [], 9)), 'transferring')
  cluster.run(1)
  t.match(cluster.status(2), { role: 'leader' })
  t.equal(cluster.node(2).changeMembers(target([1, 2, 4], [], 9)), 'notReady')
  t.end()
})

t.test('a change is refused until the one before is committed, also one of learners only', t => {
  const cluster = led(4)
  cluster.lose = message => message.type === 'append'
  t.type(cluster.node(1).changeMembers(target([1, 2, 3], [4])), 'object')
  t.equal(cluster.status(1).configuration.outgoing, undefined)
  t.equal(cluster.node(1).changeMembers(target([1, 2, 3])), 'changing')
  cluster.heal()
  cluster.node(1).unreachable(2)
  cluster.run(5)
  t.type(cluster.node(1).changeMembers(target([1, 2, 3])), 'object')
  t.end()
})

t.test('a target without voters, or that names a member twice, is a defect of the caller', t => {
  const cluster = led()
  t.throws(() => cluster.node(1).changeMembers(target([])), /without voters/)
  t.throws(() => cluster.node(1).changeMembers(target([1, 2], [2])), /twice/)
  const lost = { rosterVersion: 1, voters: [member(1), member(2), { number: 3, uid: 'another' }] }
  t.throws(() => cluster.node(1).changeMembers(lost), /needs another number/)
  t.end()
})

t.test('a read that is under way is confirmed by the configuration that a change leaves', t => {
  const cluster = led()
  cluster.node(1).changeMembers(target([1, 2]))
  cluster.run(3)
  cluster.lose = message => message.type === 'heartbeatResponse'
  cluster.node(1).readIndex(7)
  cluster.node(1).changeMembers(target([1]))
  cluster.run(3)
  t.same(cluster.status(1).configuration, configurationOf(1))
  t.same(
    cluster.host(1).reads.map(({ context }) => context),
    [7],
  )
  t.end()
})

t.test('consecutive quorums intersect', t => {
  const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 5 })
  const subset = fc.uniqueArray(fc.integer({ min: 1, max: 8 }))
  fc.assert(
    fc.property(numbers, numbers, numbers, subset, (before, after, learners, present) => {
      const old: Configuration = { rosterVersion: 1, voters: before.map(member) }
      const last: Configuration = {
        ...{ rosterVersion: 2, voters: after.map(member) },
        learners: learners.filter(number => !after.includes(number)).map(member),
      }
      const joint: Configuration = { ...last, outgoing: old.voters }
      const [a, b, c] = [old, joint, last].map(each => new Configurations(1, each))
      const inside = (number: number) => present.includes(number)
      const outside = (number: number) => !present.includes(number)
      const disjoint = (one: Configurations, other: Configurations) =>
        (one.isQuorum(inside) && other.isQuorum(outside)) || (one.isQuorum(outside) && other.isQuorum(inside))
      return !disjoint(a!, b!) && !disjoint(b!, c!) && b!.isQuorum(inside) === !b!.isOutOfReach(outside)
    }),
    { numRuns: 2_000, verbose: true },
  )
  t.end()
})
