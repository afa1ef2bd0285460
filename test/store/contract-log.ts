import type { Test } from 'tap'
import type { LogStore } from '../../services/peer/store/types.ts'
import { acrossRestart, type MakeDisk } from './contract.ts'
import { CONFIGURATION, dataEntry, noop, SlotDriver, text } from './kit.ts'

export function logContract(t: Test, make: MakeDisk): void {
  t.test('an empty log begins behind its snapshot', async t => {
    const store = await founded(make(t).open())
    const log = store.log(1)
    t.same([log.firstIndex(), log.lastIndex(), log.term(0), log.term(1)], [1, 0, 0, undefined])
    t.same(log.entries(1, 1, 100), [])
    await store.close()
  })

  t.test('entries are read as they were written, at once and after a restart', async t => {
    const empty = new Uint8Array(0)
    const entries = [
      { index: 1, term: 1, type: 'config' as const, data: empty, configuration: CONFIGURATION },
      noop(2, 2),
      dataEntry(3, 2, 'x'.repeat(2_000_000)),
      dataEntry(4, 2 ** 40),
    ]
    const check = (store: LogStore) => {
      const log = store.log(1)
      t.same([log.firstIndex(), log.lastIndex()], [1, 4])
      t.same(
        [0, 1, 2, 3, 4, 5].map(index => log.term(index)),
        [0, 1, 2, 2, 2 ** 40, undefined],
      )
      const read = log.entries(1, 5, 10_000_000)
      t.same(
        read.map(({ index, term, type }) => ({ index, term, type })),
        entries.map(({ index, term, type }) => ({ index, term, type })),
      )
      t.same(read[0]!.configuration, CONFIGURATION)
      t.equal(text(read[2]!.data), text(entries[2]!.data))
      t.equal(text(read[3]!.data), 'entry 4')
    }
    await acrossRestart(
      make(t),
      async store => {
        await founded(store)
        const durable = store.write([{ slot: 1, entries }])
        check(store)
        await durable
        check(store)
      },
      check,
    )
  })

  t.test('configuration entries are found without reading the log, and follow its cuts', async t => {
    const config = (index: number, term: number) => ({
      index,
      term,
      type: 'config' as const,
      data: new Uint8Array(0),
      configuration: { ...CONFIGURATION, rosterVersion: index },
    })
    const held = (store: LogStore) =>
      store
        .log(1)
        .configurations()
        .map(({ index }) => index)
    const disk = make(t)
    const store = await founded(disk.open())
    await store.write([{ slot: 1, entries: [config(1, 1), dataEntry(2, 1), config(3, 1), config(4, 1)] }])
    t.same(held(store), [1, 3, 4])
    await store.write([{ slot: 1, truncateFrom: 4, entries: [dataEntry(4, 2)] }])
    t.same(held(store), [1, 3])
    t.equal(store.log(1).configurations()[1]?.configuration.rosterVersion, 3)
    await store.close()
    const again = disk.open()
    t.same(held(again), [1, 3])
    await again.close()
  })

  t.test('a read holds at least one entry and then no more than the bytes asked for', async t => {
    const store = await founded(make(t).open())
    await store.write([{ slot: 1, entries: [1, 2, 3, 4].map(i => dataEntry(i, 1, 'x'.repeat(10))) }])
    const lengths = [0, 10, 19, 20, 35, 1_000].map(maxBytes => store.log(1).entries(1, 5, maxBytes).length)
    t.same(lengths, [1, 1, 1, 2, 3, 4])
    t.same(
      store
        .log(1)
        .entries(2, 4, 1_000)
        .map(entry => entry.index),
      [2, 3],
    )
    t.throws(() => store.log(1).entries(0, 2, 100), RangeError)
    t.throws(() => store.log(1).entries(3, 6, 100), RangeError)
    await store.close()
  })

  t.test('a truncated tail is gone and replaced by what follows, in the same write', async t => {
    const check = (store: LogStore) => {
      const log = store.log(1)
      t.same([log.lastIndex(), log.term(2), log.term(3), log.term(4)], [3, 1, 5, undefined])
      t.same(
        log.entries(1, 4, 1_000).map(entry => text(entry.data)),
        ['entry 1', 'entry 2', 'new'],
      )
    }
    await acrossRestart(
      make(t),
      async store => {
        await founded(store)
        await store.write([{ slot: 1, entries: [1, 2, 3, 4].map(i => dataEntry(i, i < 3 ? 1 : 2)) }])
        const hardState = { term: 5, vote: 3, commit: 2 }
        const durable = store.write([
          { slot: 1, hardState, truncateFrom: 3, entries: [dataEntry(3, 5, 'new')] },
        ])
        check(store)
        await durable
      },
      check,
    )
  })

  t.test('truncating everything leaves an empty log that can grow again', async t => {
    const store = await founded(make(t).open())
    await store.write([{ slot: 1, entries: [dataEntry(1, 1), dataEntry(2, 1)] }])
    await store.write([{ slot: 1, truncateFrom: 1 }])
    t.same([store.log(1).firstIndex(), store.log(1).lastIndex()], [1, 0])
    await store.write([{ slot: 1, entries: [dataEntry(1, 3)] }])
    t.equal(store.log(1).term(1), 3)
    await store.close()
  })

  t.test('an entry that does not follow the last one is a broken invariant', async t => {
    const store = await founded(make(t).open())
    await store.write([{ slot: 1, entries: [dataEntry(1, 1)] }])
    t.throws(() => store.write([{ slot: 1, entries: [dataEntry(3, 1)] }]), /does not follow/)
    await store.close()
  })

  t.test('slots have logs of their own', async t => {
    const store = make(t).open()
    const slots = [1, 255, 256, 257, 16_383]
    const drivers = slots.map(slot => new SlotDriver(slot))
    await store.write(drivers.map(driver => driver.found()))
    await store.write(slots.map(slot => ({ slot, entries: [dataEntry(1, 1, `slot ${slot}`)] })))
    for (const slot of slots) t.equal(text(store.log(slot).entries(1, 2, 100)[0]!.data), `slot ${slot}`)
    await store.close()
  })
}

async function founded(store: LogStore): Promise<LogStore> {
  await store.write([new SlotDriver(1).found()])
  return store
}
