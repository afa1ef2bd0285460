import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { limitsTable, settingsTable, withTable } from '../scripts/lib/readme-tables.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const path = join(root, 'README.md')

t.test('the tables of the README are those of the source (UPDATE_README=1 writes them)', async t => {
  const text = readFileSync(path, 'utf8')
  const expected = withTable(withTable(text, 'settings', settingsTable()), 'limits', limitsTable())
  if (process.env.UPDATE_README === '1') writeFileSync(path, expected)
  else t.equal(text, expected)
})

t.test('every link between the documents leads to a file', async t => {
  const documents = [
    'README.md',
    ...readdirSync(join(root, 'docs'))
      .filter(name => name.endsWith('.md'))
      .map(name => `docs/${name}`),
  ]
  for (const document of documents) {
    const text = readFileSync(join(root, document), 'utf8')
    for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)) {
      t.ok(existsSync(join(root, dirname(document), target!)), `${document} links to ${target}`)
    }
  }
})
