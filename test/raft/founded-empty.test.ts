import t from 'tap'
import { Configurations } from '../../services/peer/raft/configuration.ts'
import type { HardState } from '../../services/peer/raft/types.ts'
import { Cluster, configurationOf, logOf, type Start } from './cluster.ts'
import { acceptedBy, appendFrom, heartbeatFrom, preVoteFrom, sent, voteFrom } from './messages.ts'

const NOBODY = { rosterVersion: 0, voters: [] }
const EMPTY = { index: 0, term: 0, configuration: NOBODY }

/** Members 1 and 2 of one another; 3 was founded empty, perhaps where a replica was dropped before. */
function withEmpty(hardState?: HardState): Cluster {
  const founded = { snapshot: { index: 0, term: 0, configuration: configurationOf(1, 2) } }
  const empty = { snapshot: EMPTY, ...(hardState && { hardState }) }
  const starts = new Map<number, Start>([
    [1, founded],
    [2, founded],
    [3, empty],
  ])
  return new Cluster([1, 2, 3], {}, starts)
}

const configEntry = (index: number, term: number, ...numbers: number[]) => {
  const configuration = configurationOf(...numbers)
  return { index, term, type: 'config' as const, data: new Uint8Array(0), configuration }
}

t.test('a majority of nobody is no quorum', t => {
  for (const none of [NOBODY, { ...NOBODY, learners: configurationOf(3).voters }]) {
    const configurations = new Configurations(0, none)
    t.equal(
      configurations.isQuorum(() => true),
      false,
    )
    t.equal(
      configurations.reachedByQuorum(() => 9),
      0,
    )
    t.equal(configurations.isVoter(3), false)
    t.equal(configurations.mayBeVoter(3, 0), false)
  }
  t.end()
})

t.test('a member founded empty never stands, leads or answers reads, whatever it hears', t => {
  const cluster = withEmpty()
  const silent = (what: string) => {
    t.match(cluster.status(3), { role: 'follower', term: 4, lastIndex: 0 }, what)
    t.same(
      cluster.network.filter(({ from, type }) => from === 3 && (type === 'vote' || type === 'preVote')),
      [],
      what,
    )
  }
  cluster.deliver(heartbeatFrom(1, 3, 4))
  cluster.tick(3, 200)
  silent('silence')
  cluster.deliver(heartbeatFrom(1, 3, 4))
  cluster.node(3).leaderGone(1)
  cluster.host(3).pump()
  cluster.tick(3, 200)
  silent('a leader that is gone')
  cluster.deliver({ type: 'timeoutNow', from: 1, to: 3, term: 4 })
  silent('a leader that hands over')
  t.equal(cluster.host(3).disk.hardState.vote, 0)
  t.equal(cluster.node(3).readIndex(1), 'notLeader')
  t.equal(cluster.propose(3, 'a'), 'notLeader')
  t.equal(cluster.node(3).changeMembers({ rosterVersion: 9, voters: configurationOf(3).voters }), 'notLeader')
  t.end()
})

t.test('it takes the log from its first entry, which tells it who takes part', t => {
  const cluster = withEmpty()
  cluster.elect(1)
  cluster.propose(1, 'a')
  cluster.settle()
  const { voters } = configurationOf(1, 2)
  const added = configurationOf(3).voters
  cluster.node(1).changeMembers({ rosterVersion: 1, voters, learners: added })
  cluster.run(3)
  t.same(cluster.applied(3), ['a'])
  t.same(cluster.status(3).configuration.learners, added)
  const { lastIndex, progress } = cluster.status(1)
  t.match(progress.get(3), { match: lastIndex, state: 'replicate', recentActive: true }, 'a learner is level')
  cluster.node(1).changeMembers({ rosterVersion: 2, voters: [...voters, ...added] })
  cluster.run(3)
  t.same(cluster.status(3).configuration, { ...configurationOf(1, 2, 3), rosterVersion: 2 })
  cluster.host(1).crash()
  cluster.run(40)
  t.ok(cluster.leader, 'its vote counts now')
  t.end()
})

t.test('it votes: it may be a voter in a configuration that has not reached it (thesis 4.1, 4.2.1)', t => {
  const cluster = withEmpty()
  cluster.deliver(preVoteFrom(1, 3, 5))
  cluster.deliver(voteFrom(1, 3, 5))
  t.match(
    cluster.network.map(message => message),
    [{ granted: true }, { granted: true }],
  )
  t.end()
})

t.test('the term and the vote of an earlier life hold', t => {
  const cluster = withEmpty({ term: 5, vote: 2, commit: 0 })
  cluster.deliver(voteFrom(1, 3, 5))
  cluster.deliver(voteFrom(1, 3, 4))
  t.match(sent(cluster, 'voteResponse'), [
    { granted: false, term: 5 },
    { granted: false, term: 5 },
  ])
  cluster.deliver(voteFrom(2, 3, 5))
  t.match(sent(cluster, 'voteResponse'), [{ granted: true, term: 5 }])
  t.end()
})

t.test('who lost its log votes for none that lacks what was in it', t => {
  const floor = { index: 7, term: 4 }
  const cluster = withEmpty({ term: 5, vote: 0, commit: 0, floor })
  const granted = (lastIndex: number, lastTerm: number, term: number) => {
    cluster.deliver(preVoteFrom(1, 3, term, lastIndex, lastTerm))
    cluster.deliver(voteFrom(1, 3, term, lastIndex, lastTerm))
    return cluster.network.splice(0).map(message => 'granted' in message && message.granted)
  }
  t.same(granted(6, 4, 6), [false, false])
  t.same(granted(100, 3, 7), [false, false])
  t.same(granted(7, 4, 8), [true, true])
  t.same(granted(1, 5, 9), [true, true])
  cluster.host(3).crash()
  cluster.host(3).restart()
  t.same(cluster.host(3).disk.hardState.floor, floor)
  t.same(granted(6, 4, 10), [false, false], 'also after a restart')
  t.end()
})

t.test('who lost its log stands when it is as good again, and not for an old configuration in it', t => {
  const cluster = withEmpty({ term: 4, vote: 0, commit: 0, floor: { index: 3, term: 4 } })
  const entries = [configEntry(1, 1, 1, 2, 3), ...logOf(1, 4, 4).slice(1)]
  cluster.deliver(appendFrom(1, 3, 4, { entries: entries.slice(0, 2), commit: 2 }))
  t.same(cluster.status(3).configuration, configurationOf(1, 2, 3))
  cluster.node(3).leaderGone(1)
  cluster.deliver({ type: 'timeoutNow', from: 1, to: 3, term: 4 })
  cluster.tick(3, 100)
  t.match(cluster.status(3), { role: 'follower', term: 4 })
  t.ok(cluster.host(3).disk.hardState.floor)
  cluster.deliver(appendFrom(1, 3, 4, { prev: [2, 4], entries: entries.slice(2), commit: 2 }))
  t.equal(cluster.host(3).disk.hardState.floor, undefined, 'its log says it all from here on')
  cluster.tick(3, 100)
  t.equal(cluster.status(3).role, 'preCandidate')
  t.end()
})

t.test(
  'who lost its log learns from a heartbeat what is committed as far as the appends since then go',
  t => {
    const cluster = withEmpty({ term: 4, vote: 0, commit: 0, floor: { index: 5, term: 4 } })
    const entries = [configEntry(1, 1, 1, 2, 3), ...logOf(1, 4, 4).slice(1)]
    cluster.deliver(heartbeatFrom(1, 3, 4, 3))
    t.equal(cluster.status(3).commit, 0, 'its leader goes by what it held in its earlier life')
    cluster.deliver(appendFrom(1, 3, 4, { entries: entries.slice(0, 2), commit: 1 }))
    cluster.deliver(heartbeatFrom(1, 3, 4, 3))
    t.equal(cluster.status(3).commit, 2)
    cluster.deliver(heartbeatFrom(2, 3, 5, 3))
    cluster.deliver(heartbeatFrom(2, 3, 5, 2))
    t.equal(cluster.status(3).commit, 2, 'what one leader has told says nothing of the next one’s log')
    t.ok(cluster.host(3).disk.hardState.floor)
    t.end()
  },
)

t.test('a snapshot behind the end of the lost log makes good for it too', t => {
  const cluster = withEmpty({ term: 4, vote: 0, commit: 0, floor: { index: 3, term: 4 } })
  const snapshot = { index: 3, term: 4, configuration: configurationOf(1, 2, 3) }
  cluster.deliver({ type: 'snapshot', from: 1, to: 3, term: 4, snapshot })
  t.equal(cluster.host(3).disk.hardState.floor, undefined)
  cluster.tick(3, 100)
  t.equal(cluster.status(3).role, 'preCandidate')
  t.end()
})

t.test('an old configuration that counts on a lost log elects nobody', t => {
  const cluster = new Cluster([1, 2, 3, 4], {}, replaced())
  cluster.isolate(2)
  cluster.elect(1)
  const { voters } = configurationOf(1, 2, 4)
  cluster.node(1).changeMembers({ rosterVersion: 2, voters })
  cluster.run(3)
  cluster.propose(1, 'acknowledged')
  cluster.run(2)
  t.same(cluster.applied(4), ['acknowledged'])
  t.equal(cluster.status(1).changing, false, '3 is out')
  cluster.host(3).comeAgain()
  cluster.heal()
  for (const number of [1, 4]) cluster.isolate(number)
  cluster.run(200)
  t.same(cluster.status(2).configuration, configurationOf(1, 2, 3), '2 never heard of the change')
  t.not(cluster.status(2).role, 'leader')
  cluster.heal()
  cluster.run(30)
  t.same(cluster.applied(2), ['acknowledged'])
  t.end()
})

t.test('a leader finds out that a member lost what a late answer says it holds', t => {
  const cluster = new Cluster([1, 2, 3, 4], {}, replaced())
  cluster.elect(1)
  cluster.propose(1, 'a')
  cluster.run(2)
  const before = cluster.status(3).lastIndex
  cluster.node(1).changeMembers({ rosterVersion: 2, voters: configurationOf(1, 2, 4).voters })
  cluster.run(3)
  const { term } = cluster.status(1)
  cluster.host(3).comeAgain()
  const learners = configurationOf(3).voters
  cluster.node(1).changeMembers({ rosterVersion: 3, voters: configurationOf(1, 2, 4).voters, learners })
  cluster.deliver(acceptedBy(3, 1, term, before))
  t.equal(cluster.status(1).progress.get(3)?.match, before)
  cluster.run(5)
  t.same(cluster.applied(3), ['a'])
  t.equal(cluster.status(1).progress.get(3)?.match, cluster.status(1).lastIndex)
  t.end()
})

/** Members 1, 2, 3; 4 has an empty store. */
function replaced(): Map<number, Start> {
  const founded = { snapshot: { index: 0, term: 0, configuration: configurationOf(1, 2, 3) } }
  return new Map<number, Start>([
    ...[1, 2, 3].map(number => [number, founded] as const),
    [4, { snapshot: EMPTY }],
  ])
}
