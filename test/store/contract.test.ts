import { MemoryDisk } from '../../services/peer/store/memory.ts'
import { openLmdbStore, openMemoryStore } from '../../services/peer/store/open.ts'
import { runStoreContract } from './contract.ts'

runStoreContract('memory', () => {
  const disk = new MemoryDisk()
  return { open: () => openMemoryStore(disk) }
})

runStoreContract('lmdb', t => {
  const path = t.testdir()
  return { open: () => openLmdbStore(path) }
})
