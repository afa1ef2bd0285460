import type { Test } from 'tap'
import type { LogStore, SlotWrite } from '../../services/peer/store/types.ts'
import { acrossRestart, type MakeDisk } from './contract.ts'
import { bytes, dataEntry, SlotDriver, snapshotAt, sweepAll, text } from './kit.ts'

const SLOT = 11
const DROP: SlotWrite = { slot: SLOT, drop: true }

export function dropContract(t: Test, make: MakeDisk): void {
  t.test('a dropped slot is gone at once and after a restart, and only its tombstone stays', async t => {
    const hardState = { term: 6, vote: 3, commit: 5 }
    const neighbour = new SlotDriver(SLOT + 1)
    const check = (store: LogStore) => {
      t.same(store.slots(), [SLOT + 1])
      t.same(store.tombstone(SLOT), { number: 2, term: 6, vote: 3, end: { index: 5, term: 1 } })
      t.equal(store.tombstone(SLOT + 1), undefined)
      t.throws(() => store.load(SLOT), /not in this store/)
      t.throws(() => store.log(SLOT), /not in this store/)
      t.throws(() => store.runs(SLOT, 1, 1, 9), /not in this store/)
      t.throws(() => store.write([{ slot: SLOT, hardState }]), /not in this store/)
      t.throws(() => store.write([DROP]), /not in this store/)
      t.equal(store.runData(SLOT, 2), undefined)
      t.same(store.leftovers(), [SLOT])
    }
    await acrossRestart(
      make(t),
      async store => {
        await store.write([neighbour.found(), neighbour.create('b'), neighbour.publish('b')])
        await store.write([...life().writes, { slot: SLOT, hardState }])
        const durable = store.write([DROP])
        check(store)
        await durable
      },
      store => {
        check(store)
        sweepAll(store, SLOT, 3)
        t.same(store.leftovers(), [])
        t.same(store.slots(), [SLOT + 1])
        t.equal(store.tombstone(SLOT)?.term, 6, 'it stays when all else is swept')
        t.equal(text(store.runData(SLOT + 1, 2)), 'entry 2')
        t.equal(sweepAll(store, SLOT), 1)
      },
    )
  })

  t.test('what is left is swept in slices of bounded size, also after a restart', async t => {
    let slices = 0
    await acrossRestart(
      make(t),
      async store => {
        const { driver, writes } = life()
        await store.write(writes)
        await store.write(Array.from({ length: 50 }, () => driver.publish('a')))
        await store.write([DROP])
        for (; slices < 3; slices++) t.equal(store.sweep(SLOT, 10), false)
      },
      store => {
        slices += sweepAll(store, SLOT, 10)
        // 55 entries, 53 runs and 53 places in their topic's order; member, state and topic rows.
        t.ok(slices >= 16 && slices <= 18, `${slices} slices`)
        t.same(store.leftovers(), [])
      },
    )
  })

  for (const swept of ['before', 'in the middle', 'after'] as const) {
    t.test(`a slot founded again sees nothing of the earlier life, which is swept ${swept}`, async t => {
      const next = new SlotDriver(SLOT)
      next.term = 2
      const hardState = { term: 6, vote: 3, commit: 0 }
      const check = (store: LogStore) => {
        const { image, snapshot, number } = store.load(SLOT)
        t.match({ number, snapshot }, { number: 2, snapshot: snapshotAt(0, 0) })
        t.same(
          image.topics.map(({ name, latest }) => [name, latest]),
          [['b', 2]],
        )
        t.same([image.keys, image.producers], [[], []])
        t.same([store.log(SLOT).lastIndex(), store.log(SLOT).term(2)], [2, 2])
        t.same(store.log(SLOT).configurations(), [])
        t.same(
          store.runs(SLOT, 1, 1, 9).map(run => [run.logIndex, run.first, run.count]),
          [[2, 1, 2]],
        )
        t.same(
          store.runsAfter(SLOT, 0, 99, 1_000).map(({ data }) => text(data)),
          ['new'],
        )
        t.equal(store.runData(SLOT, 3), undefined)
        t.equal(store.staged(SLOT), 0)
        t.same(store.slots(), [SLOT])
        t.equal(store.tombstone(SLOT), undefined)
      }
      await acrossRestart(
        make(t),
        async store => {
          const { driver, writes } = life()
          await store.write([...writes, { slot: SLOT, hardState }])
          const staged = { ...driver.runs[0]!, logIndex: 40, first: 90 }
          await store.stage(SLOT, [{ run: staged, data: bytes('staged') }])
          await store.write([DROP])
          if (swept === 'before') sweepAll(store, SLOT, 4)
          if (swept === 'in the middle') store.sweep(SLOT, 4)
          const durable = store.write([{ ...next.found(), hardState }])
          t.match(store.load(SLOT), { image: { topics: [] }, hardState })
          t.same([store.log(SLOT).lastIndex(), store.staged(SLOT)], [0, 0])
          await durable
          await store.write([next.create('b'), next.publish('b', 2, 'new')])
          check(store)
          t.equal(store.leftovers().length, swept === 'before' ? 0 : 1)
        },
        store => {
          check(store)
          sweepAll(store, SLOT, 4)
          t.same(store.leftovers(), [])
          check(store)
        },
      )
    })
  }

  t.test('many lives, swept or not, each see only their own rows', async t => {
    const disk = make(t)
    for (let number = 1; number <= 6; number++) {
      const store = disk.open()
      const driver = new SlotDriver(SLOT)
      driver.term = number
      await store.write([{ slot: SLOT, found: { number, snapshot: snapshotAt(0, 0) } }, driver.create('a')])
      for (let count = 0; count < number; count++) await store.write([driver.publish('a')])
      t.equal(store.runs(SLOT, 1, 1, 99).length, number)
      t.equal(store.log(SLOT).lastIndex(), number + 1)
      if (number === 3) sweepAll(store, SLOT, 2)
      t.equal(store.runs(SLOT, 1, 1, 99).length, number)
      await store.write([DROP])
      await store.close()
    }
    const store = disk.open()
    t.match(store.tombstone(SLOT), { number: 6, term: 6, end: { index: 7, term: 6 } })
    t.same([store.slots(), store.leftovers()], [[], [SLOT]])
    sweepAll(store, SLOT, 5)
    t.same(store.leftovers(), [])
    await store.close()
  })

  t.test('a drop and the next founding may be in one write', async t => {
    await acrossRestart(
      make(t),
      async store => {
        const { driver, writes } = life()
        const hardState = { term: 1, vote: 2, commit: 0 }
        await store.write([
          ...writes,
          driver.publish('a'),
          DROP,
          { ...new SlotDriver(SLOT).found(), hardState },
        ])
      },
      store => {
        t.equal(store.log(SLOT).lastIndex(), 0)
        t.same(store.load(SLOT).hardState.floor, { index: 6, term: 1 })
        sweepAll(store, SLOT, 3)
        t.same(store.load(SLOT).image.topics, [])
      },
    )
  })

  t.test('the next life goes back on no promise of the one before', async t => {
    const promised = { term: 6, vote: 3, commit: 0 }
    const found = (number: number, term: number, vote: number): SlotWrite => ({
      ...{ slot: SLOT, found: { number, snapshot: snapshotAt(0, 0) } },
      hardState: { term, vote, commit: 0 },
    })
    const cases: [write: SlotWrite, isTaken: boolean][] = [
      [found(2, 5, 3), false],
      [found(2, 6, 0), false],
      [found(2, 6, 1), false],
      [{ slot: SLOT, found: { number: 2, snapshot: snapshotAt(0, 0) } }, false],
      [found(2, 6, 3), true],
      [found(2, 7, 0), true],
      [found(9, 0, 0), true],
    ]
    for (const [write, isTaken] of cases) {
      const store = make(t).open()
      await store.write([...life().writes, { slot: SLOT, hardState: promised }])
      await store.write([DROP])
      const what = JSON.stringify(write)
      if (isTaken) await store.write([write])
      else t.throws(() => store.write([write]), /go back on/, what)
      t.same(store.slots(), isTaken ? [SLOT] : [], what)
      t.equal(store.tombstone(SLOT) === undefined, isTaken, what)
      if (isTaken) {
        const { number, hardState } = store.load(SLOT)
        t.match(hardState, write.hardState)
        t.same(hardState.floor, number === 2 ? { index: 5, term: 1 } : undefined, what)
      }
      await store.close()
    }
  })

  t.test('the end of the best log is remembered through lives that did not reach it', async t => {
    const found: SlotWrite = {
      ...{ slot: SLOT, found: { number: 2, snapshot: snapshotAt(0, 0) } },
      hardState: { term: 4, vote: 0, commit: 0 },
    }
    const entries = [1, 2, 3].map(index => dataEntry(index, 3))
    await acrossRestart(
      make(t),
      async store => {
        await store.write([found, { slot: SLOT, entries }, DROP])
        await store.write([found, { slot: SLOT, entries: entries.slice(0, 2) }])
      },
      async store => {
        t.same(store.load(SLOT).hardState.floor, { index: 3, term: 3 })
        await store.write([DROP])
        t.same(store.tombstone(SLOT)?.end, { index: 3, term: 3 })
        await store.write([found, { slot: SLOT, entries: [dataEntry(1, 4)] }, DROP])
        t.same(store.tombstone(SLOT)?.end, { index: 1, term: 4 })
        await store.write([{ ...found, found: { number: 2, snapshot: snapshotAt(1, 4) } }])
        t.equal(store.load(SLOT).hardState.floor, undefined, 'it begins where the best one ended')
      },
    )
  })
}

/** A replica's first life: a topic and four entries, the last of them a run behind a compacted one. */
function life(): { driver: SlotDriver; writes: SlotWrite[] } {
  const driver = new SlotDriver(SLOT)
  const writes = [driver.found(), driver.create('a')]
  for (let count = 0; count < 3; count++) writes.push(driver.publish('a', 2, 'old'))
  return { driver, writes: [...writes, driver.trim('a', 3), driver.compact(2)] }
}
