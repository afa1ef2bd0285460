import type { Test } from 'tap'
import type { LogStore, RunRecord, SlotWrite } from '../../services/peer/store/types.ts'
import { acrossRestart, type MakeDisk } from './contract.ts'
import { dataEntry, SlotDriver, snapshotAt, sweepAll, text } from './kit.ts'

const SLOT = 9

export function snapshotContract(t: Test, make: MakeDisk): void {
  t.test('a chunk holds the runs behind an index in log order, at least one, within its bytes', async t => {
    const { store, driver } = await primary(t, make)
    const all = store.runsAfter(SLOT, 0, driver.index, 1_000_000)
    t.same(
      all.map(record => record.run),
      driver.runs,
    )
    t.same(
      all.map(record => text(record.data)),
      driver.runs.map(run => `entry ${run.logIndex}`),
    )
    const [first, second] = driver.runs
    t.equal(store.runsAfter(SLOT, 0, driver.index, 1).length, 1)
    t.same(store.runsAfter(SLOT, first!.logIndex, second!.logIndex, 1_000), all.slice(1, 2))
    t.same(store.runsAfter(SLOT, driver.index, driver.index, 1_000), [])
    await store.close()
  })

  t.test('staged runs are invisible until the state covers them, and staging resumes', async t => {
    const { store: source, driver } = await primary(t, make)
    const records = source.runsAfter(SLOT, 0, driver.index, 1_000_000)
    await source.close()
    await acrossRestart(
      make(t),
      async store => {
        await store.write([new SlotDriver(SLOT).found()])
        t.equal(store.staged(SLOT), 0)
        const durable = store.stage(SLOT, records.slice(0, 2))
        t.equal(store.staged(SLOT), records[1]!.run.logIndex)
        await durable
        t.equal(store.findRun(SLOT, 1, 1), undefined)
      },
      async store => {
        t.equal(store.staged(SLOT), records[1]!.run.logIndex)
        t.same(store.runs(SLOT, 1, 1, 9), [])
        t.same([store.runsFrom(SLOT, 1, 9), store.runsBefore(SLOT, 99, 9)], [[], []])
        await store.stage(SLOT, records.slice(2))
        await store.write([installed(driver)])
        t.same(store.runsFrom(SLOT, 1, 9), driver.runs)
        checkReplica(t, store, driver)
        t.equal(store.staged(SLOT), 0)
        sweepAll(store, SLOT)
        checkReplica(t, store, driver)
      },
    )
  })

  t.test('an install replaces the state and the log, whose tail was never the cluster’s', async t => {
    const { store: source, driver } = await primary(t, make)
    const records = source.runsAfter(SLOT, 0, driver.index, 1_000_000)
    await source.close()
    const check = (store: LogStore) => {
      checkReplica(t, store, driver)
      const log = store.log(SLOT)
      t.same([log.firstIndex(), log.lastIndex()], [driver.index + 1, driver.index])
      t.equal(log.term(driver.index), driver.term)
      t.same(
        store.load(SLOT).image.topics.map(topic => topic.name),
        ['a', 'b'],
      )
    }
    await acrossRestart(
      make(t),
      async store => {
        const lost = new SlotDriver(SLOT)
        await writeAll(store, [lost.found(), lost.create('old')])
        const tail = Array.from({ length: driver.index + 5 }, (_, i) => dataEntry(i + 2, 1, `wrong ${i + 2}`))
        await store.write([{ slot: SLOT, entries: tail }])
        await store.stage(SLOT, records)
        const durable = store.write([installed(driver)])
        check(store)
        await durable
        sweepAll(store, SLOT, 3)
        check(store)
      },
      async store => {
        check(store)
        await store.write([{ slot: SLOT, entries: [dataEntry(driver.index + 1, 7)] }])
        t.equal(store.log(SLOT).lastIndex(), driver.index + 1)
      },
    )
  })

  t.test('runs that the installed state does not cover any more are removed in slices', async t => {
    const { store: source, driver } = await primary(t, make)
    const records = source.runsAfter(SLOT, 0, driver.index, 1_000_000)
    await source.close()
    const store = make(t).open()
    await store.write([new SlotDriver(SLOT).found()])
    await store.stage(SLOT, records)
    driver.trim('a', 3)
    driver.delete('b')
    await store.write([installed(driver)])
    t.ok(sweepAll(store, SLOT, 2) > 1)
    const gone = driver.runs.filter(run => run.incarnation === 2 || run.first + run.count <= 3)
    t.ok(gone.length > 0)
    for (const run of gone) t.equal(store.runData(SLOT, run.logIndex), undefined)
    t.same(store.runs(SLOT, 2, 1, 9), [])
    t.equal(store.findRun(SLOT, 1, 1)?.first, driver.runs.find(run => !gone.includes(run))!.first)
    await store.close()
  })

  t.test('what an abandoned snapshot left is harmless when the log catches up after all', async t => {
    const driver = new SlotDriver(SLOT)
    const writes = [driver.found(), driver.create('a'), ...[1, 2, 3, 4].map(() => driver.publish('a', 2))]
    const records: RunRecord[] = driver.runs.map(run => ({ run, data: Buffer.from(`entry ${run.logIndex}`) }))
    const store = make(t).open()
    await writeAll(store, writes.slice(0, 3))
    await store.stage(SLOT, records)
    await writeAll(store, writes.slice(3))
    checkReplica(t, store, driver)
    t.equal(store.staged(SLOT), 0)
    await writeAll(store, [driver.compact(4), driver.trim('a', 5)])
    sweepAll(store, SLOT, 2)
    t.same(
      [2, 3].map(index => store.runData(SLOT, index)),
      [undefined, undefined],
    )
    t.equal(text(store.runData(SLOT, 4)), 'entry 4')
    t.equal(text(store.log(SLOT).entries(5, 6, 100)[0]!.data), 'entry 5')
    await writeAll(store, [driver.trim('a', 9), driver.compact()])
    sweepAll(store, SLOT, 2)
    for (const run of driver.runs) t.equal(store.runData(SLOT, run.logIndex), undefined)
    await store.close()
  })

  t.test('a snapshot that nobody will complete is forgotten, and its places are taken by others', async t => {
    const lost = new SlotDriver(SLOT)
    const head = [lost.found(), lost.create('a'), lost.publish('a')]
    for (const _ of [1, 2, 3]) lost.publish('a')
    const records: RunRecord[] = lost.runs.map(run => ({ run, data: Buffer.from(`lost ${run.logIndex}`) }))
    const left = new SlotDriver(SLOT)
    const check = (store: LogStore) => {
      for (const run of left.runs) t.same(store.runs(SLOT, 1, run.first, 1), [run])
      t.equal(text(store.runData(SLOT, 3)), 'left 3')
      t.equal(store.runData(SLOT, 4), undefined)
      t.same(
        store.runsAfter(SLOT, 0, 9, 1_000_000).map(({ run, data }) => [run.logIndex, text(data)]),
        [
          [2, 'entry 2'],
          [3, 'left 3'],
        ],
      )
      t.equal(store.staged(SLOT), 0)
    }
    await acrossRestart(
      make(t),
      async store => {
        await writeAll(store, head)
        await store.stage(SLOT, records)
        t.equal(store.staged(SLOT), 5)
        await store.write([{ slot: SLOT, unstage: true }])
        t.equal(store.staged(SLOT), 0)
        left.found()
        left.create('a')
        left.publish('a')
        await store.write([left.publish('a', 2, 'left 3')])
        check(store)
      },
      check,
    )
  })

  t.test('a replica that was compacted before keeps its events through an install', async t => {
    const driver = new SlotDriver(SLOT)
    const store = make(t).open()
    await writeAll(store, [driver.found(), driver.create('a'), driver.publish('a'), driver.publish('a')])
    await writeAll(store, [driver.compact(2)])
    const behind = driver.index
    driver.publish('a')
    driver.publish('a')
    const run = driver.runs.filter(run => run.logIndex > behind)
    await store.stage(
      SLOT,
      run.map(run => ({ run, data: Buffer.from(`entry ${run.logIndex}`) })),
    )
    await store.write([installed(driver)])
    sweepAll(store, SLOT, 1)
    checkReplica(t, store, driver)
    await store.close()
  })

  t.test('rows written together with an install that does not have them are gone', async t => {
    const { store: source, driver } = await primary(t, make)
    const records = source.runsAfter(SLOT, 0, driver.index, 1_000_000)
    await source.close()
    const behind = new SlotDriver(SLOT)
    await acrossRestart(
      make(t),
      async store => {
        await writeAll(store, [behind.found()])
        await store.stage(SLOT, records.slice(1))
        await store.write([behind.create('gone'), installed(driver)])
      },
      store => {
        const names = store.load(SLOT).image.topics.map(topic => topic.name)
        t.same(names, ['a', 'b'])
      },
    )
  })

  t.test('an old snapshot is a broken invariant', async t => {
    const { store } = await primary(t, make)
    const { image } = store.load(SLOT)
    t.throws(() => store.write([{ slot: SLOT, install: { snapshot: snapshotAt(1, 1), image } }]), /is old/)
    await store.close()
  })
}

function installed(driver: SlotDriver): SlotWrite {
  const snapshot = snapshotAt(driver.index, driver.term)
  return { slot: driver.slot, install: { snapshot, image: driver.image() } }
}

/** A store with two topics and some runs, as a primary has it. */
async function primary(t: Test, make: MakeDisk): Promise<{ store: LogStore; driver: SlotDriver }> {
  const driver = new SlotDriver(SLOT)
  const store = make(t).open()
  await writeAll(store, [driver.found(), driver.create('a'), driver.create('b')])
  const writes = [driver.publish('a'), driver.publish('b', 3), driver.publish('a', 2), driver.publish('a')]
  await writeAll(store, writes)
  return { store, driver }
}

/** Every run of the driver is found and its events are the right ones. */
function checkReplica(t: Test, store: LogStore, driver: SlotDriver): void {
  for (const run of driver.runs) {
    t.same(store.findRun(SLOT, run.incarnation, run.first), run)
    t.equal(text(store.runData(SLOT, run.logIndex)), `entry ${run.logIndex}`)
  }
}

async function writeAll(store: LogStore, writes: readonly SlotWrite[]): Promise<void> {
  await Promise.all(writes.map(write => store.write([write])))
}
