import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DATA_FILE, READERS_FILE, syncDirectory } from './lmdb.ts'
import { lockDirectory } from './lock.ts'

/** Folder, within the data folder, of a damaged store that was set aside; the last one is kept. */
export const DAMAGED_FOLDER = 'damaged'
/** Folder, within the data folder, of the store that is to take the place of a damaged one. */
export const NEXT_FOLDER = 'next'

/** Whether a store was prepared to take the place of the one in folder `path`. */
export function hasNext(path: string): boolean {
  return existsSync(join(path, NEXT_FOLDER, DATA_FILE))
}

/**
 * Sets the store in folder `path` aside, which nobody has open: the next opening finds the one that was prepared, or
 * makes a new one. All of it stays in the folder, which may be a disk of its own and its parent somebody else's. An
 * earlier one that was set aside is removed. Cut off at any point, it is done again or complete: what is opened next
 * is whichever data file stands in the folder, and else the prepared one.
 * @returns where it lies now
 * @throws StoreError DATA_IN_USE, and what the file system throws
 */
export function setAside(path: string): string {
  const unlock = lockDirectory(path)
  try {
    const damaged = join(path, DAMAGED_FOLDER)
    rmSync(damaged, { recursive: true, force: true })
    mkdirSync(damaged)
    rmSync(join(path, READERS_FILE), { force: true })
    renameSync(join(path, DATA_FILE), join(damaged, DATA_FILE))
    syncDirectory(damaged)
    syncDirectory(path)
    return damaged
  } finally {
    unlock()
  }
}

/** Removes the store that was prepared for folder `path`. Throws what the file system throws. */
export function removeNext(path: string): void {
  rmSync(join(path, NEXT_FOLDER), { recursive: true, force: true })
  syncDirectory(path)
}

/** Puts the prepared store in the place of one that was set aside, or is gone. To be called with the folder locked. */
export function putNextInPlace(path: string): void {
  const next = join(path, NEXT_FOLDER)
  renameSync(join(next, DATA_FILE), join(path, DATA_FILE))
  rmSync(next, { recursive: true, force: true })
  syncDirectory(path)
}
