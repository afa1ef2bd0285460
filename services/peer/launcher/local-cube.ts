import { request } from 'node:http'
import { type PeerExit, PeerProcess } from './peer-process.ts'
import type { PeerPlan } from './plan.ts'

export interface LocalCubeOptions {
  readonly plans: readonly PeerPlan[]
  readonly environment?: NodeJS.ProcessEnv
  /** A peer ended although nobody asked it to. */
  readonly onLost?: (plan: PeerPlan, pid: number, exit: PeerExit) => void
}

const POLL_MS = 50

/** Peers of one cube, each a process of this machine. */
export class LocalCube {
  readonly plans: readonly PeerPlan[]
  readonly #options: LocalCubeOptions
  readonly #running = new Map<string, PeerProcess>()

  constructor(options: LocalCubeOptions) {
    this.plans = options.plans
    this.#options = options
  }

  /** The running process of a peer; throws when it does not run. */
  process(id: string): PeerProcess {
    const found = this.#running.get(id)
    if (!found) throw new Error(`peer ${id} is not running`)
    return found
  }

  /** Labels of the peers whose processes run, ascending. */
  get running(): string[] {
    return [...this.#running.keys()].sort()
  }

  plan(id: string): PeerPlan {
    const found = this.plans.find(plan => plan.id === id)
    if (!found) throw new Error(`the cube has no peer ${id}`)
    return found
  }

  /** Starts one peer with its own command line. Rejects with PeerStartError when it does not come up. */
  async startPeer(id: string): Promise<PeerProcess> {
    if (this.#running.has(id)) throw new Error(`peer ${id} is running already`)
    const started = new PeerProcess(this.plan(id), this.#options.environment)
    this.#running.set(id, started)
    void started.exited.then(exit => {
      if (this.#running.get(id) === started) this.#running.delete(id)
      if (!started.stopping) this.#options.onLost?.(started.plan, started.pid, exit)
    })
    await started.listening
    return started
  }

  /** Starts all peers at once. When one does not come up, all are stopped and its PeerStartError is thrown. */
  async start(): Promise<void> {
    const results = await Promise.allSettled(this.plans.map(plan => this.startPeer(plan.id)))
    const failed = results.find(result => result.status === 'rejected')
    if (!failed) return
    await this.stop()
    throw failed.reason
  }

  /**
   * Resolves when every running peer says that every slot it holds has a primary. Rejects when one ends before,
   * or after `timeoutMs`.
   */
  async ready(timeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs
    await Promise.all(this.running.map(id => this.#peerReady(id, deadlineMs)))
  }

  /** Stops one peer in order. */
  async stopPeer(id: string): Promise<PeerExit> {
    return this.process(id).stop()
  }

  /** Stops all peers in order of their labels, the last first, so that each hands over to those before it. */
  async stop(): Promise<void> {
    for (const id of this.running.reverse()) await this.#running.get(id)?.stop()
  }

  async #peerReady(id: string, deadlineMs: number): Promise<void> {
    const running = this.process(id)
    for (;;) {
      if ((await healthStatus(running.plan.port)) === 200) return
      if (!this.#running.has(id)) await running.ready
      if (performance.now() > deadlineMs) throw new Error(`peer ${id} is not ready: see its log`)
      await new Promise(wake => setTimeout(wake, POLL_MS))
    }
  }
}

function healthStatus(port: number): Promise<number> {
  return new Promise(resolve => {
    const asked = request(
      { host: '127.0.0.1', port, path: '/health/ready', timeout: 2_000, agent: false },
      response => {
        response.resume()
        resolve(response.statusCode ?? 0)
      },
    )
    asked.on('timeout', () => asked.destroy())
    asked.on('error', () => resolve(0))
    asked.end()
  })
}
