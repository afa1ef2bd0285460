import type { Test } from 'tap'
import type { LogStore, SlotWrite } from '../../services/peer/store/types.ts'
import { acrossRestart, type MakeDisk } from './contract.ts'
import { SlotDriver, snapshotAt, sweepAll, text } from './kit.ts'

const SLOT = 5

export function retentionContract(t: Test, make: MakeDisk): void {
  t.test('runs are found by the offsets they hold', async t => {
    const driver = new SlotDriver(SLOT)
    const check = (store: LogStore) => {
      const at = (offset: number) => store.findRun(SLOT, 1, offset)?.first
      t.same([1, 2, 3, 4, 6, 7, 8].map(at), [1, 1, 1, 4, 5, 5, undefined])
      t.same(store.findRun(SLOT, 1, 4), driver.runs[2])
      t.equal(store.findRun(SLOT, 2, 1)?.logIndex, driver.runs[1]!.logIndex)
      t.equal(store.findRun(SLOT, 3, 1), undefined)
      t.same(
        store.runs(SLOT, 1, 2, 2).map(run => run.first),
        [1, 4],
      )
      t.same(
        store.runs(SLOT, 1, 4, 10).map(run => run.first),
        [4, 5],
      )
      t.equal(text(store.runData(SLOT, driver.runs[0]!.logIndex)), 'three')
    }
    await acrossRestart(
      make(t),
      async store => {
        await writeAll(store, [
          ...[driver.found(), driver.create('a'), driver.create('b')],
          ...[
            driver.publish('a', 3, 'three'),
            driver.publish('b', 2),
            driver.publish('a'),
            driver.publish('a', 3),
          ],
        ])
        check(store)
      },
      check,
    )
  })

  t.test('runs of all topics are found in the order of the log, forwards and backwards', async t => {
    const driver = new SlotDriver(SLOT)
    const check = (store: LogStore) => {
      const from = (index: number, limit = 9) => store.runsFrom(SLOT, index, limit).map(run => run.logIndex)
      const before = (index: number, limit = 9) =>
        store.runsBefore(SLOT, index, limit).map(run => run.logIndex)
      t.same(store.runsFrom(SLOT, 0, 9), driver.runs)
      t.same([from(3), from(4), from(5), from(8), from(99)], [[3, 4, 6, 7], [4, 6, 7], [6, 7], [], []])
      t.same([from(1, 1), from(5, 1), from(4, 2)], [[3], [6], [4, 6]])
      t.same(store.runsBefore(SLOT, 99, 9), driver.runs.toReversed())
      t.same(
        [before(8), before(7), before(6), before(3), before(0)],
        [[7, 6, 4, 3], [6, 4, 3], [4, 3], [], []],
      )
      t.same([before(99, 1), before(7, 2)], [[7], [6, 4]])
    }
    await acrossRestart(
      make(t),
      async store => {
        await writeAll(store, [driver.found(), driver.create('a'), driver.create('b')])
        await writeAll(store, [driver.publish('b', 3), driver.publish('a'), driver.create('c')])
        await writeAll(store, [driver.publish('a', 2), driver.publish('b')])
        check(store)
      },
      check,
    )
  })

  t.test('compaction drops what is only Raft’s and keeps the events', async t => {
    const driver = new SlotDriver(SLOT)
    const check = (store: LogStore) => {
      const log = store.log(SLOT)
      t.same([log.firstIndex(), log.lastIndex(), log.term(3), log.term(2)], [4, 4, 1, undefined])
      t.same(store.load(SLOT).snapshot, snapshotAt(3, 1))
      t.throws(() => log.entries(3, 4, 100), RangeError)
      t.equal(text(store.runData(SLOT, 2)), 'kept')
      t.same(
        store.runs(SLOT, 1, 1, 9).map(run => run.logIndex),
        [2, 4],
      )
    }
    await acrossRestart(
      make(t),
      async store => {
        await writeAll(store, [driver.found(), driver.create('a'), driver.publish('a', 1, 'kept')])
        await writeAll(store, [driver.trim('a', 1), driver.publish('a'), driver.compact(3)])
        sweepAll(store, SLOT)
        check(store)
        t.equal(store.runData(SLOT, 1), undefined)
        t.equal(store.runData(SLOT, 3), undefined)
      },
      check,
    )
  })

  t.test('trimmed events go: at once when compacted, and with the compaction otherwise', async t => {
    const driver = new SlotDriver(SLOT)
    const store = make(t).open()
    await writeAll(store, [driver.found(), driver.create('a')])
    await writeAll(
      store,
      [1, 2, 3, 4].map(() => driver.publish('a', 2)),
    )
    await writeAll(store, [driver.compact(3), driver.trim('a', 6)])
    sweepAll(store, SLOT)
    t.same(
      store.runs(SLOT, 1, 1, 9).map(run => run.first),
      [5, 7],
    )
    t.same([store.runData(SLOT, 2), store.runData(SLOT, 3)], [undefined, undefined])
    t.equal(text(store.runData(SLOT, 4)), 'entry 4')
    t.equal(text(store.log(SLOT).entries(4, 5, 100)[0]!.data), 'entry 4')
    await writeAll(store, [driver.trim('a', 9), driver.compact()])
    sweepAll(store, SLOT)
    t.same(
      [4, 5].map(index => store.runData(SLOT, index)),
      [undefined, undefined],
    )
    t.same(store.runs(SLOT, 1, 1, 9), [])
    await store.close()
  })

  t.test('a deleted topic’s events go and its namesake’s stay', async t => {
    const driver = new SlotDriver(SLOT)
    await acrossRestart(
      make(t),
      async store => {
        await writeAll(store, [driver.found(), driver.create('a'), driver.publish('a'), driver.delete('a')])
        await writeAll(store, [driver.create('a'), driver.publish('a', 1, 'mine'), driver.compact()])
      },
      async store => {
        sweepAll(store, SLOT)
        t.equal(store.runData(SLOT, 2), undefined)
        t.same(store.runs(SLOT, 1, 1, 9), [])
        t.equal(text(store.runData(SLOT, store.findRun(SLOT, 2, 1)!.logIndex)), 'mine')
      },
    )
  })

  t.test('sweeping goes in slices of bounded size and goes on after a restart', async t => {
    const driver = new SlotDriver(SLOT)
    let slices = 0
    await acrossRestart(
      make(t),
      async store => {
        await writeAll(store, [driver.found(), driver.create('a')])
        await writeAll(
          store,
          Array.from({ length: 50 }, () => driver.publish('a')),
        )
        await writeAll(store, [driver.compact(), driver.trim('a', 46)])
        t.equal(store.sweep(SLOT, 10), false)
        t.equal(store.sweep(SLOT, 10), false)
        slices = 2
      },
      async store => {
        slices += sweepAll(store, SLOT, 10)
        t.ok(slices >= 9 && slices <= 14, `${slices} slices for 51 entries and 45 runs`)
        t.equal(store.runs(SLOT, 1, 1, 99).length, 5)
        const kept = driver.runs.filter(run => store.runData(SLOT, run.logIndex) !== undefined)
        t.same(
          kept.map(run => run.first),
          [46, 47, 48, 49, 50],
        )
      },
    )
  })

  t.test('what is not applied cannot be compacted', async t => {
    const driver = new SlotDriver(SLOT)
    const store = make(t).open()
    await writeAll(store, [driver.found(), driver.create('a')])
    t.throws(() => store.write([driver.compact(9)]), /not applied/)
    await store.close()
  })
}

async function writeAll(store: LogStore, writes: readonly SlotWrite[]): Promise<void> {
  await Promise.all(writes.map(write => store.write([write])))
}
