import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LocalCube } from '../../services/peer/launcher/local-cube.ts'
import type { PeerExit } from '../../services/peer/launcher/peer-process.ts'
import { type PeerPlan, planCube } from '../../services/peer/launcher/plan.ts'
import { askJson, askUntil } from './http.ts'
import { freePorts } from './ports.ts'

export interface TestCubeOptions {
  readonly peers: number
  /** Settings of the peers, as environment variables. */
  readonly environment?: Readonly<Record<string, string>>
}

/** What GET /v1/topics/{topic} says; the parts the scripts read. */
export interface TopicView {
  readonly name: string
  readonly slot: number
  readonly home: string
  readonly primary: { readonly id: string; readonly url: string } | null
  readonly replicas: readonly { readonly id: string; readonly url: string }[]
  readonly earliest: number
  readonly latest: number
}

const READY_TIMEOUT_MS = 60_000

/** A cube of real processes on free ports, with stores and logs in a folder that goes when it is closed. */
export class TestCube {
  readonly folder: string
  readonly plans: readonly PeerPlan[]
  readonly #local: LocalCube

  private constructor(folder: string, plans: readonly PeerPlan[], local: LocalCube) {
    this.folder = folder
    this.plans = plans
    this.#local = local
  }

  /** Starts a cube and waits until every slot has its primary. Cleans up when that fails. */
  static async start({ peers, environment = {} }: TestCubeOptions): Promise<TestCube> {
    const folder = mkdtempSync(join(tmpdir(), 'hypercast-'))
    const ports = await freePorts(peers)
    const plans = planCube({ ports, data: join(folder, 'data'), logs: join(folder, 'logs') })
    const cube = new TestCube(
      folder,
      plans,
      new LocalCube({ plans, environment: { ...process.env, ...environment } }),
    )
    try {
      await cube.startAll()
    } catch (error) {
      await cube.close()
      throw error
    }
    return cube
  }

  get ids(): string[] {
    return this.plans.map(plan => plan.id)
  }

  get running(): string[] {
    return this.#local.running
  }

  url(id: string): string {
    return this.#local.plan(id).url
  }

  urls(ids: readonly string[] = this.ids): string[] {
    return ids.map(id => this.url(id))
  }

  pid(id: string): number {
    return this.#local.process(id).pid
  }

  logFile(id: string): string {
    const plan = this.#local.plan(id)
    return join(plan.logs, `peer_node_${plan.port}.log`)
  }

  /** Starts all peers that do not run, and waits until they are ready. */
  async startAll(): Promise<void> {
    await this.#local.start()
    await this.#local.ready(READY_TIMEOUT_MS)
  }

  async stopAll(): Promise<void> {
    await this.#local.stop()
  }

  /** kill -9, and waits until the process is gone. */
  async kill(id: string): Promise<PeerExit> {
    const running = this.#local.process(id)
    running.signal('SIGKILL')
    return running.exited
  }

  /** SIGSTOP: the process stands still with its connections open. */
  pause(id: string): void {
    this.#local.process(id).signal('SIGSTOP')
  }

  resume(id: string): void {
    this.#local.process(id).signal('SIGCONT')
  }

  /** Stops one peer in order. */
  async stop(id: string): Promise<PeerExit> {
    return this.#local.stopPeer(id)
  }

  /** Starts a peer again with its own command line; resolves when it accepts connections. */
  async restart(id: string): Promise<void> {
    await this.#local.startPeer(id)
  }

  /** Resolves when every running peer is ready. */
  async ready(): Promise<void> {
    await this.#local.ready(READY_TIMEOUT_MS)
  }

  async createTopic(topic: string, through = this.running[0]!): Promise<TopicView> {
    return askJson(this.topicUrl(topic, through), { method: 'PUT' })
  }

  topicUrl(topic: string, through = this.running[0]!): string {
    return `${this.url(through)}/v1/topics/${encodeURIComponent(topic)}`
  }

  /** The topic as a running peer sees it. */
  async topic(topic: string, through = this.running[0]!): Promise<TopicView> {
    return askJson(this.topicUrl(topic, through))
  }

  /** Waits until `primary` is the primary of `topic`, as `through` sees it. */
  async primaryIs(
    topic: string,
    primary: string | ((id: string) => boolean),
    through?: string,
  ): Promise<TopicView> {
    const is = typeof primary === 'string' ? (id: string) => id === primary : primary
    return askUntil<TopicView>(
      this.topicUrl(topic, through),
      view => view.primary !== null && is(view.primary.id),
    )
  }

  /** A script that is interrupted closes its cube before it ends. */
  closeOnSignals(): this {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => void this.close().finally(() => process.exit(1)))
    }
    return this
  }

  /** Ends all processes, in order if they can, and removes the folder. */
  async close(): Promise<void> {
    for (const id of this.running) this.#local.process(id).signal('SIGCONT')
    await this.#local.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
