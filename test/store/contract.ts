import t, { type Test } from 'tap'
import type { LogStore } from '../../services/peer/store/types.ts'
import { dropContract } from './contract-drop.ts'
import { logContract } from './contract-log.ts'
import { retentionContract } from './contract-retention.ts'
import { snapshotContract } from './contract-snapshot.ts'
import { stateContract } from './contract-state.ts'

/** One disk: each `open` continues on what the last store left. */
export interface Disk {
  open(): LogStore
}

/** Makes a fresh disk for one test. */
export type MakeDisk = (t: Test) => Disk

/** What every LogStore must do, whatever is below it. */
export function runStoreContract(name: string, make: MakeDisk): void {
  t.test(`${name}: identity, roster and state rows`, async t => stateContract(t, make))
  t.test(`${name}: the log`, async t => logContract(t, make))
  t.test(`${name}: retention and compaction`, async t => retentionContract(t, make))
  t.test(`${name}: snapshots`, async t => snapshotContract(t, make))
  t.test(`${name}: replicas that go and come again`, async t => dropContract(t, make))
}

/** Opens the store of a fresh disk, runs `use` on it, opens it again and runs `check` on what is there then. */
export async function acrossRestart(
  disk: Disk,
  use: (store: LogStore) => Promise<void>,
  check: (store: LogStore) => unknown,
): Promise<void> {
  const store = disk.open()
  try {
    await use(store)
  } finally {
    await store.close()
  }
  const reopened = disk.open()
  try {
    await check(reopened)
  } finally {
    await reopened.close()
  }
}
