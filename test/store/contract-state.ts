import type { Test } from 'tap'
import type { KeyRow, ProducerRow, TopicRow } from '../../services/peer/topics/types.ts'
import { acrossRestart, type MakeDisk } from './contract.ts'
import { NO_CHANGES, SlotDriver, snapshotAt, sweepAll } from './kit.ts'

const ROSTER = {
  version: 3,
  clusterId: 'cluster',
  dimension: 1,
  slots: 4,
  peers: [
    { id: '0', uid: 'u0', number: 1, url: 'http://127.0.0.1:5555' },
    { id: '1', uid: 'u1', number: 2, url: 'http://127.0.0.1:5556' },
  ],
}

export function stateContract(t: Test, make: MakeDisk): void {
  t.test('a new store is empty and has a uid that stays, and a boot number that rises', async t => {
    let uid = ''
    await acrossRestart(
      make(t),
      async store => {
        uid = store.identity.uid
        t.ok(uid.length > 0)
        t.equal(store.identity.boot, 1)
        t.equal(store.roster(), null)
        t.same(store.slots(), [])
        t.ok(store.space().freeBytes > 0)
      },
      store => t.same(store.identity, { uid, boot: 2 }),
    )
    const other = make(t).open()
    t.not(other.identity.uid, uid)
    await other.close()
  })

  t.test('the roster is there at once and after a restart', async t => {
    await acrossRestart(
      make(t),
      async store => {
        const durable = store.writeRoster(ROSTER)
        t.same(store.roster(), ROSTER)
        await durable
      },
      store => t.same(store.roster(), ROSTER),
    )
  })

  t.test('a founded slot restarts from what was written', async t => {
    const hardState = { term: 4, vote: 2, commit: 0 }
    await acrossRestart(
      make(t),
      async store => {
        const found = { number: 2, snapshot: snapshotAt(0, 0) }
        const durable = store.write([
          { slot: 300, found },
          { slot: 7, found, hardState },
        ])
        t.same(store.slots(), [7, 300])
        t.same(store.load(7).hardState, hardState)
        await durable
      },
      store => {
        t.same(store.slots(), [7, 300])
        const loaded = store.load(7)
        t.match(loaded, { slot: 7, number: 2, hardState, snapshot: snapshotAt(0, 0) })
        const slot = { appliedIndex: 0, appliedTerm: 0, sequence: 0, incarnation: 0, timeMs: 0 }
        t.same(loaded.image, { slot, topics: [], keys: [], producers: [] })
        t.same(store.load(300).hardState, { term: 0, vote: 0, commit: 0 })
      },
    )
  })

  t.test('a slot is founded once, and one that is not there cannot be loaded', async t => {
    const store = make(t).open()
    const driver = new SlotDriver(1)
    await store.write([driver.found()])
    t.throws(() => store.write([driver.found()]), /founded already/)
    t.throws(() => store.load(2), /not in this store/)
    await store.close()
  })

  t.test('state rows are replaced, removed and kept apart, whatever their names', async t => {
    const names = ['a', 'a\u0000b', 'тема', '😀'.repeat(63), 'x'.repeat(255), '\u00ff\u00ff', '\uffff']
    const rows = names.map((name, i) => topicRow(name, i + 1))
    const keys = rows.map(row => keyRow(row.name, 'k'.repeat(255)))
    const producers: ProducerRow[] = [
      {
        uid: 'p1',
        boot: 1,
        low: 4,
        usedIndex: 3,
        results: [[5, { kind: 'refused', code: 'UNKNOWN_TOPIC' }]],
      },
      { uid: 'p2', boot: 9, low: 1, usedIndex: 1, results: [] },
    ]
    const driver = new SlotDriver(2)
    const slot = { ...driver.row(), timeMs: 1_700_000_000_123, sequence: 2 ** 40 }
    const neighbour = new SlotDriver(3)
    await acrossRestart(
      make(t),
      async store => {
        await store.write([driver.found(), neighbour.found()])
        await store.write([{ slot: 2, changes: { ...NO_CHANGES, slot, ...asMaps(rows, keys, producers) } }])
        const changed = { ...rows[0]!, latest: 7 }
        const durable = store.write([
          {
            slot: 2,
            changes: {
              ...{ ...NO_CHANGES, slot },
              topics: new Map<string, TopicRow | null>([
                ['a', changed],
                ['тема', null],
              ]),
              keys: new Map([[`a\u0000${'k'.repeat(255)}`, null]]),
              producers: new Map([['p2', null]]),
            },
          },
        ])
        t.equal(store.load(2).image.topics.length, names.length - 1)
        await durable
      },
      store => {
        const { image } = store.load(2)
        t.same(image.slot, slot)
        const byName = new Map(image.topics.map(row => [row.name, row]))
        t.same(byName.get('a'), { ...rows[0], latest: 7 })
        t.same(new Set(byName.keys()), new Set(names.filter(name => name !== 'тема')))
        t.same(new Set(image.keys.map(row => row.topic)), new Set(names.filter(name => name !== 'a')))
        t.same(image.producers, producers.slice(0, 1))
        t.same(store.load(3).image.topics, [])
      },
    )
  })

  t.test('the row of the slot of the roster keeps the roster', async t => {
    const driver = new SlotDriver(4)
    const roster = {
      ...ROSTER,
      peers: [ROSTER.peers[0]!, { ...ROSTER.peers[1]!, leaving: true as const }],
      lastNumber: 9,
      change: { kind: 'leave' as const, id: '1', by: 'ops', why: 'less room', timeMs: 5 },
    }
    const slot = { ...driver.row(), roster }
    await acrossRestart(
      make(t),
      async store => {
        await store.write([driver.found()])
        await store.write([{ slot: 4, changes: { ...NO_CHANGES, slot } }])
      },
      store => t.same(store.load(4).image.slot, slot),
    )
  })

  t.test('writes become durable in the order they were made', async t => {
    const store = make(t).open()
    const driver = new SlotDriver(0)
    const order: number[] = []
    const writes = [driver.found(), driver.create('a'), driver.publish('a'), driver.publish('a')]
    await Promise.all(writes.map((write, i) => store.write([write]).then(() => order.push(i))))
    t.same(order, [0, 1, 2, 3])
    await store.write([])
    await store.close()
  })

  t.test('a closed store takes no more writes, and everything written before is there', async t => {
    const disk = make(t)
    const store = disk.open()
    const driver = new SlotDriver(0)
    const durable = store.write([driver.found(), driver.create('a')])
    const closed = store.close()
    await t.rejects(store.writeRoster(ROSTER), { code: 'STORE_CLOSED' })
    await durable
    await closed
    const reopened = disk.open()
    t.equal(reopened.load(0).image.topics.length, 1)
    t.equal(sweepAll(reopened, 0), 1)
    await reopened.close()
  })
}

function topicRow(name: string, incarnation: number): TopicRow {
  const settings = { maxAgeMs: 60_000, maxEvents: null, maxBytes: 2 ** 41 }
  return { name, incarnation, settings, earliest: 1, latest: 0, bytes: 0, createdMs: 1_700_000_000_000 }
}

function keyRow(topic: string, key: string): KeyRow {
  const place = { incarnation: 1, first: 1, last: 1, sequence: 1, timeMs: 2 }
  return { topic, key, payloadHash: 'hash', timeMs: 2, result: { kind: 'published', ...place } }
}

function asMaps(rows: readonly TopicRow[], keys: readonly KeyRow[], producers: readonly ProducerRow[]) {
  return {
    topics: new Map(rows.map(row => [row.name, row])),
    keys: new Map(keys.map(row => [`${row.topic}\u0000${row.key}`, row])),
    producers: new Map(producers.map(row => [row.uid, row])),
  }
}
