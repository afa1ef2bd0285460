import { spawnSync } from 'node:child_process'
import { closeSync, fstatSync, openSync, readSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from './random.ts'

/** Room of the small disk: several times what a run of a quarter of an hour writes to one peer. */
const SIZE_MIB = 256
const BLOCK_BYTES = 65_536
const PAGE_BYTES = 4_096
const FILLER = 'filler'

/** A small disk of its own for one peer's store: a tmpfs, which only root can mount. */
export class SmallDisk {
  readonly #folder: string
  #isMounted = true

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** Mounts one over an empty folder; a text that says why not, where that is not possible. */
  static mount(folder: string): SmallDisk | string {
    const { status, stderr, error } = spawnSync(
      'mount',
      ['-t', 'tmpfs', '-o', `size=${SIZE_MIB}m,mode=0700`, 'hypercast-chaos', folder],
      { encoding: 'utf8' },
    )
    if (status === 0) return new SmallDisk(folder)
    return (error?.message ?? stderr.trim()) || `mount ended with ${status}`
  }

  /** Fills it up to so many free bytes; 0 leaves none. */
  fill(leaveBytes: number): void {
    const file = openSync(join(this.#folder, FILLER), 'a')
    const block = Buffer.alloc(BLOCK_BYTES, 1)
    try {
      while (this.#freeBytes() > leaveBytes) {
        writeSync(file, block, 0, Math.min(BLOCK_BYTES, this.#freeBytes() - leaveBytes))
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    } finally {
      closeSync(file)
    }
  }

  free(): void {
    rmSync(join(this.#folder, FILLER), { force: true })
  }

  /** To be called when its peer has ended. */
  unmount(): void {
    if (!this.#isMounted) return
    this.#isMounted = false
    spawnSync('umount', ['-l', this.#folder])
  }

  #freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.#folder)
    return bavail * bsize
  }
}

/** Flips one bit in each of `count` pages of a file, not in the two that say where everything is. */
export function flipBits(file: string, count: number, random: Random): void {
  const handle = openSync(file, 'r+')
  try {
    const pages = Math.floor(fstatSync(handle).size / PAGE_BYTES)
    const byte = Buffer.alloc(1)
    for (let flipped = 0; flipped < count; flipped += 1) {
      const position = random.whole(2, pages - 1) * PAGE_BYTES + random.whole(0, PAGE_BYTES - 1)
      readSync(handle, byte, 0, 1, position)
      byte[0]! ^= 1 << random.whole(0, 7)
      writeSync(handle, byte, 0, 1, position)
    }
  } finally {
    closeSync(handle)
  }
}
