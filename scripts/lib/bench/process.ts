import { readdirSync, readFileSync } from 'node:fs'

/** Clock ticks a second in /proc, the same on every Linux that Node runs on. */
const TICKS_PER_S = 100

/** CPU time a process has used, in microseconds; NaN where there is no /proc. */
export function cpuUsOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_S) * 1_000_000
  } catch {
    return Number.NaN
  }
}

/** Resident memory of a process in bytes; NaN where there is no /proc. */
export function residentBytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1_024
  } catch {
    return Number.NaN
  }
}

/** Open files and sockets of a process; NaN where there is no /proc. */
export function openFiles(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return Number.NaN
  }
}

/** Open files that a process may have: the hard bound, which Node and nginx raise theirs to. Infinite where it is not known. */
export function mayOpen(): number {
  try {
    const bound = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))![1]!
    return bound === 'unlimited' ? Number.POSITIVE_INFINITY : Number(bound)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
