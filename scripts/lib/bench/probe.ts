/**
 * Loaded into a peer before its program (`node --import`): finds the turns of its event loop that took long, and what of
 * them the loop's thread worked, waited for a core, or slept. A timer that fires late by so much says that the loop did
 * nothing else meanwhile. BENCH_PROBE names the file the turns are written to.
 */
import { existsSync, openSync, readSync, writeFileSync } from 'node:fs'
import { PerformanceObserver } from 'node:perf_hooks'
import { type Counters, inTurn, type LongTurn, type Pause, readCounters, readFaults } from './turns.ts'

const EVERY_MS = 4
const LONG_MS = 15
const MAX_TURNS = 10_000
const MAX_PAUSES = 10_000
const WRITE_MS = 500

const file = process.env.BENCH_PROBE
if (file !== undefined) {
  const turns: LongTurn[] = []
  const pauses: Pause[] = []
  let written = -1
  const look = counting()
  let last = look()
  setInterval(() => {
    const now = look()
    if (now.ms - last.ms - EVERY_MS >= LONG_MS && turns.length < MAX_TURNS)
      turns.push(inTurn(last, now, EVERY_MS))
    last = now
  }, EVERY_MS).unref()
  new PerformanceObserver(list => {
    for (const { startTime, duration } of list.getEntries())
      if (pauses.length < MAX_PAUSES) pauses.push({ fromMs: startTime, ms: duration })
  }).observe({ entryTypes: ['gc'] })
  setInterval(() => {
    if (turns.length === written) return
    written = turns.length
    writeFileSync(file, JSON.stringify({ turns, pauses }))
  }, WRITE_MS).unref()
}

/** Reads what the kernel counts of this thread; the files are opened once, since it is done at every turn. */
function counting(): () => Counters {
  const task = `/proc/self/task/${process.pid}`
  const text = Buffer.alloc(1_024)
  const reader = (path: string) => {
    if (!existsSync(path)) return () => ''
    const handle = openSync(path, 'r')
    return () => text.toString('latin1', 0, readSync(handle, text, 0, text.length, 0))
  }
  const schedule = reader(`${task}/schedstat`)
  const stat = reader(`${task}/stat`)
  const machine = reader('/proc/stat')
  return () => {
    const [seconds, nanoseconds] = process.hrtime()
    return {
      atUs: seconds * 1e6 + Math.floor(nanoseconds / 1_000),
      ms: performance.now(),
      ...readCounters(schedule()),
      ...readFaults(stat(), machine()),
    }
  }
}
