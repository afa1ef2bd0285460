/** A process that measures a disk: small writes, each followed by fsync, at a fixed rate beside the load. */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { build, encodeIntoCompressedBase64 } from 'hdr-histogram-js'
import { nowUs } from './payload.ts'
import { serve } from './worker.ts'

const FILE_BYTES = 1_048_576
const PAGE_BYTES = 4_096
const HIGHEST_US = 60_000_000

const operations = {
  /** Time of one write of a page and its fsync (µs), encoded. The file is written whole before, so that it does not grow. */
  async fsyncs({
    folder,
    seconds,
    everyMs,
  }: {
    folder: string
    seconds: number
    everyMs: number
  }): Promise<string> {
    const histogram = build({ highestTrackableValue: HIGHEST_US, numberOfSignificantValueDigits: 3 })
    const own = mkdtempSync(join(folder, 'fsync-'))
    const file = openSync(join(own, 'pages'), 'w')
    try {
      writeSync(file, Buffer.alloc(FILE_BYTES))
      fdatasyncSync(file)
      const page = Buffer.alloc(PAGE_BYTES, 1)
      const untilUs = nowUs() + seconds * 1_000_000
      for (let at = 0; nowUs() < untilUs; at = (at + PAGE_BYTES) % FILE_BYTES) {
        const fromUs = nowUs()
        writeSync(file, page, 0, PAGE_BYTES, at)
        fdatasyncSync(file)
        histogram.recordValue(Math.min(HIGHEST_US, Math.max(1, nowUs() - fromUs)))
        await delay(everyMs)
      }
    } finally {
      closeSync(file)
      rmSync(own, { recursive: true, force: true })
    }
    return encodeIntoCompressedBase64(histogram)
  },
}

export type DiskOperations = typeof operations

serve(operations)
