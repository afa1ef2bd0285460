import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { LIMITS } from '../limits.ts'
import type { PeerNote } from '../main.ts'
import type { PeerPlan } from './plan.ts'

/** How a peer's process ended. */
export interface PeerExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The last line it wrote to stderr, without the program's name. */
  readonly complaint: string
}

/** A peer did not come up. The message is one line. */
export class PeerStartError extends Error {
  readonly plan: PeerPlan
  constructor(plan: PeerPlan, message: string) {
    super(message)
    this.name = 'PeerStartError'
    this.plan = plan
  }
}

/** The program, beside this file in a checkout and above `dist/` in a package. */
const program = fileURLToPath(
  import.meta.resolve(import.meta.url.endsWith('.ts') ? '../bin/hypercast.js' : '../../bin/hypercast.js'),
)

/**
 * One started peer. It runs in a process group of its own, so that Ctrl-C reaches only the launcher, and ends by
 * itself when the launcher is gone, since it sees the channel between them close.
 */
export class PeerProcess {
  readonly plan: PeerPlan
  readonly pid: number
  /** Resolves when it accepts connections; rejects with PeerStartError when it ends before. */
  readonly listening: Promise<void>
  /** Resolves when every slot it holds has a primary; rejects with PeerStartError when it ends before. */
  readonly ready: Promise<void>
  readonly exited: Promise<PeerExit>
  /** True as soon as its end was asked for. */
  stopping = false
  readonly #child: ChildProcess

  constructor(plan: PeerPlan, environment: NodeJS.ProcessEnv = process.env) {
    this.plan = plan
    this.#child = spawn(process.execPath, [program, ...plan.arguments], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      detached: true,
      env: cleanEnvironment(environment),
    })
    this.pid = this.#child.pid ?? 0
    this.exited = this.#watchExit()
    this.listening = this.#note('listening')
    this.ready = this.#note('ready')
    for (const promise of [this.listening, this.ready]) promise.catch(() => {})
  }

  /** Sends a signal to this process and nothing else. */
  signal(signal: NodeJS.Signals): void {
    if (signal === 'SIGKILL' || signal === 'SIGTERM') this.stopping = true
    this.#child.kill(signal)
  }

  /** Asks it to stop and waits for its end, which is forced when it takes too long. */
  async stop(): Promise<PeerExit> {
    this.stopping = true
    const running = this.#child.exitCode === null && this.#child.signalCode === null
    if (!running) return this.exited
    this.#child.kill('SIGCONT')
    this.#child.kill('SIGTERM')
    const force = setTimeout(() => this.#child.kill('SIGKILL'), LIMITS.STOP_TIMEOUT_MS + 1_000)
    const exit = await this.exited
    clearTimeout(force)
    return exit
  }

  #watchExit(): Promise<PeerExit> {
    let said = ''
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-LIMITS.MAX_STDERR_BYTES)
    })
    return new Promise(resolve => {
      this.#child.once('error', error => resolve({ code: 1, signal: null, complaint: error.message }))
      this.#child.once('close', (code, signal) => {
        const complaint = said
          .trim()
          .split('\n')
          .at(-1)!
          .replace(/^hypercast: /, '')
        resolve({ code, signal, complaint })
      })
    })
  }

  #note(kind: PeerNote['kind']): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#child.on('message', (note: PeerNote) => {
        if (note.kind === kind) resolve()
      })
      void this.exited.then(({ code, signal, complaint }) => {
        const why = complaint || `it ended with ${signal ?? `code ${code}`}`
        reject(new PeerStartError(this.plan, `peer ${this.plan.id}: ${why}`))
      })
    })
  }
}

/** The environment without what a test runner or debugger put there for its own processes. */
function cleanEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, NODE_CHANNEL_FD: _channel, ...rest } = environment
  return Object.fromEntries(
    Object.entries(rest).filter(([name]) => !/^(TAP_|_TAPJS_|NODE_V8_COVERAGE)/.test(name)),
  )
}
