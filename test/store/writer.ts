import { writeSync } from 'node:fs'
import { openLmdbStore } from '../../services/peer/store/open.ts'
import { SlotDriver } from './kit.ts'

/** Publishes for ever to the store in the folder given, and says after each entry that it is durable. */
const store = openLmdbStore(process.argv[2]!)
const driver = new SlotDriver(1)
await store.write([driver.found(), driver.create('a')])
for (;;) {
  const batch = Array.from({ length: 5 }, () => store.write([driver.publish('a', 2)]))
  await Promise.all(batch)
  writeSync(1, `${driver.index}\n`)
}
