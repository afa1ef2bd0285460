import { globSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'

/**
 * Runs all test files of a folder under test/ in this process. They share one start of Node and one loading of the
 * product, which takes longer than most of the tests. Each file also runs by itself: `npx tap test/raft/log.test.ts`.
 * Throws when the folder has no test.
 */
export async function runRoom(room: string): Promise<void> {
  const folder = join(import.meta.dirname, '..', room)
  const files = globSync('**/*.test.ts', { cwd: folder }).sort()
  if (files.length === 0) throw new Error(`${folder} has no test`)
  // A test that is under way: with nothing to do meanwhile tap would take the room for finished (once a file has
  // called `t.teardown`), and refuse the tests of files that are still being loaded.
  await t.test(`the test files of ${room} are loaded`, async () => {
    for (const file of files) await import(pathToFileURL(join(folder, file)).href)
  })
}
