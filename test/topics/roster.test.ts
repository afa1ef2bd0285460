import t from 'tap'
import type { RosterChange } from '../../services/peer/cube/roster-change.ts'
import type { ProducerStamp } from '../../services/peer/topics/types.ts'
import { NOTE, rosterOf, SMALL, urlOf } from '../cube/changes.ts'
import { Bench, stamp } from './kit.ts'

const ROSTER = rosterOf(2, ['00', '01', '11'])
const JOIN: RosterChange = { kind: 'join', uid: 'u9', url: urlOf(9), ...NOTE }

/** The roster's slot, founded. */
class RosterBench extends Bench {
  constructor(roster = ROSTER) {
    super({ roster: SMALL })
    this.change({ kind: 'found', roster })
  }

  change(change: RosterChange, producer?: ProducerStamp) {
    return this.apply({ kind: 'roster', change, timeMs: this.timeMs, ...(producer && { producer }) })
  }

  get roster() {
    return this.machine.slot.roster
  }
}

t.test('a slot becomes the one of the roster with the entry that founds it', async t => {
  const bench = new Bench({ roster: SMALL })
  t.equal(bench.machine.slot.roster, undefined)
  const applied = bench.apply({ kind: 'roster', change: { kind: 'found', roster: ROSTER }, timeMs: 5 })
  t.same(applied, {
    result: { kind: 'roster', roster: ROSTER, changed: true },
    notices: [{ kind: 'roster', roster: ROSTER }],
    duplicate: false,
  })
  t.same(bench.machine.drain()?.slot.roster, ROSTER)
  t.same(bench.machine.image().slot.roster, ROSTER)
})

t.test('a change makes a version that carries its stamp, and is told once', async t => {
  const bench = new RosterBench()
  const { result, notices } = bench.change(JOIN)
  t.match(result, { kind: 'roster', changed: true, roster: { version: 2, change: { timeMs: 1_000 } } })
  t.same(notices, [{ kind: 'roster', roster: bench.roster }])
  t.equal(bench.roster?.peers.length, 4)
})

t.test('the stamp of a version is never below the one before', async t => {
  const bench = new RosterBench()
  bench.timeMs = 400
  bench.change(JOIN)
  t.equal(bench.roster?.change?.timeMs, 1_000)
})

t.test('what is so already is answered with the roster, and nothing is told', async t => {
  const bench = new RosterBench()
  bench.change(JOIN)
  const before = bench.roster
  t.same(bench.change(JOIN), {
    result: { kind: 'roster', roster: before, changed: false },
    notices: [],
    duplicate: false,
  })
  t.equal(bench.roster, before)
})

t.test('a refused change says why and leaves the roster as it is', async t => {
  const bench = new RosterBench()
  t.same(bench.change({ ...JOIN, id: '11' }), {
    result: {
      kind: 'refused',
      code: 'LABEL_TAKEN',
      detail: 'The label 11 belongs to the peer at http://p3.test.',
    },
    notices: [],
    duplicate: false,
  })
  t.equal(bench.roster?.version, 1)
})

t.test('a change sent again under its stamp is answered as the first time', async t => {
  const bench = new RosterBench()
  const first = bench.change(JOIN, stamp('p', 1))
  bench.change({ kind: 'leave', id: '00', ...NOTE }, stamp('p', 2))
  t.same(bench.change(JOIN, stamp('p', 1)), { result: first.result, notices: [], duplicate: true })
  t.equal(bench.roster?.version, 3)
})

t.test('the slot of the roster takes no topic', async t => {
  const bench = new RosterBench()
  t.match(bench.create('a').result, { kind: 'refused', code: 'WRONG_SLOT' })
  t.match(bench.publish('a', 'x').result, { kind: 'refused', code: 'UNKNOWN_TOPIC' })
  t.equal(bench.machine.topic('a'), undefined)
  t.equal(bench.machine.slot.incarnation, 0)
})

t.test('a slot without a roster takes no change, and one with topics is never given a roster', async t => {
  const bench = new Bench({ roster: SMALL })
  const join = () => bench.apply({ kind: 'roster', change: JOIN, timeMs: 1 })
  t.match(join().result, { kind: 'refused', code: 'WRONG_SLOT' })
  bench.create('a')
  t.match(join().result, { kind: 'refused', code: 'WRONG_SLOT' })
  bench.delete('a')
  const found = bench.apply({ kind: 'roster', change: { kind: 'found', roster: ROSTER }, timeMs: 1 })
  t.match(found.result, { kind: 'refused', code: 'WRONG_SLOT' })
  t.notOk('roster' in bench.machine.slot)
})

t.test('what follows a recovery passes over what the lost may have given out', async t => {
  const topics = new Bench()
  topics.create('a')
  const recover = { kind: 'recover', timeMs: topics.timeMs } as const
  t.same(topics.apply({ ...recover, incarnation: 1_000 }), {
    result: undefined,
    notices: [],
    duplicate: false,
  })
  t.equal(topics.machine.topic('a')?.incarnation, 1, 'a topic that is left goes on')
  topics.create('b')
  t.equal(topics.machine.topic('b')?.incarnation, 1_001)
  topics.apply({ ...recover, incarnation: 5 })
  topics.create('c')
  t.equal(topics.machine.topic('c')?.incarnation, 1_002, 'it never goes back')
})

t.test('a recovered roster is the newest that is left, far above, and nobody in it is leaving', async t => {
  const bench = new RosterBench()
  bench.change({ kind: 'leave', id: '01', ...NOTE })
  const own = bench.roster!
  const known = { ...ROSTER, version: 7, lastNumber: 9, peers: ROSTER.peers.slice(1) }
  const recover = { kind: 'recover', timeMs: 0, incarnation: 0, skip: 100 } as const
  const { notices } = bench.apply({ ...recover, roster: known })
  const { lastNumber, ...newer } = known
  t.same(bench.roster, { ...newer, version: 107, lastNumber: lastNumber + 100 })
  t.same(notices, [{ kind: 'roster', roster: bench.roster }])
  t.match(bench.change(JOIN).result, { kind: 'roster', roster: { version: 108, lastNumber: 110 } })

  const again = new RosterBench()
  again.change({ kind: 'leave', id: '01', ...NOTE })
  again.apply({ ...recover, roster: ROSTER })
  t.match(again.roster, { version: own.version + 100, lastNumber: 103 }, 'the log itself has the newest')
  t.same(again.roster?.change, undefined)
  t.same(again.roster?.peers, ROSTER.peers)

  const anew = new Bench({ roster: SMALL })
  anew.apply({ ...recover, roster: known })
  t.equal(anew.machine.slot.roster?.version, 107, 'also where no log is left')
})
