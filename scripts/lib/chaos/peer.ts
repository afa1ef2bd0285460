import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../../../services/peer/bin/hypercast.js', import.meta.url))
const PRELOAD = fileURLToPath(new URL('./preload.ts', import.meta.url))
const MAX_SAID_CHARACTERS = 4_096
const STOP_TIMEOUT_MS = 20_000

/** How a peer's process ended, in words, and whether that was asked for. */
export interface Ended {
  readonly how: string
  readonly asked: boolean
  /** Whether it ended in order: with code 0. */
  readonly isInOrder: boolean
}

/** Leads a peer's connections to other peers through the run's links. */
const LINKED = ['--import', PRELOAD]

/**
 * One process of a peer that is started with options of Node's own: by themselves those that lead its connections to other
 * peers through links. The launcher's PeerProcess takes such options away from its peers on purpose.
 */
export class ChaosPeer {
  readonly pid: number
  /** Resolves when it accepts connections; rejects when it ends before. */
  readonly listening: Promise<void>
  readonly ended: Promise<Ended>
  readonly #child: ChildProcess
  #asked = false

  /** `name` is what it is called in errors; `arguments_` are everything behind `hypercast`. */
  constructor(
    name: string,
    arguments_: readonly string[],
    environment: Readonly<Record<string, string>>,
    nodeOptions: readonly string[] = LINKED,
  ) {
    const { NODE_OPTIONS: _options, NODE_CHANNEL_FD: _channel, ...inherited } = process.env
    const child = spawn(process.execPath, [...nodeOptions, PROGRAM, ...arguments_], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      // A process group of its own: Ctrl-C reaches only this program, which ends its peers itself.
      detached: true,
      env: { ...inherited, ...environment },
    })
    this.#child = child
    this.pid = child.pid ?? 0
    let said = ''
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-MAX_SAID_CHARACTERS)
    })
    this.ended = new Promise(resolve => {
      const end = (how: string, isInOrder = false) => resolve({ how, asked: this.#asked, isInOrder })
      child.once('error', error => end(error.message))
      child.once('close', (code, signal) => {
        // Node's own report of an uncaught error has the error in the middle.
        const lines = said.trim().split('\n')
        const complaint = lines.findLast(line => /^hypercast: |Error/.test(line)) ?? lines.at(-1)
        end(`${signal ?? `code ${code}`}${complaint ? `: ${complaint}` : ''}`, code === 0)
      })
    })
    this.listening = new Promise((resolve, reject) => {
      child.on('message', note => (note as { kind: string }).kind === 'listening' && resolve())
      void this.ended.then(({ how }) => reject(new Error(`peer ${name} did not start: ${how}`)))
    })
    this.listening.catch(() => {})
  }

  /** kill -9. */
  kill(): void {
    this.#asked = true
    this.#child.kill('SIGKILL')
  }

  /** Its end is no surprise from now on. */
  mayEnd(): void {
    this.#asked = true
  }

  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  /** SIGTERM, and kill -9 when that takes too long; resolves with how it ended. */
  async stop(): Promise<Ended> {
    this.#asked = true
    this.#child.kill('SIGCONT')
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    const ended = await this.ended
    clearTimeout(timer)
    return ended
  }
}
