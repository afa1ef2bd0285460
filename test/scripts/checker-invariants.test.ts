import t from 'tap'
import type { Entry } from '../../services/peer/raft/types.ts'
import { emptyImage } from '../../services/peer/topics/machine.ts'
import type { KeyRow, Run, SlotChanges, TopicRow } from '../../services/peer/topics/types.ts'
import { Logs } from '../sim/invariants/logs.ts'
import { Machines } from '../sim/invariants/machines.ts'
import { Replica } from '../sim/invariants/slot-disk.ts'

const SLOT = 0

/** Three replicas of a slot and what was found wrong with them. */
function makeSlot() {
  const violations: string[] = []
  const violation = (what: string) => void violations.push(what)
  const replicas = ['a', 'b', 'c'].map(peer => new Replica(peer, SLOT)) as [Replica, Replica, Replica]
  return { violations, violation, replicas }
}

function entry(index: number, term: number): Entry {
  return { index, term, type: 'data', data: Buffer.from(`${index}/${term}`) }
}

/** Three replicas with logs: `a` and `b` have committed entries 1 and 2 in term 1, `c` has what is given. */
function makeLogs(own: readonly Entry[]) {
  const { violations, violation, replicas } = makeSlot()
  const voters = replicas.map(({ peer }, i) => ({ number: i + 1, uid: peer }))
  const logs = new Logs({
    replica: (_slot, uid) => replicas.find(({ peer }) => peer === uid)!,
    inForce: () => ({ rosterVersion: 1, voters }),
    violation,
  })
  const [a, b, c] = replicas
  const write = (replica: Replica, entries: readonly Entry[]) => {
    const writes = [{ slot: SLOT, entries }]
    logs.wrote(replica, entries, replica.written.termAt(entries[0]!.index - 1))
    replica.write(writes, 0)
    replica.landed(writes, 0)
  }
  for (const replica of [a, b]) write(replica, [entry(1, 1), entry(2, 1)])
  if (own.length > 0) write(c, own)
  logs.claimed(a, 1, 2)
  return { violations, logs, b, c, write }
}

t.test('leader completeness: who leads a later term holds what was committed', async t => {
  for (const own of [[], [entry(1, 1)], [entry(1, 1), entry(2, 2)]]) {
    const { violations, logs, b, c } = makeLogs(own)
    t.same(violations, [])
    logs.leads(b, 2)
    t.same(violations, [], 'one that holds it may lead')
    logs.leads(c, 3)
    t.same(violations, ['leader completeness: c lacks committed entry 2 of slot 0'])
  }
})

t.test('leader completeness: who leads need not hold what is committed in its own term or later', async t => {
  const { violations, logs, c } = makeLogs([])
  logs.leads(c, 1)
  t.same(violations, [])
})

t.test('leader completeness: who claims that something is committed holds what was', async t => {
  const { violations, logs, c, write } = makeLogs([])
  write(c, [entry(1, 3), entry(2, 3), entry(3, 3)])
  logs.claimed(c, 3, 1)
  t.same(violations, ['leader completeness: c lacks committed entry 1 of slot 0'])
})

const RUN: Run = { logIndex: 2, incarnation: 1, first: 1, count: 1, sequence: 1, timeMs: 5, bytes: 1 }
const TOPIC: TopicRow = {
  name: 'topic',
  incarnation: 1,
  settings: { maxAgeMs: null, maxEvents: null, maxBytes: null },
  ...{ earliest: 1, latest: 1, bytes: 1, createdMs: 5 },
}
const KEY: KeyRow = {
  ...{ topic: 'topic', key: 'k', payloadHash: 'h', timeMs: 5 },
  result: { kind: 'published', incarnation: 1, first: 1, last: 1, sequence: 1, timeMs: 5 },
}
const SLOT_ROW = { appliedIndex: 2, appliedTerm: 1, sequence: 1, incarnation: 1, timeMs: 5 }

function changes(more: Partial<SlotChanges> = {}): SlotChanges {
  return {
    slot: SLOT_ROW,
    topics: new Map([['topic', TOPIC]]),
    keys: new Map([['topic\u0000k', KEY]]),
    ...{ producers: new Map(), runs: [RUN], trims: [] },
    ...more,
  }
}

function makeMachines() {
  const { violations, violation, replicas } = makeSlot()
  return { violations, machines: new Machines(violation), replicas }
}

t.test('replicas that write the same rows, all at once or one by one, are the same', async t => {
  const { violations, machines, replicas } = makeMachines()
  const [a, b, c] = replicas
  machines.changed(a, changes())
  const created = { ...TOPIC, latest: 0, bytes: 0 }
  const begun = { ...SLOT_ROW, appliedIndex: 1, sequence: 0 }
  machines.changed(
    b,
    changes({ slot: begun, runs: [], keys: new Map(), topics: new Map([['topic', created]]) }),
  )
  machines.changed(b, changes())
  machines.replaced(c, { ...emptyImage(), slot: SLOT_ROW, topics: [TOPIC], keys: [KEY] })
  // Forgotten on all, whoever knew it.
  const forgotten = new Map([['topic\u0000k', null]])
  for (const replica of replicas) {
    machines.changed(replica, changes({ slot: { ...SLOT_ROW, appliedIndex: 3 }, keys: forgotten, runs: [] }))
  }
  t.same(violations, [])
})

for (const [what, doctored] of Object.entries<Partial<SlotChanges>>({
  'a topic': { topics: new Map() },
  'an idempotency key': { keys: new Map() },
})) {
  t.test(`a replica that lacks ${what} is found, whichever writes first`, async t => {
    for (const isFirst of [true, false]) {
      const { violations, machines, replicas } = makeMachines()
      const [one, other] = isFirst ? [changes(doctored), changes()] : [changes(), changes(doctored)]
      machines.changed(replicas[0], one)
      machines.changed(replicas[1], other)
      const [mine, others] = isFirst ? [3, 2] : [2, 3]
      t.same(violations, [
        `state-machine safety: b has ${mine} rows of slot 0 at entry 2, other ones than a with ${others}`,
      ])
    }
  })
}

t.test(
  'a replica that lacks a run is found, whichever writes first, also where rows are written elsewhere',
  async t => {
    for (const isFirst of [true, false]) {
      const { violations, machines, replicas } = makeMachines()
      const further = { ...SLOT_ROW, appliedIndex: 3 }
      const [one, other] = [isFirst ? [] : [RUN], isFirst ? [RUN] : []]
      machines.changed(replicas[0], changes({ runs: one }))
      machines.changed(replicas[1], changes({ runs: other, slot: further }))
      t.same(violations, ['state-machine safety: b placed entry 2 of slot 0 elsewhere'])
    }
  },
)

t.test('a store that gives back other rows than were written is found', async t => {
  const { violations, machines, replicas } = makeMachines()
  const [a] = replicas
  machines.changed(a, changes())
  machines.replaced(a, { ...emptyImage(), slot: SLOT_ROW, topics: [{ ...TOPIC, earliest: 2 }], keys: [KEY] })
  t.match(violations, [/^state-machine safety: a has 3 rows of slot 0 at entry 2/])
})
