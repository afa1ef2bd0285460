import { linkSync, readFileSync, realpathSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LIMITS } from '../limits.ts'
import { StoreError } from './errors.ts'

/** The file that says which process works in a folder. */
export const LOCK_FILE = 'LOCK'

/** Folders this very process holds; its own pid in a lock file is otherwise that of a process long gone. */
const held = new Set<string>()

/** A process, told apart from a later one with the same pid. */
interface Owner {
  readonly pid: number
  /** When it started, as the system counts; empty where the system does not say. */
  readonly start: string
}

/**
 * Takes folder `path` for this process; the returned function gives it back. The lock of a process that is gone is
 * taken over. Throws StoreError DATA_IN_USE, and what the file system throws.
 */
export function lockDirectory(path: string): () => void {
  const directory = realpathSync(path)
  const file = join(directory, LOCK_FILE)
  if (held.has(directory)) throw inUse(path, process.pid)
  for (let attempt = 0; attempt < LIMITS.LOCK_ATTEMPTS; attempt++) {
    if (create(file)) {
      held.add(directory)
      return () => {
        held.delete(directory)
        unlinkSync(file)
      }
    }
    const owner = readOwner(file)
    if (owner && isAlive(owner)) throw inUse(path, owner.pid)
    removeStale(file, owner)
  }
  throw new StoreError(
    'DATA_IN_USE',
    `${path} is being opened by several processes at once; start one of them only`,
  )
}

function inUse(path: string, pid: number): StoreError {
  return new StoreError(
    'DATA_IN_USE',
    `${path} is in use by process ${pid}; stop it or choose another data folder`,
  )
}

/** Makes the lock file with its contents in one step; false when there is one already. */
function create(file: string): boolean {
  const own: Owner = { pid: process.pid, start: startOf(process.pid) }
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, JSON.stringify(own))
  try {
    linkSync(draft, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    unlinkSync(draft)
  }
}

/** Null when the file is gone or holds no owner (a lock cut off by a power loss). */
function readOwner(file: string): Owner | null {
  try {
    const owner: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof owner !== 'object' || owner === null) return null
    const { pid, start } = owner as Partial<Owner>
    return Number.isSafeInteger(pid) ? { pid: pid!, start: String(start ?? '') } : null
  } catch {
    return null
  }
}

function isAlive(owner: Owner): boolean {
  if (owner.pid === process.pid) return false
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  const start = startOf(owner.pid)
  return start === '' || owner.start === '' || start === owner.start
}

/** Moves the stale lock away; when it was another's new lock that was caught, it is put back. */
function removeStale(file: string, stale: Owner | null): void {
  const aside = `${file}.stale.${process.pid}`
  try {
    renameSync(file, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  const caught = readOwner(aside)
  if (caught && (caught.pid !== stale?.pid || caught.start !== stale.start)) {
    try {
      linkSync(aside, file)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
  unlinkSync(aside)
}

/** Boot id and start time of a process, where /proc tells them: a pid alone may have been given again. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${started}`
  } catch {
    return ''
  }
}
