import { mkdtempSync, rmSync } from 'node:fs'
import type { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type PeerPlan, planCube } from '../../../../services/peer/launcher/plan.ts'
import { ChaosPeer } from '../../chaos/peer.ts'
import { ask, askJson } from '../../http.ts'
import { freePorts } from '../../ports.ts'
import type { TopicView } from '../../test-cube.ts'
import { requestHead, type SubscribeWire, type TopicWire } from '../load/wire.ts'
import type { BenchServer, BenchTopic } from './server.ts'

export interface HypercastOptions {
  readonly peers: number
  /** Options of Node for each peer, by its label. */
  readonly nodeOptions?: (id: string) => readonly string[]
  readonly environment?: (id: string, folder: string) => Readonly<Record<string, string>>
  /** Subscribers sit on all peers and not on one alone. */
  readonly isSpread?: boolean
}

const READY_TIMEOUT_MS = 60_000
const POLL_MS = 50
/** Names tried until one has its primary where it is wanted. */
const MAX_NAMES = 200

/** A cube of real processes. Every topic has its primary on the first peer, where its subscribers and its publisher are. */
export class Hypercast implements BenchServer {
  static readonly #running = new Set<Hypercast>()
  readonly name = 'hypercast'
  readonly title: string
  readonly guarantees =
    'on disk (fsync) at 2 of 3 replicas; one order; resumed from the log, exactly, at any peer'
  readonly folder: string
  readonly plans: readonly PeerPlan[]
  readonly #options: HypercastOptions
  readonly #peers = new Map<string, ChaosPeer>()
  #lost: string | undefined

  private constructor(folder: string, plans: readonly PeerPlan[], options: HypercastOptions) {
    this.folder = folder
    this.plans = plans
    this.#options = options
    const where = options.isSpread ? 'all peers' : 'one peer, the primary'
    this.title = `Hypercast, ${plans.length} peers, subscribers on ${where}`
  }

  /** Starts the cube and waits until every slot has its primary. */
  static async start(options: HypercastOptions): Promise<Hypercast> {
    const folder = mkdtempSync(join(tmpdir(), 'hypercast-bench-'))
    const ports = await freePorts(options.peers)
    const plans = planCube({ ports, data: join(folder, 'data'), logs: join(folder, 'logs') })
    const cube = new Hypercast(folder, plans, options)
    Hypercast.#running.add(cube)
    try {
      await Promise.all(plans.map(plan => cube.#start(plan)))
      await Promise.all(plans.map(plan => ready(plan)))
    } catch (error) {
      await cube.close()
      throw error
    }
    return cube
  }

  /** Closes every cube that this process has started. */
  static async closeAll(): Promise<void> {
    await Promise.all([...Hypercast.#running].map(cube => cube.close()))
  }

  get ids(): string[] {
    return this.plans.map(({ id }) => id)
  }

  url(id: string): string {
    return this.#plan(id).url
  }

  pid(id: string): number {
    return this.#peers.get(id)?.pid ?? 0
  }

  port(id: string): number {
    return this.#plan(id).port
  }

  async topic(name: string): Promise<BenchTopic> {
    const { name: topic } = await this.created(name)
    return { wire: this.wire(topic), pid: this.pid(this.plans[0]!.id) }
  }

  /** A new topic, named after `name`, whose primary is the first peer. */
  async created(name: string): Promise<TopicView> {
    const [first] = this.plans as [PeerPlan]
    for (let attempt = 0; attempt < MAX_NAMES; attempt += 1) {
      const view = await askJson<TopicView>(`${first.url}/v1/topics/${name}x${attempt}`, { method: 'PUT' })
      if (view.primary?.id === first.id) return view
    }
    throw new Error(`none of ${MAX_NAMES} topics has its primary on ${first.id}`)
  }

  /** A topic as the load sees it, at the peers it is asked for. */
  wire(topic: string, through = this.plans[0]!.id): TopicWire {
    const path = `/v1/topics/${topic}`
    const { port } = this.#plan(through)
    const single = `${requestHead('POST', `${path}/publish`, port, { 'Content-Type': 'text/plain', 'Content-Length': 100 })}\r\n`
    const batch = {
      kind: 'body',
      path: `${path}/batch`,
      contentType: 'application/x-ndjson',
      before: '{"data":"',
      after: '"}\n',
    } as const
    const at = this.#options.isSpread ? this.plans.map(({ id }) => id) : [through]
    return { subscribe: at.map(id => this.subscribe(topic, id)), publish: { port, single, batch } }
  }

  subscribe(topic: string, id: string): SubscribeWire {
    const { port } = this.#plan(id)
    const head = requestHead('GET', `/v1/topics/${topic}/events`, port, { Accept: 'text/event-stream' })
    return { port, head, greeting: '\nid: ' }
  }

  lost(): string | undefined {
    return this.#lost
  }

  /** Deletes a topic. */
  async remove(topic: string, agent?: Agent): Promise<void> {
    const url = `${this.plans[0]!.url}/v1/topics/${topic}`
    const { status, body } = await ask(url, { method: 'DELETE', ...(agent && { agent }) })
    if (status > 299) throw new Error(`${url} was not deleted: ${status} ${body}`)
  }

  /** Starts a peer again that was killed; resolves when it is ready. */
  async restart(id: string): Promise<void> {
    const plan = this.#plan(id)
    await this.#start(plan)
    await ready(plan)
  }

  /** kill -9, and waits until the process is gone. */
  async kill(id: string): Promise<void> {
    const peer = this.#peers.get(id)
    peer?.kill()
    await peer?.ended
  }

  async close(): Promise<void> {
    for (const peer of this.#peers.values()) peer.mayEnd()
    await Promise.all([...this.#peers.values()].map(peer => peer.stop()))
    rmSync(this.folder, { recursive: true, force: true })
    Hypercast.#running.delete(this)
  }

  async #start(plan: PeerPlan): Promise<void> {
    const { nodeOptions = () => [], environment = () => ({}) } = this.#options
    const peer = new ChaosPeer(
      plan.id,
      plan.arguments,
      environment(plan.id, this.folder),
      nodeOptions(plan.id),
    )
    this.#peers.set(plan.id, peer)
    void peer.ended.then(({ how, asked }) => {
      if (!asked) this.#lost = `peer ${plan.id} ended: ${how}`
    })
    await peer.listening
  }

  #plan(id: string): PeerPlan {
    return this.plans.find(plan => plan.id === id)!
  }
}

async function ready({ id, url }: PeerPlan): Promise<void> {
  const untilMs = performance.now() + READY_TIMEOUT_MS
  while (performance.now() < untilMs) {
    const answer = await ask(`${url}/health/ready`, { timeoutMs: 2_000 }).catch(() => undefined)
    if (answer?.status === 200) return
    await delay(POLL_MS)
  }
  throw new Error(`peer ${id} is not ready`)
}
