import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** A child process that writes entries to the store at `path` and says after each that it is durable. */
export interface Writer {
  readonly pid: number
  /** Index of the last entry it said was durable. */
  readonly said: number
  /** Resolves when it has said so of entry `index`. */
  durable(index: number): Promise<void>
  /** Ends it with SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
}

/** Starts such a process: writer.ts, or another script of this folder that says how far it is. */
export async function startWriter(path: string, name = './writer.ts'): Promise<Writer> {
  const script = fileURLToPath(new URL(name, import.meta.url))
  const { NODE_OPTIONS: _, ...env } = process.env
  const child = spawn(process.execPath, [script, path], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const waiting: { index: number; resolve: () => void; reject: (error: Error) => void }[] = []
  let said = 0
  let buffered = ''
  child.stdout.on('data', chunk => {
    buffered += chunk
    const lines = buffered.split('\n')
    buffered = lines.pop()!
    for (const line of lines) said = Number(line)
    for (const waiter of waiting) if (waiter.index <= said) waiter.resolve()
  })
  void exited.then(() => {
    for (const waiter of waiting) waiter.reject(new Error('the writer ended'))
  })
  return {
    pid: child.pid!,
    get said() {
      return said
    },
    durable: index => {
      if (said >= index) return Promise.resolve()
      return new Promise((resolve, reject) => waiting.push({ index, resolve, reject }))
    },
    kill: () => {
      child.kill('SIGKILL')
      return exited
    },
  }
}
