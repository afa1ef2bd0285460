import { existsSync, readdirSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { DAMAGED_FOLDER, hasNext, NEXT_FOLDER, setAside } from '../../services/peer/store/aside.ts'
import { storeKey } from '../../services/peer/store/keys.ts'
import { LmdbKv } from '../../services/peer/store/lmdb.ts'
import { prepareNext } from '../../services/peer/store/next.ts'
import { openLmdbStore } from '../../services/peer/store/open.ts'
import { rosterOf } from '../membership/world.ts'

const PAGE_BYTES = 4_096

/** Opens the store, closes it, and returns its uid. */
async function uidIn(path: string): Promise<string> {
  const store = openLmdbStore(path)
  await store.close()
  return store.identity.uid
}

t.test('a store that was set aside is kept, and the prepared one is opened in its place', async t => {
  const path = t.testdir()
  const damaged = await uidIn(path)
  t.notOk(hasNext(path))
  const { uid } = await prepareNext(path)
  t.ok(hasNext(path))
  t.equal(await uidIn(path), damaged, 'being prepared changes nothing')
  t.match(await prepareNext(path, rosterOf(1)), { uid, roster: rosterOf(1) }, 'it is prepared once')
  t.equal(setAside(path), join(path, DAMAGED_FOLDER))
  t.equal(await uidIn(path), uid)
  t.notOk(existsSync(join(path, NEXT_FOLDER)))
  t.equal(await uidIn(join(path, DAMAGED_FOLDER)), damaged)
})

t.test('without a prepared one a new store is made', async t => {
  const path = t.testdir()
  const damaged = await uidIn(path)
  setAside(path)
  t.not(await uidIn(path), damaged)
})

t.test('the last store that was set aside is kept, and no earlier one', async t => {
  const path = t.testdir()
  await uidIn(path)
  setAside(path)
  const second = await uidIn(path)
  setAside(path)
  t.equal(await uidIn(join(path, DAMAGED_FOLDER)), second)
  t.same(readdirSync(path), [DAMAGED_FOLDER])
})

t.test('a store that is open cannot be set aside', async t => {
  const path = t.testdir()
  const store = openLmdbStore(path)
  t.throws(() => setAside(path), { code: 'DATA_IN_USE' })
  await store.close()
})

t.test(
  'what was cut off between setting aside and putting in place is completed by the next opening',
  async t => {
    const path = t.testdir()
    await uidIn(path)
    const { uid } = await prepareNext(path)
    rmSync(join(path, 'data.mdb'))
    t.equal(await uidIn(path), uid)
  },
)

t.test('a store whose roster cannot be read is one that cannot be opened', async t => {
  const path = t.testdir()
  const store = openLmdbStore(path)
  await store.writeRoster(rosterOf(1))
  await store.close()
  const kv = new LmdbKv(path)
  await kv.write([{ key: storeKey('roster'), value: Buffer.from('not a roster') }])
  await kv.close()
  t.throws(() => openLmdbStore(path), { code: 'DATA_UNREADABLE' })
})

t.test('a store that is cut off is one that cannot be opened, and does not end the process', async t => {
  const path = t.testdir()
  const store = openLmdbStore(path)
  await store.writeRoster(rosterOf(1))
  await store.close()
  const file = join(path, 'data.mdb')
  for (const bytes of [2 * PAGE_BYTES, PAGE_BYTES, 100]) {
    truncateSync(file, bytes)
    t.throws(() => openLmdbStore(path), { code: 'DATA_UNREADABLE' }, `after ${bytes} bytes`)
  }
})
