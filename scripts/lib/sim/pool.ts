import { type ChildProcess, fork } from 'node:child_process'
import type { Job, Outcome } from './protocol.ts'

const WORKER = new URL('./worker.ts', import.meta.url)

/** How the violation of a worker begins that ended by itself. */
export const ENDED_WITH_CODE = 'its process ended with code'

/** Real time after which a seed hangs: its steps have a bound, this is for one that never ends. */
const SEED_TIMEOUT_MS = 120_000

export interface PoolOptions {
  /** Worker processes at once. */
  readonly jobs: number
  /** Real time after which a seed is reported as hung. */
  readonly seedTimeoutMs?: number
  /** Options of Node for the workers, such as `--import`. */
  readonly execArgv?: readonly string[]
}

const children = new Set<ChildProcess>()

interface Worker {
  readonly child: ChildProcess
  seed: number | undefined
  timer: NodeJS.Timeout | undefined
}

/**
 * Runs seeds in worker processes; every seed has an outcome, also one whose worker dies or hangs. `settled` is called
 * once for each, in the order in which they end; when it returns false no further seed is begun. Resolves when all that
 * was begun has ended.
 */
export function runSeeds(
  jobs: Iterable<Job>,
  options: PoolOptions,
  settled: (outcome: Outcome) => boolean,
): Promise<void> {
  const left = jobs[Symbol.iterator]()
  let isEnding = false
  const next = (): Job | undefined => {
    if (isEnding) return undefined
    const { done, value } = left.next()
    return done ? undefined : value
  }
  const lane = () =>
    new Promise<void>(resolve => {
      const first = next()
      if (first === undefined) resolve()
      else drive(first, options, next, outcome => (isEnding ||= !settled(outcome)), resolve)
    })
  process.once('SIGTERM', endAll)
  return Promise.all(Array.from({ length: options.jobs }, lane)).then(() => {
    process.off('SIGTERM', endAll)
  })
}

/** A worker that hangs does not notice that its parent is gone. */
function endAll(): void {
  for (const child of children) child.kill('SIGKILL')
  process.exit(1)
}

/** One worker after the other: a new one takes the place of one that was lost. */
function drive(
  first: Job,
  options: PoolOptions,
  next: () => Job | undefined,
  settled: (outcome: Outcome) => void,
  done: () => void,
): void {
  const { seedTimeoutMs = SEED_TIMEOUT_MS } = options
  const worker: Worker = { child: start(options), seed: undefined, timer: undefined }
  const give = (job: Job | undefined): void => {
    if (job === undefined) {
      worker.child.disconnect()
      return
    }
    worker.seed = job.seed
    worker.timer = setTimeout(() => worker.child.kill('SIGKILL'), seedTimeoutMs)
    worker.child.send(job)
  }
  worker.child.on('message', (outcome: Outcome) => {
    clearTimeout(worker.timer)
    worker.seed = undefined
    settled(outcome)
    give(next())
  })
  children.add(worker.child)
  worker.child.on('exit', (code, signal) => {
    children.delete(worker.child)
    clearTimeout(worker.timer)
    if (worker.seed === undefined) {
      done()
      return
    }
    const hung = signal === 'SIGKILL' ? ` (no answer in ${seedTimeoutMs / 1_000} s)` : ''
    const violations = [
      signal === null ? `${ENDED_WITH_CODE} ${code}` : `its process ended with ${signal}${hung}`,
    ]
    settled({ seed: worker.seed, result: undefined, violations, wasTwice: false })
    const job = next()
    if (job === undefined) done()
    else drive(job, options, next, settled, done)
  })
  give(first)
}

function start({ execArgv = [] }: PoolOptions): ChildProcess {
  return fork(WORKER, { execArgv: [...execArgv], serialization: 'advanced', stdio: 'inherit' })
}
