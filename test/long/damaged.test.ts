import { existsSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { GrowingCube } from '../../scripts/lib/growing-cube.ts'
import { askJson } from '../../scripts/lib/http.ts'
import { DAMAGED_FOLDER } from '../../services/peer/store/aside.ts'
import { prefix, storeKey, TABLES } from '../../services/peer/store/keys.ts'
import { LmdbKv } from '../../services/peer/store/lmdb.ts'

const EVENTS = 20
t.setTimeout(230_000)

/** Flips one bit in a record of a store that nobody has open. */
function corrupt(key: string): (data: string) => Promise<void> {
  return async data => {
    const kv = new LmdbKv(data)
    const record = Buffer.from(kv.get(key)!)
    record[record.length - 1]! ^= 1
    await kv.write([{ key, value: record }])
    await kv.close()
  }
}

/** What can be found of a store when its peer starts, and is no reason to give up. */
const DAMAGES: readonly [string, (data: string, slot: number) => Promise<void>][] = [
  ['the record of whose store it is', corrupt(storeKey('identity'))],
  ['the file, which is cut off', async data => truncateSync(join(data, 'data.mdb'), 8_192)],
  ['one slot of those it holds', (data, slot) => corrupt(prefix(TABLES.hardState, { slot, era: 0 }))(data)],
]

t.test('a peer that joined repairs its store, whatever of it is damaged', async t => {
  const cube = await GrowingCube.found()
  t.teardown(() => cube.close())
  await cube.grow(4)
  const topic = cube.topicUrl('sports', 0)
  const { slot } = await askJson<{ slot: number }>(topic, { method: 'PUT' })
  const payloads = Array.from({ length: EVENTS }, (_, index) => `event ${index + 1}`)
  for (const body of payloads) await askJson(`${topic}/publish`, { method: 'POST', body })
  for (const [what, damage] of DAMAGES) {
    const before = await cube.listed(2, 0)
    const data = cube.data(2)
    await cube.kill(2)
    await damage(data, slot)
    await cube.restart(2)
    let after = before
    while (after.uid === before.uid) {
      await new Promise(wake => setTimeout(wake, 200))
      after = await cube.listed(2, 0)
    }
    await cube.settled(4, 0)
    t.equal(after.id, before.id, `${what}: it has its label again`)
    t.ok(existsSync(join(data, DAMAGED_FOLDER, 'data.mdb')), 'its store is kept')
    const page = await askJson<{ events: { data: string }[] }>(
      `${cube.topicUrl('sports', 2)}/events?from=earliest`,
      { headers: { accept: 'application/json' } },
    )
    t.same(
      page.events.map(event => event.data),
      payloads,
    )
  }
})
