import { StoreError } from '../../services/peer/store/errors.ts'
import { openLmdbStore } from '../../services/peer/store/open.ts'

/** Opens the store in the folder given and says what came of it. */
try {
  const store = openLmdbStore(process.argv[2]!)
  console.log(`boot ${store.identity.boot}`)
  await store.close()
} catch (error) {
  if (!(error instanceof StoreError)) throw error
  console.log(`${error.code}: ${error.message}`)
}
// The lmdb library holds a file that failed open for a while.
process.exit(0)
