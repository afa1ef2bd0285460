import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { placement } from '../../../services/peer/cube/placement.ts'
import { type PeerPlan, planCube } from '../../../services/peer/launcher/plan.ts'
import { LIMITS } from '../../../services/peer/limits.ts'
import { ask, askJson } from '../http.ts'
import { freePorts } from '../ports.ts'
import { Link } from './link.ts'
import { ChaosPeer, type Ended } from './peer.ts'
import type { Shape } from './pipe.ts'

export interface ChaosCubeOptions {
  readonly peers: number
  /** Settings of the peers, as environment variables. */
  readonly environment: Readonly<Record<string, string>>
  /** A peer ended although nobody asked it to. */
  readonly onLost: (id: string, ended: Ended) => void
}

interface CubeView {
  readonly primaries: readonly (string | null)[]
  readonly peers: readonly { readonly id: string; readonly status: string }[]
}

const SLOTS = 64
const ASK_TIMEOUT_MS = 2_000
/** What a peer says of one that it misses; of one that it never had to do with it says `unknown`. */
const AWAY = new Set(['suspected', 'down'])

/** A cube of real processes, each of which reaches every other through a link of its own. */
export class ChaosCube {
  /** Stores, logs and the run's other files; removed by `close`. */
  readonly folder: string
  readonly plans: readonly PeerPlan[]
  readonly ids: readonly string[]
  /** The replicas of every slot, the home first. */
  readonly placements: readonly (readonly string[])[]
  readonly #options: ChaosCubeOptions
  readonly #running = new Map<string, ChaosPeer>()
  /** By `from>to`. */
  readonly #links = new Map<string, Link>()
  readonly #linkPorts = new Map<string, number>()
  #closed = false
  /** By `from>to`: what each fault does to bytes that go this way. */
  readonly #shapes = new Map<string, Map<object, Partial<Shape>>>()

  private constructor(folder: string, ports: readonly number[], options: ChaosCubeOptions) {
    this.folder = folder
    this.#options = options
    const own = ports.slice(0, options.peers)
    this.plans = planCube({ ports: own, data: join(folder, 'data'), logs: join(folder, 'logs') })
    this.ids = this.plans.map(plan => plan.id)
    const spare = ports.slice(options.peers)
    for (const [from, to] of pairs(this.ids)) {
      const port = spare.shift()!
      this.#linkPorts.set(`${from}>${to}`, port)
      this.#links.set(`${from}>${to}`, new Link(port, this.plan(to).port))
    }
    const cube = { dimension: this.ids[0]!.length, peers: this.ids.map(id => ({ id })) }
    this.placements = Array.from({ length: SLOTS }, (_, slot) => placement(slot, cube, LIMITS.REPLICAS))
  }

  /** Makes the folder and opens the links; no peer runs yet. */
  static async prepare(options: ChaosCubeOptions): Promise<ChaosCube> {
    const ports = await freePorts(options.peers * options.peers)
    const folder = mkdtempSync(join(tmpdir(), 'hypercast-chaos-'))
    const cube = new ChaosCube(folder, ports, options)
    for (const plan of cube.plans) mkdirSync(plan.data, { recursive: true })
    for (const id of cube.ids) cube.#writeBlocked(id)
    await Promise.all([...cube.#links.values()].map(link => link.open()))
    return cube
  }

  /** Peers whose processes run. */
  get running(): string[] {
    return [...this.#running.keys()].sort()
  }

  plan(id: string): PeerPlan {
    return this.plans.find(plan => plan.id === id)!
  }

  url(id: string): string {
    return this.plan(id).url
  }

  process(id: string): ChaosPeer {
    const found = this.#running.get(id)
    if (!found) throw new Error(`peer ${id} does not run`)
    return found
  }

  /** Starts a peer that does not run; resolves when it accepts connections, rejects when it ends before. */
  async start(id: string): Promise<void> {
    if (this.#closed) throw new Error('the cube is closed')
    if (this.#running.has(id)) return
    const started = new ChaosPeer(this.plan(id), this.#environment(id))
    this.#running.set(id, started)
    let isUp = false
    void started.ended.then(ended => {
      if (this.#running.get(id) === started) this.#running.delete(id)
      if (!ended.asked && isUp) this.#options.onLost(id, ended)
    })
    await started.listening
    isUp = true
  }

  /** kill -9, and waits until the process is gone. */
  async kill(id: string): Promise<void> {
    const running = this.#running.get(id)
    for (const other of this.ids) this.#links.get(`${other}>${id}`)?.refuse()
    running?.kill()
    await running?.ended
  }

  /**
   * How bytes from one peer to another travel, on the connections of both, as long as the fault `owner` says so;
   * `undefined` ends it. Where several faults have their say, the worst of each counts. While bytes are held one way,
   * neither peer can connect to the other: a connection begins with packets both ways.
   */
  shape(owner: object, from: string, to: string, shape: Partial<Shape> | undefined): void {
    const way = `${from}>${to}`
    const shapes = this.#shapes.get(way) ?? new Map<object, Partial<Shape>>()
    this.#shapes.set(way, shapes)
    if (shape) shapes.set(owner, shape)
    else shapes.delete(owner)
    const all = [...shapes.values()]
    const worst: Shape = {
      held: all.some(({ held }) => held),
      delayMs: Math.max(0, ...all.map(({ delayMs = 0 }) => delayMs)),
      bytesPerS: Math.min(...all.map(({ bytesPerS }) => bytesPerS ?? Number.POSITIVE_INFINITY)),
    }
    this.#writeBlocked(from)
    this.#writeBlocked(to)
    this.#links.get(way)!.shape('forward', worst)
    this.#links.get(`${to}>${from}`)!.shape('backward', worst)
  }

  /** Ends every connection between two peers with a reset. */
  reset(one: string, other: string): void {
    this.#links.get(`${one}>${other}`)!.reset()
    this.#links.get(`${other}>${one}`)!.reset()
  }

  /**
   * What keeps the cube from being healed, in words; undefined when every one of `ids` runs, is ready, misses none of
   * them, and sees the home of each slot that it holds as the primary.
   */
  async ailment(ids: readonly string[] = this.ids): Promise<string | undefined> {
    const found = await Promise.all(ids.map(id => this.#ailmentOf(id, ids).catch(error => `${id}: ${error}`)))
    return found.find(text => text !== undefined)
  }

  /** Ends all processes, in order where they can, and closes the links. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#running.values()].map(peer => peer.stop()))
    for (const link of this.#links.values()) link.close()
  }

  removeFolder(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  async #ailmentOf(id: string, ids: readonly string[]): Promise<string | undefined> {
    if (!this.#running.has(id)) return `${id} does not run`
    const ready = await ask(`${this.url(id)}/health/ready`, { timeoutMs: ASK_TIMEOUT_MS })
    if (ready.status !== 200) return `${id} is not ready`
    const view = await askJson<CubeView>(`${this.url(id)}/v1/cube`, { timeoutMs: ASK_TIMEOUT_MS })
    const away = view.peers.find(peer => ids.includes(peer.id) && AWAY.has(peer.status))
    if (away) return `${id} sees ${away.id} as ${away.status}`
    const slot = this.placements.findIndex(
      (replicas, index) =>
        replicas.includes(id) && ids.includes(replicas[0]!) && view.primaries[index] !== replicas[0],
    )
    if (slot < 0) return undefined
    return `${id} sees ${view.primaries[slot]} as primary of slot ${slot}, whose home is ${this.placements[slot]![0]}`
  }

  #environment(id: string): Record<string, string> {
    const others = this.ids.filter(other => other !== id)
    const links = others.map(other => [this.plan(other).port, this.#linkPorts.get(`${id}>${other}`)!])
    return {
      ...this.#options.environment,
      HYPERCAST_SLOTS: String(SLOTS),
      CHAOS_LINKS: JSON.stringify(Object.fromEntries(links)),
      CHAOS_BLOCKED: this.#blockedFile(id),
    }
  }

  #blockedFile(id: string): string {
    return join(this.folder, `blocked-${id}.json`)
  }

  /** A peer reads the file whenever it connects: it is exchanged as a whole. */
  #writeBlocked(id: string): void {
    const isHeld = (way: string) => [...(this.#shapes.get(way)?.values() ?? [])].some(({ held }) => held)
    const others = this.ids.filter(other => isHeld(`${id}>${other}`) || isHeld(`${other}>${id}`))
    const file = this.#blockedFile(id)
    writeFileSync(`${file}.new`, JSON.stringify(others.map(other => this.plan(other).port)))
    renameSync(`${file}.new`, file)
  }
}

/** Every ordered pair of different peers. */
function pairs(ids: readonly string[]): [string, string][] {
  return ids.flatMap(from => ids.filter(to => to !== from).map((to): [string, string] => [from, to]))
}
