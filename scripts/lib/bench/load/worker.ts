import { type ChildProcess, fork } from 'node:child_process'

/** One request to a worker, and its answer. Both go over Node's channel to a forked process. */
interface Asked {
  readonly id: number
  readonly name: string
  readonly argument: unknown
}
interface Answered {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

const DEFAULT_TIMEOUT_MS = 120_000
const END_TIMEOUT_MS = 5_000

/** What a worker can be asked for: by name, one argument, one result. */
export type Operations = Readonly<Record<string, (argument: never) => unknown>>

/** Another process of the load. It ends when its channel closes, so none outlives the program that started it. */
export class Worker<Ops extends Operations> {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  readonly #exited: Promise<void>
  /** Called when the process ends though nobody asked for it. */
  onLost: ((how: string) => void) | undefined
  #asked = 0
  #isEnding = false
  #failed: Error | undefined

  /** `module` is a file that calls `serve`. */
  constructor(module: URL, execArgv: readonly string[] = []) {
    this.#child = fork(module, { serialization: 'advanced', execArgv: [...execArgv], stdio: 'inherit' })
    this.#child.on('message', (answer: Answered) => this.#answered(answer))
    this.#exited = new Promise(resolve => {
      const ended = (how: string) => {
        this.#failed = new Error(`a process of the load ended: ${how}`)
        for (const { reject } of this.#waiting.values()) reject(this.#failed)
        this.#waiting.clear()
        if (!this.#isEnding) this.onLost?.(how)
        resolve()
      }
      this.#child.once('exit', (code, signal) => ended(String(signal ?? code)))
      this.#child.once('error', error => ended(error.message))
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Rejects with what the worker threw, when it ends, or after `timeoutMs`. */
  ask<Name extends keyof Ops & string>(
    name: Name,
    argument: Parameters<Ops[Name]>[0],
    timeoutMs = DEFAULT_TIMEOUT_MS,
  ): Promise<Awaited<ReturnType<Ops[Name]>>> {
    if (this.#failed) return Promise.reject(this.#failed)
    const id = this.#asked++
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id)
        reject(new Error(`a process of the load did not answer to ${name} in ${timeoutMs} ms`))
      }, timeoutMs)
      this.#waiting.set(id, {
        resolve: value => {
          clearTimeout(timer)
          resolve(value)
        },
        reject: error => {
          clearTimeout(timer)
          reject(error)
        },
      })
      this.#child.send({ id, name, argument } satisfies Asked)
    })
  }

  /** Ends the process and waits for that. */
  async end(): Promise<void> {
    this.#isEnding = true
    if (this.#child.connected) this.#child.disconnect()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), END_TIMEOUT_MS)
    await this.#exited
    clearTimeout(timer)
  }

  #answered({ id, value, error }: Answered): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error === undefined) waiting?.resolve(value as never)
    else waiting?.reject(new Error(error))
  }
}

/** In the worker: answers what `Worker.ask` asks, until the channel closes. */
export function serve(operations: Operations): void {
  process.on('message', async ({ id, name, argument }: Asked) => {
    try {
      const value = await operations[name]!(argument as never)
      process.send?.({ id, value } satisfies Answered)
    } catch (error) {
      process.send?.({ id, error: (error as Error).stack ?? String(error) } satisfies Answered)
    }
  })
  process.once('disconnect', () => process.exit(0))
}
