import { writeSync } from 'node:fs'
import { openLmdbStore } from '../../services/peer/store/open.ts'
import { SlotDriver } from './kit.ts'

/** Founds, fills and drops slot 1 for ever in the folder given, sweeping some; says after each drop that it is durable. */
const store = openLmdbStore(process.argv[2]!)
for (let life = 1; ; life++) {
  const driver = new SlotDriver(1)
  driver.term = life
  await store.write([{ ...driver.found(), hardState: { term: life, vote: 2, commit: 0 } }])
  await store.write([driver.create('a')])
  for (let count = 0; count <= life; count++) {
    void store.write([driver.publish('a', 2, `life ${life}, ${driver.index + 1}`)])
    store.sweep(1, 2)
  }
  await store.write([{ slot: 1, drop: true }])
  store.sweep(1, life % 7)
  writeSync(1, `${life}\n`)
}
