import t from 'tap'
import { MemoryDisk } from '../../services/peer/store/memory.ts'
import { openMemoryStore } from '../../services/peer/store/open.ts'
import { CorruptRecord } from '../../services/peer/store/types.ts'
import { dataEntry, SlotDriver, sweepAll } from './kit.ts'

/** A disk whose writes become durable only when the test says so. */
function heldDisk() {
  const flushes: (() => void)[] = []
  const disk = new MemoryDisk()
  return { disk, flushes, hold: () => (disk.schedule = done => flushes.push(done)) }
}

function flip(value: Uint8Array): Uint8Array {
  value[value.length - 1]! ^= 0x10
  return value
}

t.test('a crash drops everything that was not flushed', async t => {
  const { disk, flushes, hold } = heldDisk()
  const driver = new SlotDriver(1)
  const store = openMemoryStore(disk)
  await store.write([driver.found()])
  hold()
  const durable = store.write([{ slot: 1, entries: [dataEntry(1, 1)] }])
  flushes.shift()!()
  await durable
  let settled = false
  store.write([{ slot: 1, entries: [dataEntry(2, 1)] }]).finally(() => {
    settled = true
  })
  t.equal(store.log(1).lastIndex(), 2)
  t.equal(disk.pendingWrites, 1)
  disk.crash()
  for (const flush of flushes) flush()
  const reopened = openMemoryStore(disk)
  t.equal(reopened.log(1).lastIndex(), 1)
  t.equal(settled, false)
  t.match(disk.counts, { crashes: 1, lostWrites: 1 })
})

t.test('a crash may leave some first writes that nobody was told of', async t => {
  const { disk, hold } = heldDisk()
  const driver = new SlotDriver(1)
  const store = openMemoryStore(disk)
  await store.write([driver.found()])
  hold()
  for (const index of [1, 2, 3]) store.write([{ slot: 1, entries: [dataEntry(index, 1)] }])
  disk.crash(2)
  t.equal(openMemoryStore(disk).log(1).lastIndex(), 2)
})

t.test('a flush makes all earlier writes durable too, in order', async t => {
  const { disk, flushes, hold } = heldDisk()
  const driver = new SlotDriver(1)
  const store = openMemoryStore(disk)
  await store.write([driver.found()])
  hold()
  const order: number[] = []
  const writes = [1, 2, 3].map(index =>
    store.write([{ slot: 1, entries: [dataEntry(index, 1)] }]).then(() => order.push(index)),
  )
  flushes[1]!()
  await Promise.all(writes.slice(0, 2))
  t.same(order, [1, 2])
  flushes[0]!()
  flushes[2]!()
  await writes[2]
  t.same(order, [1, 2, 3])
})

t.test('a store of a life before the crash can do nothing more to the disk', async t => {
  const disk = new MemoryDisk()
  const driver = new SlotDriver(1)
  const dead = openMemoryStore(disk)
  await dead.write([driver.found()])
  t.throws(() => openMemoryStore(disk), { code: 'DATA_IN_USE' })
  disk.crash()
  const store = openMemoryStore(disk)
  dead.write([{ slot: 1, entries: [dataEntry(1, 1)] }])
  await store.write([{ slot: 1, hardState: { term: 3, vote: 0, commit: 0 } }])
  t.equal(store.log(1).lastIndex(), 0)
  await store.close()
  t.equal(openMemoryStore(disk).log(1).lastIndex(), 0)
})

t.test('after a failed fsync every further write is refused, whether or not the data landed', async t => {
  for (const landed of [false, true]) {
    const disk = new MemoryDisk()
    const driver = new SlotDriver(1)
    const store = openMemoryStore(disk)
    await store.write([driver.found()])
    disk.failNextFlush('the fsync failed', landed)
    await t.rejects(store.write([{ slot: 1, entries: [dataEntry(1, 1)] }]), { code: 'WRITE_FAILED' })
    await t.rejects(store.write([{ slot: 1, entries: [dataEntry(2, 1)] }]), { code: 'WRITE_FAILED' })
    disk.crash()
    t.equal(openMemoryStore(disk).log(1).lastIndex(), landed ? 1 : 0)
  }
})

t.test('a full disk refuses the write that does not fit and tells how much is free', async t => {
  const disk = new MemoryDisk({ capacityBytes: 10_000 })
  const driver = new SlotDriver(1)
  const store = openMemoryStore(disk)
  await store.write([driver.found(), driver.create('a')])
  const { freeBytes, usedBytes } = store.space()
  t.equal(freeBytes + usedBytes, 10_000)
  await t.rejects(store.write([driver.publish('a', 1, 'x'.repeat(10_000))]), /no space is left/)
})

t.test('a flipped bit in a row that a slot needs is noticed at loading, in that slot only', async t => {
  for (const table of ['s', 'h', 'i', 't']) {
    const disk = new MemoryDisk()
    const drivers = [new SlotDriver(1), new SlotDriver(2)]
    const store = openMemoryStore(disk)
    await store.write(drivers.map(driver => driver.found()))
    await store.write(drivers.map(driver => driver.create('a')))
    await store.close()
    t.equal(
      disk.corrupt(key => key.startsWith(`${table}\u0000\u0001`), flip),
      1,
    )
    const reopened = openMemoryStore(disk)
    t.throws(() => reopened.load(1), { name: 'CorruptRecord', slot: 1, message: /of slot 1/ })
    t.equal(reopened.load(2).image.topics.length, 1)
  }
})

t.test('a bad record in the middle of the log throws when it is read and is never cut away', async t => {
  const changes = [flip, (value: Uint8Array) => value.subarray(0, 3), () => new Uint8Array(0), versioned]
  for (const change of changes) {
    const disk = new MemoryDisk()
    const driver = new SlotDriver(1)
    const store = openMemoryStore(disk)
    await store.write([driver.found(), driver.create('a'), driver.publish('a'), driver.publish('a')])
    await store.close()
    disk.corrupt(key => key.startsWith('l') && key.endsWith('\u0002'), change)
    const reopened = openMemoryStore(disk)
    t.equal(reopened.log(1).lastIndex(), 3)
    t.equal(reopened.log(1).entries(1, 2, 100).length, 1)
    t.throws(() => reopened.log(1).entries(1, 4, 100), CorruptRecord)
    t.throws(() => reopened.log(1).term(2), CorruptRecord)
    t.throws(() => reopened.runData(1, 2), CorruptRecord)
    t.throws(() => reopened.runsAfter(1, 0, 3, 100), CorruptRecord)
    t.equal(reopened.log(1).term(3), 1)
  }
})

t.test('a record in another’s place is noticed', async t => {
  const disk = new MemoryDisk()
  const driver = new SlotDriver(1)
  const store = openMemoryStore(disk)
  await store.write([driver.found(), { slot: 1, entries: [dataEntry(1, 1, 'a'), dataEntry(2, 1, 'b')] }])
  await store.close()
  let first: Uint8Array | undefined
  disk.corrupt(
    key => key.startsWith('l') && key.endsWith('\u0001'),
    value => (first = value),
  )
  disk.corrupt(
    key => key.startsWith('l') && key.endsWith('\u0002'),
    () => first!,
  )
  t.throws(() => openMemoryStore(disk).log(1).entries(1, 3, 100), CorruptRecord)
})

t.test('a missing entry is noticed', async t => {
  const disk = new MemoryDisk()
  const store = openMemoryStore(disk)
  await store.write([new SlotDriver(1).found(), { slot: 1, entries: [dataEntry(1, 1), dataEntry(2, 1)] }])
  await store.close()
  const rows = disk.attach()
  await rows.write([{ key: disk.keys().find(key => key.startsWith('l'))!, value: null }])
  await rows.close()
  t.throws(() => openMemoryStore(disk).log(1).entries(1, 3, 100), /missing/)
})

t.test('nothing is left of a topic that came and went', async t => {
  const disk = new MemoryDisk()
  const driver = new SlotDriver(1)
  const store = openMemoryStore(disk)
  await store.write([driver.found()])
  const before = disk.keys()
  await store.write([driver.create('a')])
  for (let i = 0; i < 30; i++) await store.write([driver.publish('a')])
  await store.write([driver.delete('a')])
  await store.write([driver.compact()])
  sweepAll(store, 1, 7)
  await store.write([])
  t.same(disk.keys(), before)
})

t.test('a crash in the middle of sweeping leaks nothing', async t => {
  const disk = new MemoryDisk()
  const driver = new SlotDriver(1)
  let store = openMemoryStore(disk)
  await store.write([driver.found()])
  const before = disk.keys()
  await store.write([driver.create('a')])
  for (let i = 0; i < 30; i++) await store.write([driver.publish('a')])
  await store.write([driver.delete('a')])
  await store.write([driver.compact()])
  for (let slices = 0; slices < 100; slices++) {
    const done = store.sweep(1, 4)
    if (slices % 2 === 0) disk.crash(slices % 4 === 0 ? 1 : 0)
    else await store.close()
    store = openMemoryStore(disk)
    if (done && store.sweep(1, 4)) break
  }
  await store.write([])
  t.same(disk.keys(), before)
})

t.test('a format version that is not known is refused, and so is a record that lost whose it is', async t => {
  const disk = new MemoryDisk()
  await openMemoryStore(disk).close()
  const identity = (key: string) => key.endsWith('identity')
  disk.corrupt(identity, versioned)
  t.throws(() => openMemoryStore(disk), {
    code: 'DATA_VERSION',
    message: /format 9.*start the one that wrote it/,
  })
  disk.corrupt(identity, value => Uint8Array.of(1, ...value.subarray(1, 20)))
  t.throws(() => openMemoryStore(disk), { code: 'DATA_UNREADABLE', message: /move the folder away/ })
})

t.test('a wiped disk is another disk', async t => {
  const disk = new MemoryDisk()
  const store = openMemoryStore(disk)
  await store.write([new SlotDriver(1).found()])
  disk.wipe()
  const other = openMemoryStore(disk)
  t.not(other.identity.uid, store.identity.uid)
  t.same(other.slots(), [])
})

function versioned(value: Uint8Array): Uint8Array {
  value[0] = 9
  return value
}
