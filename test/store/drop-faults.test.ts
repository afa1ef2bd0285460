import t from 'tap'
import { MemoryDisk, type WriteStep } from '../../services/peer/store/memory.ts'
import { openLmdbStore, openMemoryStore } from '../../services/peer/store/open.ts'
import { CorruptRecord, type LogStore, type SlotWrite } from '../../services/peer/store/types.ts'
import { bytes, SlotDriver, sweepAll, text } from './kit.ts'
import { startWriter } from './processes.ts'

const DROP: SlotWrite = { slot: 1, drop: true }
const PROMISED = { term: 1, vote: 2, commit: 0 }

/** A slot with rows in every table of a replica, staged ones and work to do among them. */
async function fill(store: LogStore): Promise<SlotDriver> {
  const driver = new SlotDriver(1)
  await store.write([driver.found(), driver.create('a')])
  for (let count = 0; count < 20; count++) await store.write([driver.publish('a', 2)])
  const { configuration } = store.load(1).snapshot
  const index = ++driver.index
  const entry = { index, term: 1, type: 'config' as const, data: bytes(''), configuration }
  const row = { topic: 'a', key: 'k', payloadHash: 'h', timeMs: 1 }
  const producer = { uid: 'p', boot: 1, low: 1, usedIndex: 1, results: [] }
  const result = { kind: 'published' as const, incarnation: 1, first: 1, last: 1, sequence: 1, timeMs: 1 }
  const changes = {
    ...{ slot: driver.row(), topics: new Map(), runs: [], trims: [{ incarnation: 1, before: 5 }] },
    keys: new Map([['a\u0000k', { ...row, result }]]),
    producers: new Map([['p', producer]]),
  }
  await store.write([{ slot: 1, entries: [entry], changes }])
  const run = { ...driver.runs[0]!, logIndex: index + 9, first: 100 }
  await store.stage(1, [{ run, data: bytes('staged') }])
  return driver
}

/** Everything of the slot is there, or nothing but the tombstone; says which. */
function whole(store: LogStore, driver: SlotDriver): 'there' | 'dropped' {
  const tombstone = store.tombstone(1)
  if (tombstone) {
    if (store.slots().length > 0) throw new Error('a slot is there and has a tombstone')
    return 'dropped'
  }
  const { image, hardState } = store.load(1)
  if (hardState.commit !== driver.index - 1) throw new Error('another hard state')
  if (image.topics.length + image.keys.length + image.producers.length !== 3) throw new Error('rows are gone')
  if (store.log(1).lastIndex() !== driver.index) throw new Error('the log ends elsewhere')
  for (const run of driver.runs) {
    if (text(store.runData(1, run.logIndex)) !== `entry ${run.logIndex}`) throw new Error('a run is gone')
  }
  return 'there'
}

const tablesOf = (disk: MemoryDisk) => new Set(disk.keys().map(key => key[0]))

t.test('nothing is left of a dropped slot but its tombstone', async t => {
  const disk = new MemoryDisk()
  const store = openMemoryStore(disk)
  await fill(store)
  t.same([...tablesOf(disk)].join(''), 'acdhikloprstw', 'rows in every table')
  await store.write([DROP])
  sweepAll(store, 1, 7)
  await store.write([])
  t.same([...tablesOf(disk)].join(''), 'ay')
  await store.write([{ ...new SlotDriver(1).found(), hardState: PROMISED }])
  t.same([...tablesOf(disk)].join(''), 'ahis', 'and not that either when it comes again')
})

t.test('a crash at each step of a drop leaves the slot wholly there or dropped', async t => {
  const cases: [step: WriteStep, keep: number, found: 'there' | 'dropped'][] = [
    ['before', 0, 'there'],
    ['taken', 0, 'there'],
    ['taken', 1, 'dropped'],
    ['durable', 0, 'dropped'],
  ]
  for (const [step, keep, found] of cases) {
    const disk = new MemoryDisk()
    const store = openMemoryStore(disk)
    const driver = await fill(store)
    const flushes: (() => void)[] = []
    disk.schedule = done => flushes.push(done)
    disk.onStep = at => {
      if (at === step) disk.crash(keep)
    }
    void store.write([DROP])
    for (const flush of flushes) flush()
    disk.onStep = () => {}
    const again = openMemoryStore(disk)
    t.equal(whole(again, driver), found, `${step}, ${keep} kept`)
    t.same(again.leftovers(), found === 'dropped' ? [1] : [])
  }
})

t.test('a drop that fails has happened or not, and nothing behind it has', async t => {
  for (const landed of [false, true]) {
    const disk = new MemoryDisk()
    const store = openMemoryStore(disk)
    const driver = await fill(store)
    disk.failNextFlush('the fsync failed', landed)
    const dropped = store.write([DROP])
    const swept = store.sweep(1, 5)
    const founded = store.write([{ ...new SlotDriver(1).found(), hardState: PROMISED }])
    for (const write of [dropped, founded]) await t.rejects(write, { code: 'WRITE_FAILED' })
    t.equal(swept, false)
    disk.crash()
    t.equal(whole(openMemoryStore(disk), driver), landed ? 'dropped' : 'there')
  }
})

t.test('crashes while it is swept and comes again leak nothing and mix nothing', async t => {
  const disk = new MemoryDisk()
  let store = openMemoryStore(disk)
  await fill(store)
  await store.write([DROP])
  const again = new SlotDriver(1)
  await store.write([{ ...again.found(), hardState: PROMISED }])
  await store.write([again.create('b'), again.publish('b')])
  for (let slices = 0; slices < 100; slices++) {
    store.sweep(1, 4)
    if (slices % 2 === 0) disk.crash(slices % 4 === 0 ? 1 : 0)
    else await store.close()
    store = openMemoryStore(disk)
    t.same(
      store.load(1).image.topics.map(({ name }) => name),
      ['b'],
    )
    t.same([store.log(1).lastIndex(), text(store.runData(1, 2))], [2, 'entry 2'])
    if (store.leftovers().length === 0) break
  }
  t.same([...tablesOf(disk)].join(''), 'ahilorst')
  t.equal(disk.keys().filter(key => key.startsWith('l')).length, 2)
})

t.test('a bad tombstone is told, and no replica is founded without it', async t => {
  const disk = new MemoryDisk()
  const store = openMemoryStore(disk)
  await fill(store)
  await store.write([DROP])
  await store.close()
  disk.corrupt(
    key => key.startsWith('y'),
    value => value.fill(7, 5),
  )
  const reopened = openMemoryStore(disk)
  t.throws(() => reopened.tombstone(1), CorruptRecord)
  t.throws(() => reopened.write([new SlotDriver(1).found()]), CorruptRecord)
  t.same(reopened.slots(), [])
})

t.test('a process killed with -9 while slots come and go leaves each wholly there or dropped', async t => {
  for (const rounds of [3, 12]) {
    const path = t.testdir()
    const writer = await startWriter(path, './dropper.ts')
    t.teardown(() => writer.kill())
    await writer.durable(rounds)
    await writer.kill()
    const store = openLmdbStore(path)
    const tombstone = store.tombstone(1)
    t.equal(store.slots().length, tombstone ? 0 : 1)
    if (tombstone) {
      t.ok(tombstone.term >= writer.said, `dropped in term ${tombstone.term}, told of ${writer.said}`)
      t.throws(() => store.load(1), /not in this store/)
    } else {
      // Life n is in term n, and publishes n + 1 entries of two events each behind the one that makes its topic.
      const { image, hardState } = store.load(1)
      const last = store.log(1).lastIndex()
      t.ok(hardState.term > writer.said, `life ${hardState.term}, told of ${writer.said}`)
      t.equal(image.slot.appliedIndex, last)
      t.equal(store.log(1).term(last), last === 0 ? 0 : hardState.term)
      t.equal(image.topics[0]?.latest ?? 0, Math.max(0, last - 1) * 2)
      for (let index = 2; index <= last; index++) {
        t.equal(text(store.runData(1, index)), `life ${hardState.term}, ${index}`)
      }
    }
    sweepAll(store, 1)
    t.same(store.leftovers(), [])
    await store.close()
  }
})
