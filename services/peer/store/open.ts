import { randomUUID } from 'node:crypto'
import { accessSync, constants, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder } from '../folders.ts'
import { DAMAGED_FOLDER, hasNext, NEXT_FOLDER, putNextInPlace } from './aside.ts'
import { StoreError } from './errors.ts'
import { openIdentity } from './identity.ts'
import {
  DATA_FILE,
  databaseFault,
  isDamage,
  isOtherFormat,
  LmdbKv,
  otherFormat,
  READERS_FILE,
} from './lmdb.ts'
import { LOCK_FILE, lockDirectory } from './lock.ts'
import { KvLogStore } from './log-store.ts'
import type { MemoryDisk } from './memory.ts'
import { CorruptRecord, type LogStore } from './types.ts'

export interface OpenOptions {
  /** Makes the random uid of a new store. */
  readonly newUid?: () => string
}

/**
 * Opens the store in folder `path`, or makes it there; where one was set aside, the one prepared in its place.
 *
 * @throws StoreError with one clear line: DATA_IN_USE, DATA_NOT_A_DIRECTORY, DATA_NOT_WRITABLE, DATA_FOREIGN,
 * DATA_VERSION, DATA_UNREADABLE, WRITE_FAILED. Nothing is kept open then.
 */
export function openLmdbStore(path: string, options: OpenOptions = {}): LogStore {
  const isNew = prepareDirectory(path)
  const unlock = lock(path)
  try {
    const isPrepared = isNew && hasNext(path)
    if (isPrepared) putNextInPlace(path)
    const kv = openRows(path, isNew && !isPrepared)
    try {
      const store = new KvLogStore(kv, openIdentity(kv, path, options.newUid ?? randomUUID), unlock)
      // Without it the peer could not start: it is read now, so that this is a store that cannot be opened.
      store.roster()
      return store
    } catch (error) {
      void kv.close()
      const isUnreadable = error instanceof CorruptRecord || isDamage(error)
      throw isUnreadable ? unreadable(path, (error as Error).message, error) : error
    }
  } catch (error) {
    unlock()
    throw error
  }
}

/** Opens a store on a disk in memory. Throws StoreError DATA_IN_USE while another one is open on it. */
export function openMemoryStore(disk: MemoryDisk, options: OpenOptions = {}): LogStore {
  const kv = disk.attach()
  try {
    return new KvLogStore(kv, openIdentity(kv, 'the memory disk', options.newUid ?? randomUUID))
  } catch (error) {
    disk.detach(kv)
    throw error
  }
}

/** Makes the folder and looks whether it may be a peer's; true when it holds no data yet. */
function prepareDirectory(path: string): boolean {
  try {
    makeFolder(path)
  } catch (error) {
    throw explain(path, error)
  }
  if (!statSync(path).isDirectory()) throw notADirectory(path)
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
    return looksNew(path)
  } catch (error) {
    throw error instanceof StoreError ? error : explain(path, error)
  }
}

function looksNew(path: string): boolean {
  const names = readdirSync(path)
  if (names.includes(DATA_FILE)) return false
  const foreign = names.find(name => !isOurs(name) && name !== 'lost+found' && !name.startsWith('.'))
  if (foreign === undefined) return true
  throw new StoreError(
    'DATA_FOREIGN',
    `${path} holds other files (${foreign}); choose an empty folder for the data`,
  )
}

function isOurs(name: string): boolean {
  const names = [READERS_FILE, LOCK_FILE, DAMAGED_FOLDER, NEXT_FOLDER]
  return names.includes(name) || name.startsWith(`${LOCK_FILE}.`)
}

function lock(path: string): () => void {
  try {
    return lockDirectory(path)
  } catch (error) {
    throw error instanceof StoreError ? error : explain(path, error)
  }
}

/**
 * Only pages that are wrong make the data unreadable: what the system does not allow, or has no room for, says nothing
 * against them.
 */
function openRows(path: string, isNew: boolean): LmdbKv {
  try {
    const fault = isNew ? undefined : databaseFault(path)
    if (fault !== undefined) throw unreadable(path, fault)
    return new LmdbKv(path)
  } catch (error) {
    if (error instanceof StoreError) throw error
    if (isOtherFormat(error)) throw otherFormat(path, 'another format of lmdb')
    if (isDamage(error)) throw unreadable(path, (error as Error).message, error)
    throw isNew ? explain(path, error) : notOpened(path, error)
  }
}

function unreadable(path: string, reason: string, cause?: unknown): StoreError {
  const advice = 'move the folder away and add the peer again as a new one'
  return new StoreError(
    'DATA_UNREADABLE',
    `${join(path, DATA_FILE)} cannot be read (${reason}): ${advice}`,
    cause,
  )
}

/** There is data, and the system does not let this process have it now. */
function notOpened(path: string, error: unknown): StoreError {
  const reason = error instanceof Error ? error.message : String(error)
  const advice = 'see that this user may read and write it, and that the system is not short of anything'
  return new StoreError(
    'DATA_NOT_WRITABLE',
    `${join(path, DATA_FILE)} cannot be opened (${reason}): ${advice}`,
    error,
  )
}

function notADirectory(path: string): StoreError {
  return new StoreError('DATA_NOT_A_DIRECTORY', `${path} is no folder; choose another data folder`)
}

/** What the file system said, as one line with what to do. */
function explain(path: string, error: unknown): StoreError {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EEXIST' || code === 'ENOTDIR') return notADirectory(path)
  const reason = code === 'EACCES' || code === 'EPERM' || code === 'EROFS' ? 'permission denied' : message
  const advice = 'make it writable for this user or choose another data folder'
  return new StoreError('DATA_NOT_WRITABLE', `${path} cannot be written (${reason}): ${advice}`, error)
}
