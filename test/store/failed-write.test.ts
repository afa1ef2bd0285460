import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { LmdbKv } from '../../services/peer/store/lmdb.ts'
import { openLmdbStore } from '../../services/peer/store/open.ts'

/** Largest file of the writing process, in blocks of 1,024 bytes: less than it writes. */
const MAX_FILE_BLOCKS = 8_192

/**
 * Runs a script of this folder on the store at `path` and resolves with what it says, by lines. It may write no file
 * beyond so many blocks of 1,024 bytes: it gets an error for it, as on a full disk, since it ignores the signal.
 */
async function runLimited(script: string, path: string, maxFileBlocks: number): Promise<string[]> {
  const { NODE_OPTIONS: _, ...env } = process.env
  const child = fileURLToPath(new URL(script, import.meta.url))
  const command = `trap '' XFSZ; ulimit -f ${maxFileBlocks}; exec "$@"`
  const options = ['-c', command, 'bash', process.execPath, child, path]
  const { stdout } = await promisify(execFile)('bash', options, { env })
  return stdout.trim().split('\n')
}

t.test(
  'no write comes to the disk behind one that failed, though it was made before that was known',
  async t => {
    const path = t.testdir()
    const [made, durable] = (await runLimited('./overflow.ts', path, MAX_FILE_BLOCKS)).map(Number)
    t.ok(made! > 1, `${made} little writes`)
    t.equal(durable, 0)
    const kv = new LmdbKv(path)
    t.same(kv.keys('', '\uffff'), ['a\u0000\u0000'])
    await kv.close()
  },
)

t.test('a disk that takes no write when the store is opened is named in one line', async t => {
  const path = t.testdir()
  await openLmdbStore(path).close()
  const lines = await runLimited('./opening.ts', path, 1)
  t.match(lines.at(-1), /^WRITE_FAILED: a write to .* failed: /)
  t.ok(lines.at(-1)!.includes(path))
  const store = openLmdbStore(path)
  t.equal(store.identity.boot, 2)
  await store.close()
})
