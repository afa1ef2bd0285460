import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type PeerExit, PeerProcess } from '../../services/peer/launcher/peer-process.ts'
import type { PeerPlan } from '../../services/peer/launcher/plan.ts'
import { ask, askJson, askUntil } from './http.ts'
import { freePorts } from './ports.ts'

/** A peer as GET /v1/peers shows it; the parts the scripts read. */
export interface ListedPeer {
  readonly id: string
  readonly url: string
  readonly uid: string
  readonly status: string
  readonly leaving?: boolean
}

/** What GET /v1/peers?progress=true says. */
export interface PeersView {
  readonly peers: readonly ListedPeer[]
  /** Slots still to move; null when some slot's primary did not answer. */
  readonly moving: number | null
}

export interface GrowingCubeOptions {
  /** Settings of the peers, as environment variables. */
  readonly environment?: Readonly<Record<string, string>>
}

const LOOK_EVERY_MS = 200
const SETTLE_TIMEOUT_MS = 60_000

/**
 * A cube of real processes that begins with one peer; others join it, leave it, die and come back. Peers are named by
 * the order in which they were started, since their labels are given by the cube.
 */
export class GrowingCube {
  readonly folder = mkdtempSync(join(tmpdir(), 'hypercast-'))
  readonly #environment: NodeJS.ProcessEnv
  readonly #plans: PeerPlan[] = []
  readonly #running = new Map<number, PeerProcess>()

  private constructor({ environment = {} }: GrowingCubeOptions) {
    this.#environment = { ...process.env, ...environment }
  }

  /** Founds a cluster of one peer, number 0. */
  static async found(options: GrowingCubeOptions = {}): Promise<GrowingCube> {
    const cube = new GrowingCube(options)
    await cube.#add(['--found', '--node-id', '0'])
    return cube
  }

  /** Peers that run, by number, ascending. */
  get running(): readonly number[] {
    return [...this.#running.keys()].sort((a, b) => a - b)
  }

  url(peer: number): string {
    return this.#plans[peer]!.url
  }

  topicUrl(topic: string, through: number): string {
    return `${this.url(through)}/v1/topics/${encodeURIComponent(topic)}`
  }

  /** Starts a new peer that joins through another one; resolves with its number when it is ready. */
  join(through: number): Promise<number> {
    return this.#add(['--join', this.url(through)])
  }

  /** Lets so many peers in all be there, one after the other, and waits until every slot has moved. */
  async grow(count: number): Promise<void> {
    while (this.#plans.length < count) {
      await this.join(0)
      await this.settled(this.#plans.length, 0)
    }
  }

  /** Asks through another peer that this one leaves; resolves when its process has ended by itself. */
  async leave(peer: number, through: number): Promise<PeerExit> {
    const { id } = await this.listed(peer, through)
    const running = this.#running.get(peer)!
    running.stopping = true
    await askJson(`${this.url(through)}/v1/peers/${id}`, { method: 'DELETE' })
    const exit = await running.exited
    this.#running.delete(peer)
    return exit
  }

  /** kill -9. */
  async kill(peer: number): Promise<void> {
    const running = this.#running.get(peer)!
    running.signal('SIGKILL')
    await running.exited
    this.#running.delete(peer)
  }

  /** Folder of a peer's store. */
  data(peer: number): string {
    return this.#plans[peer]!.data
  }

  /** The disk of a peer that does not run is lost. */
  wipe(peer: number): void {
    rmSync(this.#plans[peer]!.data, { recursive: true, force: true })
  }

  /** Starts a peer again with its own command line; resolves when it is ready. */
  async restart(peer: number): Promise<void> {
    await this.#start(peer)
  }

  /** Gives a peer that does not run another port, for its next start. */
  async move(peer: number): Promise<void> {
    const [port] = await freePorts(1)
    this.#assign(peer, port!)
  }

  /** Gives two peers that do not run each other's port, for their next start. */
  swap(one: number, other: number): void {
    const [port, otherPort] = [this.#plans[one]!.port, this.#plans[other]!.port]
    this.#assign(one, otherPort)
    this.#assign(other, port)
  }

  #assign(peer: number, port: number): void {
    const plan = this.#plans[peer]!
    const arguments_ = plan.arguments.map(word => (word === String(plan.port) ? String(port) : word))
    this.#plans[peer] = { ...plan, port, url: `http://127.0.0.1:${port}`, arguments: arguments_ }
  }

  /** What another peer says of this one. */
  async listed(peer: number, through: number): Promise<ListedPeer> {
    const { peers } = await this.peers(through)
    const found = peers.find(({ url }) => url === this.url(peer))
    if (!found) throw new Error(`${this.url(peer)} is not on the list of ${this.url(through)}`)
    return found
  }

  /** The same, once the other one has heard it at the address it has on the list: a moment after the list says so. */
  async heard(peer: number, through: number): Promise<ListedPeer> {
    const isIt = ({ url }: ListedPeer) => url === this.url(peer)
    const { peers } = await askUntil<PeersView>(
      `${this.url(through)}/v1/peers`,
      ({ peers }) => peers.some(one => isIt(one) && one.status === 'up'),
      { timeoutMs: SETTLE_TIMEOUT_MS, everyMs: LOOK_EVERY_MS },
    )
    return peers.find(isIt)!
  }

  peers(through: number): Promise<PeersView> {
    return askJson(`${this.url(through)}/v1/peers?progress=true`)
  }

  /** Resolves when the list has so many peers, none of them leaving, and every slot stands where it belongs. */
  async settled(count: number, through: number): Promise<PeersView> {
    const untilMs = performance.now() + SETTLE_TIMEOUT_MS
    let last = 'no answer'
    while (performance.now() < untilMs) {
      const answer = await ask(`${this.url(through)}/v1/peers?progress=true`).catch(() => undefined)
      last = answer?.body ?? last
      if (answer?.status === 200) {
        const view = JSON.parse(answer.body) as PeersView
        const isWhole = view.peers.length === count && !view.peers.some(({ leaving }) => leaving)
        if (isWhole && view.moving === 0) return view
      }
      await new Promise(wake => setTimeout(wake, LOOK_EVERY_MS))
    }
    throw new Error(`the cube does not settle at ${count} peers: ${last}`)
  }

  /** Ends all processes, in order if they can, and removes the folder. */
  async close(): Promise<void> {
    await Promise.all([...this.#running.values()].map(running => running.stop()))
    this.#running.clear()
    rmSync(this.folder, { recursive: true, force: true })
  }

  async #add(how: readonly string[]): Promise<number> {
    const [port] = await freePorts(1)
    const number = this.#plans.length
    const data = join(this.folder, `data-${number}`)
    const logs = join(this.folder, 'logs')
    this.#plans.push({
      id: String(number),
      port: port!,
      url: `http://127.0.0.1:${port}`,
      data,
      logs,
      arguments: ['peer', '--port', String(port), ...how, '--data', data, '--logs', logs],
    })
    await this.#start(number)
    return number
  }

  async #start(number: number): Promise<void> {
    const running = new PeerProcess(this.#plans[number]!, this.#environment)
    this.#running.set(number, running)
    try {
      await running.ready
    } catch (error) {
      this.#running.delete(number)
      throw error
    }
  }
}
