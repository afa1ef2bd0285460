import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { HistoryWriter, loadHistory, readHistory } from '../../scripts/lib/checker/file.ts'
import { honest, poll } from './histories.ts'

const folder = mkdtempSync(join(tmpdir(), 'hypercast-history-'))
t.teardown(() => rmSync(folder, { recursive: true }))

t.test('a history comes back from its file as it was written', async t => {
  const path = join(folder, 'whole.jsonl')
  const odd = poll('s', 'тема\u2028\u2029\r\n"', 1, 1, [1, '\u2028'])
  const large = Array.from({ length: 3_000 }, (_, i) => poll('s', 'a', i, 1, [i + 1, `event ${i}`]))
  const operations = [...honest().values(), odd, ...large]
  const writer = new HistoryWriter(path)
  for (const operation of operations) writer.append(operation)
  writer.close()
  t.strictSame(await loadHistory(path), operations)
})

t.test('what was flushed is read, one operation at a time, while the writer goes on', async t => {
  const path = join(folder, 'part.jsonl')
  const writer = new HistoryWriter(path)
  writer.append(poll('s', 'a', 1, 1, [1, 'x']))
  writer.flush()
  writer.append(poll('s', 'a', 2, 1, [2, 'y']))
  const read = []
  for await (const operation of readHistory(path)) read.push(operation)
  t.strictSame(read, [poll('s', 'a', 1, 1, [1, 'x'])])
  writer.close()
  t.equal((await loadHistory(path)).length, 2)
})

t.test('a torn or foreign line is named', async t => {
  const path = join(folder, 'torn.jsonl')
  writeFileSync(path, `${JSON.stringify(poll('s', 'a', 1, 1))}\n{"kind":"po`)
  await t.rejects(loadHistory(path), { message: `${path}:2 is not JSON` })
  writeFileSync(path, '{"kind":"rumour"}\n')
  await t.rejects(loadHistory(path), { message: `${path}:1 is no operation` })
})
