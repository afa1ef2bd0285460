import { mkdtempSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { makeFolder } from '../services/peer/folders.ts'

t.test('a folder is made with those above it, and may stand already', async t => {
  const path = join(mkdtempSync(join(tmpdir(), 'hypercast-')), 'a', 'b', 'c')
  makeFolder(path)
  makeFolder(path)
  t.ok(statSync(path).isDirectory())
})

t.test('where no folder can be made the error comes at once', async t => {
  t.throws(() => makeFolder('/proc/hypercast/data'), { code: 'ENOENT' })
  const file = join(mkdtempSync(join(tmpdir(), 'hypercast-')), 'file')
  writeFileSync(file, '')
  t.throws(() => makeFolder(join(file, 'data')), { code: 'ENOTDIR' })
})
