import { type ChildProcess, execFileSync, spawn } from 'node:child_process'

const STOP_TIMEOUT_MS = 10_000
const MAX_SAID_CHARACTERS = 4_096

/** A process of somebody else's program, on no terminal. */
export class Child {
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #isEnding = false
  #lost: string | undefined

  constructor(program: string, arguments_: readonly string[]) {
    // A process group of its own: Ctrl-C reaches only this program, which ends its servers itself.
    this.#child = spawn(program, arguments_, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    let said = ''
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(-MAX_SAID_CHARACTERS)
      })
    }
    this.#ended = new Promise(resolve => {
      const ended = (how: string) => {
        const last = said.trim().split('\n').at(-1)
        if (!this.#isEnding) this.#lost = `${program} ended: ${how}${last ? `: ${last}` : ''}`
        resolve()
      }
      let failure: string | undefined
      this.#child.once('error', error => {
        failure = error.message
        ended(failure)
      })
      this.#child.once('close', (code, signal) => ended(failure ?? String(signal ?? code)))
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Its end was asked for. */
  get isEnding(): boolean {
    return this.#isEnding
  }

  /** How it ended, if nobody asked for it. */
  get lost(): string | undefined {
    return this.#lost
  }

  /** kill -9, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#isEnding = true
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  /** SIGTERM, kill -9 when that takes too long, and waits until it is gone. */
  async stop(): Promise<void> {
    this.#isEnding = true
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await this.#ended
    clearTimeout(timer)
  }
}

/** What the first of these programs that is there answers, and its name; undefined when none is. */
export function firstAnswer(
  programs: readonly string[],
  arguments_: readonly string[],
): { readonly program: string; readonly said: string } | undefined {
  for (const program of programs) {
    try {
      const said = execFileSync(program, arguments_, {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      return { program, said }
    } catch {}
  }
  return undefined
}
