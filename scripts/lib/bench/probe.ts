/**
 * Loaded into a peer before its program (`node --import`): finds the turns of its event loop that took long. A timer that
 * fires late by so much says that the loop did nothing else meanwhile; the CPU time of this thread says whether it worked
 * or was not let run. BENCH_PROBE names the file the turns are written to.
 */
import { writeFileSync } from 'node:fs'

export interface LongTurn {
  /** When it ended: microseconds of the monotonic clock. */
  readonly atUs: number
  readonly wallMs: number
  readonly cpuMs: number
}

const EVERY_MS = 4
const LONG_MS = 15
const MAX_TURNS = 10_000
const WRITE_MS = 500

const file = process.env.BENCH_PROBE
if (file !== undefined) {
  const turns: LongTurn[] = []
  let written = -1
  let lastMs = performance.now()
  let lastCpuUs = cpuUs()
  setInterval(() => {
    const nowMs = performance.now()
    const nowCpuUs = cpuUs()
    const wallMs = nowMs - lastMs - EVERY_MS
    if (wallMs >= LONG_MS && turns.length < MAX_TURNS) {
      const [seconds, nanoseconds] = process.hrtime()
      turns.push({
        atUs: seconds * 1e6 + Math.floor(nanoseconds / 1_000),
        wallMs,
        cpuMs: (nowCpuUs - lastCpuUs) / 1_000,
      })
    }
    lastMs = nowMs
    lastCpuUs = nowCpuUs
  }, EVERY_MS).unref()
  setInterval(() => {
    if (turns.length === written) return
    written = turns.length
    writeFileSync(file, JSON.stringify(turns))
  }, WRITE_MS).unref()
}

function cpuUs(): number {
  const { user, system } = process.threadCpuUsage()
  return user + system
}
