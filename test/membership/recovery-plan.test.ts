import fc from 'fast-check'
import t from 'tap'
import type { Roster } from '../../services/peer/cube/roster.ts'
import { boundedTerms, type PeerReport, type SlotReport } from '../../services/peer/engine/recovery-wire.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import { Recovery } from '../../services/peer/membership/recovery.ts'
import { ledByTheLost, planRecovery, withoutPeers } from '../../services/peer/membership/recovery-plan.ts'
import { FakeClock } from '../engine/fake-clock.ts'
import { Cluster, configurationOf, type Host } from '../raft/cluster.ts'
import { withLimits } from '../support/limits.ts'
import { rosterOf } from './world.ts'

/** One topic slot, 0; everything else of the cube is well. */
const ROSTER: Roster = { ...rosterOf(4), slots: 1 }
const SLOT = 0
const skip = LIMITS.RECOVERY_SKIP

const well = (slot: number, number: number): SlotReport => ({
  ...{ slot, number, term: 1, commit: 0, last: 0, terms: [[0, 0]], leads: true },
  configuration: configurationOf(1, 2, 3),
})

function holding(number: number, slot: Partial<SlotReport>): SlotReport {
  const voters = configurationOf(1, 2, 3)
  return { ...well(SLOT, number), leads: false, configuration: voters, ...slot }
}

/** What is planned for the slot when these peers, by their places in the roster, are left. */
function planned(copies: Record<number, SlotReport | undefined>, more: Partial<PeerReport> = {}) {
  const peers = ROSTER.peers.filter((_, at) => at in copies)
  const left = { ...ROSTER, peers }
  const reports = new Map(
    Object.entries(copies).map(([at, copy]): [string, PeerReport] => {
      const { id, uid, number } = ROSTER.peers[Number(at)]!
      const slots = [well(1, number), ...(copy ? [copy] : [])]
      return [id, { uid, roster: ROSTER, slots, corrupt: [], promised: [], reached: [], ...more }]
    }),
  )
  return planRecovery(left, reports)
}

t.test('a slot with a primary and a quorum, or with one it can elect, is left alone', async t => {
  const log = { last: 5, commit: 4, term: 3, terms: [[4, 3]] } as const
  t.same(planned({ 0: holding(1, { ...log, leads: true }) }), { slots: [], kept: 2, stuck: [] })
  t.same(planned({ 0: holding(1, log), 1: holding(2, log) }), { slots: [], kept: 2, stuck: [] })
  const behind = { ...log, last: 4 }
  t.equal(planned({ 0: holding(1, log), 1: holding(2, behind) }).kept, 2)
  const owing = { ...behind, floor: { index: 9, term: 3 } }
  t.match(planned({ 0: holding(1, log), 1: holding(2, owing) }).slots, [{ slot: 0, peer: '00', last: 5 }])
  const joint = { ...configurationOf(1, 2), outgoing: configurationOf(1, 3, 4).voters }
  const inChange = { ...log, configuration: joint }
  t.equal(
    planned({ 0: holding(1, inChange), 1: holding(2, inChange) }).kept,
    1,
    'not with half of a joint one',
  )
})

t.test('the log that goes on is the one that would win, and the order of succession decides', async t => {
  const one = {
    last: 5,
    commit: 4,
    term: 3,
    terms: [[4, 3]],
    configuration: configurationOf(1, 5, 6),
  } as const
  const longer = { ...one, last: 7 }
  const newer = {
    ...one,
    terms: [
      [4, 3],
      [5, 4],
    ],
  } as const
  t.match(planned({ 0: holding(1, one), 1: holding(2, longer) }).slots, [
    { slot: 0, peer: '01', last: 7, lastTerm: 3, term: 3 + skip, corrupt: [] },
  ])
  t.match(planned({ 0: holding(1, newer), 1: holding(2, longer) }).slots, [
    { slot: 0, peer: '00', last: 5, lastTerm: 4 },
  ])
  t.match(planned({ 3: holding(4, one), 1: holding(2, one), 0: holding(1, one) }).slots, [{ peer: '00' }])
})

t.test('what one of those left knows to be committed outweighs a tail of a higher term', async t => {
  // A leader among the lost of term 4 committed entry 1 of term 2 with voters that are all lost.
  const configuration = configurationOf(1, 2, 5, 6, 7)
  const knows = holding(1, { configuration, term: 4, commit: 1, last: 1, terms: [[1, 2]] })
  const tail = holding(2, {
    configuration,
    term: 3,
    last: 3,
    terms: [
      [0, 0],
      [1, 3],
    ],
  })
  t.match(planned({ 0: knows, 1: tail }).slots, [{ peer: '00', last: 1, lastTerm: 2, term: 4 + skip }])
  const agrees = holding(2, {
    configuration,
    term: 3,
    last: 3,
    terms: [
      [0, 0],
      [1, 2],
      [2, 3],
    ],
  })
  t.match(planned({ 0: knows, 1: agrees }).slots, [{ peer: '01', last: 3, lastTerm: 3 }])
})

t.test('a slot of which nobody has a log is founded anew, above every promise', async t => {
  const empty = holding(1, { term: 6, configuration: { rosterVersion: 0, voters: [] } })
  const anew = { slot: 0, peer: '00', last: 0, lastTerm: 0, corrupt: [] }
  t.same(planned({ 0: undefined, 1: undefined }).slots, [{ ...anew, term: skip }])
  t.same(planned({ 0: empty, 1: undefined }).slots, [{ ...anew, term: 6 + skip }])
  t.same(planned({ 0: empty, 1: undefined }, { promised: [[0, 9]] }).slots, [{ ...anew, term: 9 + skip }])
  t.match(planned({ 0: undefined, 1: undefined }, { corrupt: [0] }), {
    slots: [],
    stuck: [{ slot: 0, corrupt: ['00', '01'] }],
  })
})

t.test('a copy that cannot be read is not given up in silence', async t => {
  const report = (at: number, slots: readonly SlotReport[], corrupt: readonly number[]): PeerReport => {
    const { uid } = ROSTER.peers[at]!
    return { uid, roster: ROSTER, slots, corrupt, promised: [], reached: [] }
  }
  const log = { last: 5, commit: 4, term: 3, terms: [[4, 3]] } as const
  const copy = [holding(1, log), well(1, 1)]
  const among = (...reports: PeerReport[]) =>
    planRecovery(ROSTER, new Map(reports.map((one, at) => [ROSTER.peers[at]!.id, one])))
  t.match(among(report(0, copy, []), report(1, [], [0])), {
    slots: [{ peer: '00', corrupt: ['01'] }],
    stuck: [],
  })
  t.match(among(report(0, [well(1, 1)], []), report(1, [], [0])), {
    slots: [],
    stuck: [{ slot: 0, corrupt: ['01'] }],
  })
  t.match(
    among(report(0, copy.slice(0, 1), []), report(1, [], [1])),
    {
      slots: [{ slot: 0 }, { slot: 1, peer: '00', last: 0, corrupt: ['01'] }],
      stuck: [],
    },
    'what the roster’s slot holds is known to every peer',
  )
})

t.test('of a log with too many terms the one that others are held against is told', async t => {
  withLimits(t, { RECOVERY_TERMS: 3 })
  const terms = [4, 5, 6, 7, 8].map(index => [index, index] as const)
  t.same(boundedTerms(terms), [
    [4, 4],
    [7, 7],
    [8, 8],
  ])
  t.same(boundedTerms(terms.slice(2)), terms.slice(2))
  const configuration = configurationOf(1, 2, 5, 6, 7)
  const knows = holding(1, { configuration, term: 9, commit: 4, last: 4, terms: [[4, 2]] })
  const tail = { configuration, term: 8, last: 8 }
  const other = holding(2, {
    ...tail,
    commit: 3,
    terms: boundedTerms([
      [3, 1],
      [4, 4],
      [5, 5],
      [6, 6],
      [7, 7],
    ]),
  })
  t.match(planned({ 0: knows, 1: other }).slots, [{ peer: '00' }])
  const untold = holding(2, {
    ...tail,
    commit: 2,
    terms: boundedTerms([
      [2, 2],
      [4, 4],
      [5, 5],
      [6, 6],
      [7, 7],
    ]),
  })
  t.match(planned({ 0: knows, 1: untold }).slots, [{ peer: '00' }], 'what was left out proves nothing')
})

t.test('a primary that only the lost can have confirmed shows that they are not lost', async t => {
  const reports = (...slots: SlotReport[]) => {
    const of = (at: number, held: readonly SlotReport[]): [string, PeerReport] => {
      const uid = `uid-${at}`
      return [`0${at - 1}`, { uid, roster: ROSTER, slots: held, corrupt: [], promised: [], reached: [] }]
    }
    return new Map([of(1, slots), of(2, [])])
  }
  t.equal(ledByTheLost(reports(well(SLOT, 1))), undefined, 'two of three are left')
  const configuration = configurationOf(1, 3, 4)
  t.same(ledByTheLost(reports({ ...well(SLOT, 1), configuration })), { peer: '00', slot: SLOT })
  t.equal(ledByTheLost(reports({ ...well(SLOT, 1), configuration, leads: false })), undefined)
  const joint = { ...configurationOf(1, 2), outgoing: configuration.voters }
  t.same(ledByTheLost(reports({ ...well(SLOT, 1), configuration: joint })), { peer: '00', slot: SLOT })
})

/** Asks the first peer to recover from the others, when this is what it holds. */
async function recovering(roster: Roster, report: Partial<PeerReport>, force: boolean) {
  const [self, ...others] = roster.peers
  const asked: string[] = []
  const quiet = { debug() {}, info() {}, warn() {}, error() {} }
  const recovery = new Recovery({
    ...{ self: self!.id, rosters: { current: roster }, clock: new FakeClock(), log: quiet, adopt() {} },
    async ask(_, { kind }) {
      asked.push(kind)
      const nothing = { slots: [], corrupt: [], promised: [], reached: [] }
      return { kind: 'report', report: { uid: self!.uid, roster, ...nothing, ...report } }
    },
  })
  const failure = await recovery
    .recover({ lost: others.map(({ id }) => id), force, by: 't' })
    .catch(error => error)
  t.same(asked, ['report'], 'nothing was changed')
  return failure
}

t.test('a recovery that could take nobody off the list does not begin', async t => {
  const corrupt = { corrupt: [0, 1] }
  t.match(await recovering(ROSTER, corrupt, false), { stuck: [{ slot: 0 }, { slot: 1, corrupt: ['00'] }] })
  t.match(await recovering(ROSTER, corrupt, true), {
    code: 'RECOVERY_INCOMPLETE',
    message: /stop one of 00 and name/,
  })
})

t.test('the last peer that is not leaving is refused before anything is done', async t => {
  const [self, ...others] = ROSTER.peers
  const leaving = { ...ROSTER, peers: [{ ...self!, leaving: true as const }, ...others] }
  const alone = { rosterVersion: 1, voters: [{ number: 1, uid: self!.uid }] }
  const kept = { slots: [{ ...well(1, 1), configuration: alone }] }
  t.match(await recovering(leaving, kept, false), { code: 'LAST_PEER' })
  t.match(await recovering(ROSTER, kept, false), { done: false, slots: [{ slot: 0 }] })
  t.match(await recovering(leaving, {}, false), { done: false, slots: [{ slot: 0 }, { slot: 1 }] })
})

t.test('those that meant to leave stay when nobody else is left', async t => {
  const [a, b, c] = ROSTER.peers.map(peer => ({ ...peer, leaving: true as const }))
  const roster = { ...ROSTER, peers: [a!, b!, { ...c!, leaving: undefined as never }] }
  t.match(withoutPeers(roster, new Set(['uid-1'])).peers, [{ id: '00', leaving: true }, { id: '10' }])
  t.notOk(withoutPeers(roster, new Set(['uid-1', 'uid-2'])).peers[0]?.leaving)
})

const FIVE = [1, 2, 3, 4, 5]
const step = fc.record({
  kind: fc.constantFrom('propose', 'propose', 'elect', 'cut', 'heal', 'run', 'run'),
  who: fc.constantFrom(...FIVE),
})

/** What the engine would tell of a member. */
function reportOf({ number, disk, status }: Host): SlotReport {
  const last = disk.lastIndex()
  const commit = Math.min(status.commit, last)
  const terms: [number, number][] = []
  for (let index = commit; index <= last; index++) {
    const term = disk.term(index)!
    if (terms.at(-1)?.[1] !== term) terms.push([index, term])
  }
  const { term, configuration } = status
  return { slot: SLOT, number, term, commit, last, terms, configuration, leads: false }
}

function play(cluster: Cluster, { kind, who }: { kind: string; who: number }): void {
  if (kind === 'propose') {
    for (const number of FIVE) cluster.propose(number, `by ${number}`)
    cluster.pump()
    // Some of what is under way arrives, some is lost with the next cut.
    for (let count = 0; count < who && cluster.network.length > 0; count++) {
      cluster.deliver(cluster.network.shift()!)
    }
  } else if (kind === 'elect') cluster.tick(who, 40)
  else if (kind === 'cut') cluster.isolate(who)
  else if (kind === 'heal') cluster.heal()
  else cluster.run(3)
}

t.test(
  'whatever happened before, the log that goes on holds all that anybody left knows to be committed',
  async () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 10, maxLength: 60 }),
        fc.shuffledSubarray(FIVE, { minLength: 2, maxLength: 2 }),
        (steps, left) => {
          const cluster = new Cluster(FIVE)
          for (const one of steps) play(cluster, one)
          for (const host of cluster.hosts.values()) if (!left.includes(host.number)) host.crash()
          cluster.network = []
          cluster.heal()
          cluster.settle()
          const committed = left.map(number => cluster.applied(number))
          const copies = Object.fromEntries(left.map((number, at) => [at, reportOf(cluster.host(number))]))
          const { slots } = planned(copies)
          const [plan] = slots
          if (plan === undefined) return committed.every(applied => applied.length === 0)
          if (plan.last === 0) return true
          const first = left[ROSTER.peers.findIndex(({ id }) => id === plan.peer)]!
          const second = left.find(number => number !== first)!
          cluster.node(first).goOnAlone(`uid-${first}`, plan.term, 1)
          cluster.settle()
          const { voters } = configurationOf(first)
          const learners = configurationOf(second).voters
          cluster.node(first).changeMembers({ rosterVersion: 1, voters, learners })
          cluster.run(12)
          const now = cluster.applied(first)
          const kept = committed.every(applied => applied.every((data, at) => data === now[at]))
          return kept && JSON.stringify(cluster.applied(second)) === JSON.stringify(now)
        },
      ),
      { numRuns: 60, verbose: true },
    )
  },
)
