import t from 'tap'
import { InvariantBroken } from '../../services/peer/raft/invariant.ts'
import type { Message } from '../../services/peer/raft/types.ts'
import { Cluster, configurationOf, logOf, type Start } from './cluster.ts'
import { appendFrom, heartbeatFrom, sent, voteFrom } from './messages.ts'

function withLogs(logs: Record<number, number[]>): Cluster {
  const numbers = Object.keys(logs).map(Number)
  return new Cluster(
    numbers,
    {},
    new Map(numbers.map(number => [number, { entries: logOf(...logs[number]!) } as Start])),
  )
}

t.test('a lone voter elects itself at its first tick', t => {
  const cluster = new Cluster([7])
  cluster.tick(7)
  t.match(cluster.status(7), { role: 'leader', term: 1, leader: 7, commit: 1 })
  t.end()
})

t.test('at a fresh start the home stands at its first tick, the others let it', t => {
  const cluster = new Cluster([1, 2, 3])
  for (const number of [3, 2, 1]) cluster.tick(number)
  t.same(
    cluster.network.map(message => message.from),
    [1, 1],
  )
  cluster.settle()
  t.equal(cluster.leader?.number, 1)
  t.end()
})

t.test('when the home is not there at a fresh start, the next one stands a little later', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.host(1).crash()
  cluster.run(3)
  t.equal(cluster.leader?.number, 2)
  t.end()
})

t.test('a follower that hears from its leader does not stand (paper 5.2)', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  cluster.run(100)
  t.match(cluster.status(1), { role: 'leader', term: 1 })
  t.end()
})

t.test('the order of succession may change while the member runs, and the waits follow', t => {
  const standsAfter = (cluster: Cluster, number: number): number => {
    for (let ticks = 1; ; ticks++) {
      cluster.tick(number)
      if (cluster.status(number).role === 'preCandidate') return ticks
    }
  }
  const led = () => {
    const cluster = new Cluster([1, 2, 3, 4])
    cluster.elect(1)
    cluster.isolate(1)
    return cluster
  }
  const before = led()
  t.same(
    [2, 3, 4].map(number => standsAfter(before, number)),
    [10, 12, 14],
  )
  const after = led()
  for (const number of [2, 3, 4]) after.node(number).setSuccession([1, 4, 3, 2])
  t.same(
    [2, 3, 4].map(number => standsAfter(after, number)),
    [14, 12, 10],
    'the silence under way',
  )
  const gone = led()
  for (const number of [2, 3, 4]) {
    gone.node(number).setSuccession([1, 4, 3, 2])
    gone.node(number).leaderGone(1)
    gone.host(number).pump()
  }
  t.equal(gone.status(4).role, 'preCandidate', 'the first stands at once')
  t.same([standsAfter(gone, 3), standsAfter(gone, 2)], [2, 4])
  const waiting = led()
  waiting.node(4).leaderGone(1)
  waiting.node(4).setSuccession([1, 4, 3, 2])
  t.equal(standsAfter(waiting, 4), 1, 'a wait for others that do not come first any more ends')
  const fresh = new Cluster([1, 2, 3])
  fresh.node(3).setSuccession([3, 2, 1])
  t.equal(standsAfter(fresh, 3), 1)
  t.end()
})

t.test('silence ends in order of succession, the silent leader not counted', t => {
  const cluster = new Cluster([1, 2, 3, 4], { succession: [1, 3, 4, 2] })
  cluster.elect(1)
  cluster.isolate(1)
  const standsAfter = (number: number): number => {
    for (let ticks = 1; ; ticks++) {
      cluster.tick(number)
      if (cluster.status(number).role === 'preCandidate') return ticks
    }
  }
  t.same([3, 4, 2].map(standsAfter), [10, 12, 14], 'election timeout and two ticks for each place')
  t.end()
})

t.test('members that the order does not list come last, by number', t => {
  const cluster = new Cluster([1, 2, 3, 4], { succession: [4] })
  const firstTick = [4, 1, 2, 3].map(number => {
    for (let ticks = 1; ; ticks++) {
      cluster.tick(number)
      if (cluster.status(number).role === 'preCandidate') return ticks
    }
  })
  t.same(firstTick, [1, 3, 5, 7])
  t.end()
})

t.test('a candidate votes for itself and wins with a majority (paper 5.2)', t => {
  for (const [size, needed] of [
    [2, 1],
    [3, 1],
    [4, 2],
    [5, 2],
    [7, 3],
  ] as const) {
    const numbers = Array.from({ length: size }, (_, at) => at + 1)
    const cluster = new Cluster(numbers)
    const granting = numbers.slice(1, 1 + needed)
    cluster.lose = message => message.type === 'voteResponse' && !granting.includes(message.from)
    cluster.tick(1)
    cluster.settle()
    t.equal(cluster.status(1).role, 'leader', `${needed} of the ${size - 1} others suffice`)
    const short = new Cluster(numbers)
    short.lose = message => message.type === 'voteResponse' && !granting.slice(1).includes(message.from)
    short.tick(1)
    short.settle()
    t.equal(short.status(1).role, 'candidate', `${needed - 1} do not`)
  }
  t.end()
})

t.test('a member gives one vote in a term, to whoever asks first (paper 5.2)', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.deliver(voteFrom(2, 1, 5))
  cluster.deliver(voteFrom(3, 1, 5))
  cluster.deliver(voteFrom(2, 1, 5))
  t.same(
    sent(cluster, 'voteResponse').map(({ to, granted }) => [to, granted]),
    [
      [2, true],
      [3, false],
      [2, true],
    ],
  )
  t.end()
})

t.test('a vote is remembered over a restart (paper 5.2)', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.deliver(voteFrom(2, 1, 5))
  cluster.host(1).crash()
  cluster.host(1).restart()
  cluster.deliver(voteFrom(3, 1, 5))
  t.equal(sent(cluster, 'voteResponse').at(-1)!.granted, false)
  t.end()
})

t.test('no vote for a log that ends earlier (paper 5.4.1)', t => {
  const cases: [own: number[], lastIndex: number, lastTerm: number, granted: boolean][] = [
    [[1], 1, 1, true],
    [[1], 2, 1, true],
    [[1, 1], 1, 1, false],
    [[1], 1, 2, true],
    [[1, 1], 1, 2, true],
    [[2], 2, 1, false],
    [[2, 2], 1, 1, false],
    [[1, 2], 5, 1, false],
  ]
  for (const [own, lastIndex, lastTerm, granted] of cases) {
    const cluster = withLogs({ 1: own, 2: [], 3: [] })
    cluster.deliver(voteFrom(2, 1, 3, lastIndex, lastTerm))
    t.equal(
      sent(cluster, 'voteResponse')[0]!.granted,
      granted,
      `log ${own} asked by one that ends ${lastIndex}@${lastTerm}`,
    )
  }
  t.end()
})

t.test('a candidate gives way to the leader of its own term (paper 5.2)', t => {
  for (const hears of [appendFrom(2, 1, 1), heartbeatFrom(2, 1, 1)]) {
    const cluster = new Cluster([1, 2, 3])
    cluster.lose = message => message.type === 'voteResponse'
    cluster.tick(1)
    cluster.settle()
    t.match(cluster.status(1), { role: 'candidate', term: 1 })
    cluster.deliver(hears)
    t.match(cluster.status(1), { role: 'follower', term: 1, leader: 2 })
  }
  t.end()
})

t.test('a candidate that a majority refuses stands again soon, not an election timeout later', t => {
  const cluster = withLogs({ 1: [1], 2: [1, 2], 3: [1, 2] })
  cluster.tick(1)
  cluster.settle()
  t.equal(cluster.status(1).role, 'follower')
  cluster.tick(1, 4)
  t.equal(cluster.status(1).role, 'preCandidate')
  t.end()
})

t.test('any role follows a higher term (paper 5.1)', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  cluster.deliver(appendFrom(2, 1, 9))
  t.match(cluster.status(1), { role: 'follower', term: 9, leader: 2 })
  t.end()
})

t.test('a stale leader or candidate learns the term (paper 5.1)', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.deliver(heartbeatFrom(2, 1, 9))
  cluster.network = []
  const stale: Message[] = [
    appendFrom(3, 1, 4),
    heartbeatFrom(3, 1, 4),
    voteFrom(3, 1, 4),
    { ...voteFrom(3, 1, 4), type: 'preVote' },
  ]
  for (const message of stale) cluster.deliver(message)
  t.same(
    cluster.network.map(({ type, term }) => [type, term]),
    [
      ['appendResponse', 9],
      ['appendResponse', 9],
      ['voteResponse', 9],
      ['preVoteResponse', 9],
    ],
  )
  t.match(cluster.status(1), { term: 9, leader: 2 })
  t.end()
})

t.test('two leaders of one term stop the member that sees them (election safety)', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.deliver(heartbeatFrom(2, 1, 4))
  t.throws(() => cluster.deliver(heartbeatFrom(3, 1, 4)), InvariantBroken)
  const leader = new Cluster([1, 2, 3])
  leader.elect(1)
  t.throws(() => leader.deliver(appendFrom(2, 1, 1)), InvariantBroken)
  t.end()
})

t.test('when the leader is known to be gone, the next stands at once and the others in order', t => {
  const cluster = new Cluster([1, 2, 3, 4])
  cluster.elect(1)
  cluster.host(1).crash()
  for (const number of [4, 3, 2]) {
    cluster.node(number).leaderGone(1)
    cluster.host(number).pump()
  }
  t.same(
    sent(cluster, 'preVote').map(message => message.from),
    [2, 2, 2],
    'within the call',
  )
  cluster.tick(3, 2)
  cluster.tick(4, 3)
  t.same(
    sent(cluster, 'preVote').map(message => message.from),
    [3, 3, 3],
  )
  cluster.tick(4)
  t.same(
    sent(cluster, 'preVote').map(message => message.from),
    [4, 4, 4],
  )
  t.end()
})

t.test('to hear again that the leader is gone moves no timer', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  cluster.host(1).crash()
  for (let tick = 0; tick < 2; tick++) {
    cluster.node(3).leaderGone(1)
    cluster.tick(3)
  }
  t.equal(cluster.status(3).role, 'preCandidate')
  t.end()
})

t.test('that somebody other than the leader is gone is nothing to a follower', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.elect(1)
  cluster.node(2).leaderGone(3)
  cluster.node(1).leaderGone(2)
  cluster.settle()
  t.match(cluster.status(2), { role: 'follower', leader: 1 })
  t.match(cluster.status(1), { role: 'leader' })
  t.end()
})

t.test(
  'a failed round is tried again shortly while the leader is gone, until the last voter knows it too',
  t => {
    const cluster = new Cluster([1, 2, 3])
    cluster.elect(1)
    cluster.host(1).crash()
    cluster.node(2).leaderGone(1)
    cluster.settle()
    t.equal(cluster.status(2).role, 'preCandidate', 'member 3 still sticks to the leader')
    cluster.node(3).leaderGone(1)
    cluster.tick(2, 4)
    cluster.settle()
    t.equal(cluster.leader?.number, 2)
    t.end()
  },
)

t.test('when the next in order has the shorter log, the one after it wins', t => {
  const cluster = withLogs({ 1: [1, 1], 2: [1], 3: [1, 1] })
  cluster.elect(1)
  cluster.lose = message => message.to === 2
  cluster.propose(1, 'x')
  cluster.settle()
  cluster.heal()
  cluster.host(1).crash()
  for (const number of [2, 3]) cluster.node(number).leaderGone(1)
  cluster.run(6)
  t.equal(cluster.leader?.number, 3)
  t.end()
})

t.test('a member that is no voter never stands, and votes as it should', t => {
  const configuration = configurationOf(1, 2)
  const cluster = new Cluster(
    [1, 2, 3],
    {},
    new Map([[3, { snapshot: { index: 0, term: 0, configuration } }]]),
  )
  cluster.tick(3, 100)
  t.equal(cluster.status(3).role, 'follower')
  cluster.deliver(voteFrom(1, 3, 1))
  t.equal(sent(cluster, 'voteResponse')[0]!.granted, true)
  t.end()
})

t.test('answers of strangers elect nobody, and messages to others change nothing', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.tick(1)
  cluster.deliver({ type: 'preVoteResponse', from: 9, to: 1, term: 1, granted: true })
  t.equal(cluster.status(1).role, 'preCandidate')
  cluster.node(1).step(heartbeatFrom(2, 3, 8))
  t.equal(cluster.status(1).term, 0)
  t.end()
})

t.test('a heartbeat that says nothing new restarts the wait for silence and leaves nothing to do', t => {
  const cluster = new Cluster([1, 2, 3])
  cluster.run(3)
  const { node } = cluster.host(2)
  const { leader, term, commit } = cluster.status(2)
  t.equal(leader, 1)
  for (let tick = 0; tick < 200; tick++) {
    node.tick()
    t.equal(node.heardAgain(1, term, commit), true)
  }
  t.equal(node.role, 'follower')
  t.equal(node.hasReady(), false)
  t.equal(node.heardAgain(3, term, commit), false, 'of another than the leader')
  t.equal(node.heardAgain(1, term + 1, commit), false, 'of a later term')
  t.equal(node.heardAgain(1, term, commit + 1), false, 'with a commit index that is news')
  node.leaderGone(1)
  t.equal(node.heardAgain(1, term, commit), false, 'of a leader that is known to be gone')
  t.end()
})
