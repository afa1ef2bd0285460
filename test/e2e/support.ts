import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** A command under test: what it says as it runs, and how it ends. */
export interface Running {
  readonly child: ChildProcess
  readonly pid: number
  readonly output: () => string
  readonly errors: () => string
  /** Resolves when what was said on stdout matches; rejects when the command ends before. */
  until(pattern: RegExp): Promise<RegExpExecArray>
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

/** The root of the checkout. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** The environment of a process under test: this Node first, and nothing of the test runner's own. */
export function testEnvironment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, NODE_V8_COVERAGE: _coverage, ...rest } = process.env
  const path = `${process.execPath.replace(/\/[^/]*$/, '')}:${process.env.PATH}`
  return { ...rest, PATH: path, ...more }
}

/** Runs a script of the checkout with this Node. */
export function runNode(
  args: readonly string[],
  { cwd = ROOT, env = {} as Record<string, string> } = {},
): Running {
  return watch(
    spawn(process.execPath, args, { cwd, env: testEnvironment(env), stdio: ['ignore', 'pipe', 'pipe'] }),
  )
}

/** Runs a program as a shell would, found on the PATH. */
export function runShell(command: string, { cwd = ROOT, env = {} as Record<string, string> } = {}): Running {
  return watch(
    spawn('bash', ['-c', command], { cwd, env: testEnvironment(env), stdio: ['ignore', 'pipe', 'pipe'] }),
  )
}

/** Whatever a failed test left behind ends with the test's process. */
const children = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of children) child.kill('SIGTERM')
})

function watch(child: ChildProcess): Running {
  children.add(child)
  let output = ''
  let errors = ''
  const waiters = new Set<() => void>()
  let ended = false
  const wake = (): void => {
    for (const waiter of waiters) waiter()
    waiters.clear()
  }
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    output += text
    wake()
  })
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>(resolve => {
    child.once('close', (code, signal) => {
      ended = true
      children.delete(child)
      wake()
      resolve({ code, signal })
    })
  })
  const until = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = pattern.exec(output)
      if (found) return found
      if (ended) throw new Error(`it ended before it said ${pattern}:\n${output}\n${errors}`)
      await new Promise<void>(resolve => waiters.add(resolve))
    }
  }
  return { child, pid: child.pid!, output: () => output, errors: () => errors, until, exited }
}

/** Whether a process of this id is there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Process ids from the table a cube prints, by peer. */
export function tableOfPeers(output: string): Map<string, { url: string; pid: number; data: string }> {
  const rows = output.matchAll(/^([01]+)\s+(http:\S+)\s+(\d+)\s+(\S+)/gm)
  return new Map(
    [...rows].map(([, id, url, pid, data]) => [id!, { url: url!, pid: Number(pid), data: data! }]),
  )
}
