/** The loop's thread at one moment, as the kernel counts it; what it does not count is 0, and so counts as slept in a turn. */
export interface Counters {
  /** Microseconds of the monotonic clock. */
  readonly atUs: number
  /** `performance.now()`. */
  readonly ms: number
  /** Time on a core, and time ready to run while none was free. */
  readonly cpuMs: number
  readonly waitedMs: number
  /** Pages of files that had to be read from disk. */
  readonly majorFaults: number
  /** Time that the machine's cores were taken away by its host, all cores together. */
  readonly stolenMs: number
}

/** A garbage collection that held up the loop; `fromMs` by `performance.now()`. */
export interface Pause {
  readonly fromMs: number
  readonly ms: number
}

/** One long turn of the event loop: `wallMs` is about `cpuMs`, `waitedMs` and `sleptMs` together. */
export interface LongTurn {
  /** When it ended: microseconds of the monotonic clock. */
  readonly atUs: number
  /** The same by `performance.now()`, and when what it is counted from was. */
  readonly fromMs: number
  readonly toMs: number
  readonly wallMs: number
  readonly cpuMs: number
  /** Ready to run, while no core was free for it. */
  readonly waitedMs: number
  /** Neither: waiting in the kernel for a lock, a disk or another thread. */
  readonly sleptMs: number
  readonly majorFaults: number
  readonly stolenMs: number
}

/** Ticks of /proc take so long on every Linux that Node runs on. */
const TICK_MS = 10

/** Of the text of /proc/<pid>/task/<tid>/schedstat: nanoseconds on a core, nanoseconds waiting for one, switches. */
export function readCounters(schedstat: string): Pick<Counters, 'cpuMs' | 'waitedMs'> {
  const [cpuNs = 0, waitedNs = 0] = schedstat.split(' ').map(Number)
  return { cpuMs: cpuNs / 1e6, waitedMs: waitedNs / 1e6 }
}

/** Of the texts of /proc/<pid>/task/<tid>/stat and /proc/stat. */
export function readFaults(stat: string, machine: string): Pick<Counters, 'majorFaults' | 'stolenMs'> {
  // The program's name, in brackets, may have blanks in it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const cpu = machine.slice(0, machine.indexOf('\n')).split(/ +/)
  return { majorFaults: Number(fields[9] ?? 0), stolenMs: Number(cpu[8] ?? 0) * TICK_MS }
}

/**
 * The turn between two looks that a timer of `everyMs` takes; the timer itself is no part of it. A thread that has nothing to
 * do sleeps until the timer fires, so at most what is beyond `everyMs` was slept in the turn.
 */
export function inTurn(last: Counters, now: Counters, everyMs: number): LongTurn {
  const wallMs = now.ms - last.ms - everyMs
  const cpuMs = now.cpuMs - last.cpuMs
  const waitedMs = now.waitedMs - last.waitedMs
  return {
    atUs: now.atUs,
    fromMs: last.ms,
    toMs: now.ms,
    wallMs,
    cpuMs,
    waitedMs,
    sleptMs: Math.max(0, wallMs - cpuMs - waitedMs),
    majorFaults: now.majorFaults - last.majorFaults,
    stolenMs: now.stolenMs - last.stolenMs,
  }
}

/** What the probe writes. */
export interface Probed {
  readonly turns: readonly LongTurn[]
  readonly pauses: readonly Pause[]
}

/** The turn that was longest by the clock, with why it was long, and what was most in any turn. */
export interface Turns {
  readonly longest: LongTurn & { readonly collectingMs: number }
  /** Most time in one turn that the loop was blocked: its thread worked or slept, and did not wait for a core. */
  readonly mostBlockedMs: number
  readonly mostCpuMs: number
  /** Turns over so many ms by the clock, and of them those that were blocked for so long. */
  readonly over: number
  readonly blockedOver: number
}

const NO_TURN: LongTurn = {
  ...{ atUs: 0, fromMs: 0, toMs: 0, wallMs: 0, cpuMs: 0, waitedMs: 0, sleptMs: 0 },
  ...{ majorFaults: 0, stolenMs: 0 },
}

/** Of the turns that ended from `fromUs` to `toUs`, those over `limitMs` counted. */
export function summary({ turns, pauses }: Probed, fromUs: number, toUs: number, limitMs: number): Turns {
  const all = turns.filter(({ atUs }) => atUs >= fromUs && atUs <= toUs)
  const longest = all.reduce((one, other) => (other.wallMs > one.wallMs ? other : one), NO_TURN)
  return {
    longest: { ...longest, collectingMs: collecting(longest, pauses) },
    mostBlockedMs: Math.max(0, ...all.map(blockedMs)),
    mostCpuMs: Math.max(0, ...all.map(({ cpuMs }) => cpuMs)),
    over: all.filter(({ wallMs }) => wallMs > limitMs).length,
    blockedOver: all.filter(turn => blockedMs(turn) > limitMs).length,
  }
}

function blockedMs({ cpuMs, sleptMs }: LongTurn): number {
  return cpuMs + sleptMs
}

/** Time of a turn that collections of garbage took, their waiting for other threads included. */
function collecting({ fromMs, toMs }: LongTurn, pauses: readonly Pause[]): number {
  return pauses.reduce(
    (sum, one) => sum + Math.max(0, Math.min(toMs, one.fromMs + one.ms) - Math.max(fromMs, one.fromMs)),
    0,
  )
}
