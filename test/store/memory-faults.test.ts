import t from 'tap'
import { MemoryDisk, type WriteStep } from '../../services/peer/store/memory.ts'
import { openMemoryStore } from '../../services/peer/store/open.ts'
import { CorruptRecord } from '../../services/peer/store/types.ts'
import { dataEntry, SlotDriver } from './kit.ts'

/** A store with slot 1 founded on a disk that flushes when the test says so. */
async function heldStore() {
  const flushes: (() => void)[] = []
  const disk = new MemoryDisk()
  const store = openMemoryStore(disk)
  await store.write([new SlotDriver(1).found()])
  disk.schedule = done => flushes.push(done)
  return { disk, store, flushes }
}

const isEntry = (index: number) => (key: string) =>
  key.startsWith('l') && key.endsWith(String.fromCharCode(index))

async function pause(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve))
}

t.test('a crash at each step of a write finds it not there, there or lost, and there', async t => {
  const cases: [step: WriteStep, keep: number, last: number][] = [
    ['before', 0, 0],
    ['taken', 0, 0],
    ['taken', 1, 1],
    ['durable', 0, 1],
  ]
  for (const [step, keep, last] of cases) {
    const { disk, store, flushes } = await heldStore()
    disk.onStep = at => {
      if (at === step) disk.crash(keep)
    }
    let settled = false
    const settle = () => {
      settled = true
    }
    store.write([{ slot: 1, entries: [dataEntry(1, 1)] }]).then(settle, settle)
    for (const flush of flushes) flush()
    await pause()
    t.equal(settled, false, `nobody is told at ${step}`)
    disk.onStep = () => {}
    t.equal(openMemoryStore(disk).log(1).lastIndex(), last, `${step}, ${keep} kept`)
  }
})

t.test(
  'a crash before the write of an opening leaves its boot number uncounted, one after it does not',
  t => {
    for (const [step, boot] of [
      ['before', 2],
      ['durable', 3],
    ] as const) {
      const disk = new MemoryDisk()
      t.equal(openMemoryStore(disk).identity.boot, 1)
      disk.crash()
      disk.onStep = at => {
        if (at === step) disk.crash()
      }
      openMemoryStore(disk)
      disk.onStep = () => {}
      t.equal(openMemoryStore(disk).identity.boot, boot)
    }
    t.end()
  },
)

t.test('what was written behind a write that failed fails too and does not come to the disk', async t => {
  for (const landed of [false, true]) {
    const { disk, store, flushes } = await heldStore()
    const writes = [1, 2, 3].map(index => store.write([{ slot: 1, entries: [dataEntry(index, 1)] }]))
    disk.failNextFlush('the fsync failed', landed)
    flushes[0]!()
    for (const write of writes) await t.rejects(write, { code: 'WRITE_FAILED' })
    flushes[1]!()
    flushes[2]!()
    disk.crash()
    t.equal(openMemoryStore(disk).log(1).lastIndex(), landed ? 1 : 0)
  }
})

t.test('a full disk cannot be opened until it has room', t => {
  const disk = new MemoryDisk()
  openMemoryStore(disk)
  disk.crash()
  disk.capacityBytes = disk.space().usedBytes
  t.throws(() => openMemoryStore(disk), { code: 'WRITE_FAILED', message: /no space is left/ })
  disk.capacityBytes = Number.MAX_SAFE_INTEGER
  t.equal(openMemoryStore(disk).identity.boot, 2)
  t.end()
})

t.test(
  'a bit that flips under a running process is noticed when the record is read, at any place of it',
  async t => {
    const { disk, store, flushes } = await heldStore()
    const write = store.write([{ slot: 1, entries: [dataEntry(1, 1, 'abc'), dataEntry(2, 1, 'def')] }])
    flushes[0]!()
    await write
    const key = disk.keys().find(isEntry(1))!
    const bits = 8 * (5 + 7 + 3)
    for (let bit = 0; bit < bits; bit++) {
      t.ok(disk.flipBit(key, bit))
      t.same(disk.flipped(), [key])
      t.throws(() => store.log(1).entries(1, 2, 100), CorruptRecord, `bit ${bit}`)
      t.equal(store.log(1).entries(2, 3, 100).length, 1)
      disk.flipBit(key, bit)
      t.equal(store.log(1).entries(1, 2, 100).length, 1)
    }
  },
)

t.test(
  'a flipped bit is gone when its record is written again, and what is not there cannot flip',
  async t => {
    const { disk, store, flushes } = await heldStore()
    const key = disk.keys().find(row => row.startsWith('h'))!
    disk.flipBit(key, 77)
    t.same(disk.flipped(), [key])
    const write = store.write([{ slot: 1, hardState: { term: 4, vote: 0, commit: 0 } }])
    t.equal(store.load(1).hardState.term, 4)
    t.same(disk.flipped(), [key], 'the disk has the old record still')
    flushes[0]!()
    await write
    t.same(disk.flipped(), [])
    t.equal(disk.flipBit('l\u0000\u0001\u0000\u0000\u0000\u0000\u0000\u0009', 1), false)
  },
)
