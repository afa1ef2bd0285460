import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { StoreError } from '../../services/peer/store/errors.ts'
import { LmdbKv } from '../../services/peer/store/lmdb.ts'
import { openLmdbStore } from '../../services/peer/store/open.ts'
import { SlotDriver } from './kit.ts'
import { startWriter } from './processes.ts'

t.test('a data folder is made with all that leads to it', async t => {
  const path = join(t.testdir(), 'data', '000')
  await openLmdbStore(path).close()
  t.same(readdirSync(path).sort(), ['data.mdb', 'lock.mdb'])
})

t.test('what cannot be a data folder is refused with one line that names it and says what to do', async t => {
  const root = t.testdir({
    file: 'x',
    foreign: { 'notes.txt': 'x' },
    garbage: { 'data.mdb': 'x'.repeat(100_000) },
    hidden: { '.gitkeep': '' },
  })
  const cases: [path: string, code: string, message: RegExp][] = [
    [join(root, 'file'), 'DATA_NOT_A_DIRECTORY', /is no folder; choose another/],
    [join(root, 'file', 'below'), 'DATA_NOT_A_DIRECTORY', /is no folder; choose another/],
    [join(root, 'foreign'), 'DATA_FOREIGN', /notes\.txt.*choose an empty folder/],
    [join(root, 'garbage'), 'DATA_UNREADABLE', /cannot be read.*move the folder away/],
    [join(root, 'x'.repeat(300)), 'DATA_NOT_WRITABLE', /cannot be written.*choose another/],
  ]
  for (const [path, code, message] of cases) {
    try {
      openLmdbStore(path)
      t.fail(`${path} was opened`)
    } catch (error) {
      const found = error as StoreError
      t.equal(found.code, code)
      t.match(found.message, message)
      t.ok(found.message.includes(path) && !found.message.includes('\n'), found.message)
    }
  }
  t.same(readdirSync(join(root, 'foreign')), ['notes.txt'])
  t.same(
    readdirSync(join(root, 'garbage')).filter(name => name.startsWith('LOCK')),
    [],
  )
  await openLmdbStore(join(root, 'hidden')).close()
})

t.test('a database that is no peer’s is refused and left as it is', async t => {
  const path = t.testdir()
  const kv = new LmdbKv(path)
  await kv.write([{ key: 'xyz', value: Buffer.from('somebody else’s') }])
  await kv.close()
  t.throws(() => openLmdbStore(path), { code: 'DATA_FOREIGN', message: /no peer's/ })
  const again = new LmdbKv(path)
  t.equal(Buffer.from(again.get('xyz')!).toString(), 'somebody else’s')
  await again.close()
})

/** Opens the store as a user who owns nothing of it; as root no file is closed to a process. */
function openAsOther(path: string): void {
  const isRoot = process.geteuid!() === 0
  if (isRoot) process.seteuid!(65_534)
  try {
    openLmdbStore(path)
  } finally {
    if (isRoot) process.seteuid!(0)
  }
}

for (const [what, mode] of [
  ['read', 0],
  ['written', 0o444],
] as const) {
  t.test(`data that may not be ${what} is not taken for damaged`, async t => {
    const path = mkdtempSync(join(tmpdir(), 'hypercast-open-'))
    t.teardown(() => rmSync(path, { recursive: true }))
    await openLmdbStore(path).close()
    chmodSync(path, 0o777)
    rmSync(join(path, 'lock.mdb'))
    chmodSync(join(path, 'data.mdb'), mode)
    t.throws(() => openAsOther(path), { code: 'DATA_NOT_WRITABLE', message: /data\.mdb cannot be opened \(/ })
    chmodSync(join(path, 'data.mdb'), 0o644)
    rmSync(join(path, 'lock.mdb'), { force: true })
    const store = openLmdbStore(path)
    t.equal(store.identity.boot, 2)
    await store.close()
  })
}

t.test('data of another format of lmdb is not taken for damaged, one page in another format is', async t => {
  const root = t.testdir({ sound: {}, both: {}, second: {} })
  await openLmdbStore(join(root, 'sound')).close()
  const data = readFileSync(join(root, 'sound', 'data.mdb'))
  const FORMAT_AT = 28
  const pageSize = data.readUInt32LE(48)
  data.writeUInt32LE(3, pageSize + FORMAT_AT)
  writeFileSync(join(root, 'second', 'data.mdb'), data)
  data.writeUInt32LE(3, FORMAT_AT)
  writeFileSync(join(root, 'both', 'data.mdb'), data)
  t.throws(() => openLmdbStore(join(root, 'both')), { code: 'DATA_VERSION', message: /in format 3 of lmdb/ })
  t.throws(() => openLmdbStore(join(root, 'second')), { code: 'DATA_UNREADABLE' })
})

t.test('one process opens a folder once', async t => {
  const path = t.testdir()
  const store = openLmdbStore(path)
  t.throws(() => openLmdbStore(path), { code: 'DATA_IN_USE', message: new RegExp(`${path}.*${process.pid}`) })
  await store.close()
  await openLmdbStore(path).close()
})

t.test('two processes cannot work in one folder, until the first one is gone', async t => {
  const path = t.testdir()
  const writer = await startWriter(path)
  t.teardown(() => writer.kill())
  await writer.durable(1)
  t.throws(() => openLmdbStore(path), {
    code: 'DATA_IN_USE',
    message: `${path} is in use by process ${writer.pid}; stop it or choose another data folder`,
  })
  await writer.kill()
  const store = openLmdbStore(path)
  t.equal(store.identity.boot, 2)
  await store.close()
})

t.test('the lock of a process that is gone is taken over, also when its pid was given again', async t => {
  const gone = spawn(process.execPath, ['-e', ''])
  await new Promise(resolve => gone.once('exit', resolve))
  const leftovers = [
    JSON.stringify({ pid: gone.pid, start: 'x' }),
    JSON.stringify({ pid: process.pid, start: 'x' }),
    JSON.stringify({ pid: process.ppid, start: 'another boot/1' }),
    'cut o',
    '',
  ]
  for (const leftover of leftovers) {
    const path = join(t.testdir(), 'data')
    mkdirSync(path, { recursive: true })
    writeFileSync(join(path, 'LOCK'), leftover)
    const store = openLmdbStore(path)
    t.match(JSON.parse(readFileSync(join(path, 'LOCK'), 'utf8')), { pid: process.pid })
    await store.close()
    t.same(readdirSync(path).sort(), ['data.mdb', 'lock.mdb'])
  }
})

t.test('of two stores the uids differ, so that a wiped or foreign folder is recognised', async t => {
  const root = t.testdir()
  const stores = ['a', 'b'].map(name => openLmdbStore(join(root, name)))
  t.not(stores[0]!.identity.uid, stores[1]!.identity.uid)
  await stores[0]!.write([new SlotDriver(1).found()])
  for (const store of stores) await store.close()
})
