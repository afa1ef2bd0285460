import t from 'tap'
import { openLmdbStore } from '../../services/peer/store/open.ts'
import { text } from './kit.ts'
import { startWriter } from './processes.ts'

t.test(
  'a process killed with -9 leaves everything it was told is durable, and whole writes only',
  async t => {
    for (const entries of [6, 50, 300]) {
      const path = t.testdir()
      const writer = await startWriter(path)
      t.teardown(() => writer.kill())
      await writer.durable(entries)
      await writer.kill()
      const store = openLmdbStore(path)
      const { image, hardState } = store.load(1)
      const last = store.log(1).lastIndex()
      t.ok(last >= writer.said, `${last} entries, told of ${writer.said}`)
      t.equal(hardState.commit, last)
      t.equal(image.slot.appliedIndex, last)
      t.equal(image.topics[0]!.latest, (last - 1) * 2)
      for (let index = 2; index <= last; index++) {
        const run = store.findRun(1, 1, (index - 2) * 2 + 1)
        if (run?.logIndex !== index || text(store.runData(1, index)) !== `entry ${index}`) {
          t.fail(`entry ${index} is not as it was written`)
        }
      }
      await store.close()
    }
  },
)
