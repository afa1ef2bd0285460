import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cubeLabels } from '../../../services/peer/launcher/plan.ts'
import { Network } from './network.ts'

/** What a peer runs on: it has a name of this run's own, since labels are the cube's to give. */
export interface Machine {
  readonly name: string
  /** Folder of its store. */
  readonly data: string
  port: number
  /** The label it was founded under; a peer that joined is given one by the cube. */
  label: string | undefined
}

/** The machines of a run: those whose peers found the cube are named by their labels, the others `new-1`, `new-2`, … */
export class Machines {
  readonly network: Network
  readonly #folder: string
  readonly #all = new Map<string, Machine>()
  /** Those that are peers, or are to become peers. */
  readonly #members = new Set<string>()
  #founding: readonly { readonly label: string; readonly port: number }[] = []
  #made = 0

  private constructor(folder: string) {
    this.#folder = folder
    this.network = new Network(folder)
  }

  /** So many that are to found a cube; stores, logs and the network's files are in `folder`. */
  static async make(folder: string, count: number): Promise<Machines> {
    const machines = new Machines(folder)
    const labels = cubeLabels(count)
    const ports = await machines.network.freePorts(count)
    machines.#founding = labels.map((label, index) => ({ label, port: ports[index]! }))
    for (const { label, port } of machines.#founding) await machines.#add(label, port, label)
    return machines
  }

  /** Machines that are peers, or are to become peers. */
  get members(): string[] {
    return [...this.#members]
  }

  /** Machines that have left. */
  get away(): string[] {
    return [...this.#all.keys()].filter(name => !this.#members.has(name))
  }

  /** The name of the next machine. */
  get fresh(): string {
    return `new-${this.#made + 1}`
  }

  of(name: string): Machine {
    const found = this.#all.get(name)
    if (!found) throw new Error(`there is no machine ${name}`)
    return found
  }

  /** `fresh` is set up, or one that is away prepared, to join. */
  async enter(name: string): Promise<void> {
    if (name === this.fresh) {
      this.#made += 1
      const [port] = await this.network.freePorts(1)
      await this.#add(name, port!, undefined)
    }
    this.of(name).label = undefined
    this.#members.add(name)
  }

  /** It is away, with what is on its disk. */
  leave(name: string): void {
    this.#members.delete(name)
  }

  /** It is gone for good, with its disk. */
  bury(name: string): void {
    const { data } = this.of(name)
    this.#members.delete(name)
    this.#all.delete(name)
    this.network.remove(name)
    rmSync(data, { recursive: true, force: true })
  }

  /** It loses what is on its disk. */
  wipe(name: string): void {
    const { data } = this.of(name)
    for (const entry of readdirSync(data)) rmSync(join(data, entry), { recursive: true })
  }

  /** Its peer listens on another port when it is started again. */
  async relocate(name: string): Promise<void> {
    const [port] = await this.network.freePorts(1)
    this.of(name).port = port!
    this.network.move(name, port!)
  }

  /**
   * What stands behind `hypercast`. A peer that was founded has the list of its founding on its command line, with its
   * own port as it is now, as long as one of the others is still where the list says; any other joins through `via`.
   */
  argumentsOf(name: string, via: () => string): string[] {
    const { port, data, label } = this.of(name)
    const folders = ['--data', data, '--logs', join(this.#folder, 'logs')]
    const own = ['peer', '--port', String(port)]
    const isThere = (founder: { readonly label: string; readonly port: number }) =>
      founder.label !== label && this.#all.get(founder.label)?.port === founder.port
    if (label === undefined || !this.#founding.some(isThere)) return [...own, '--join', via(), ...folders]
    const list = this.#founding.map(founder => {
      const at = founder.label === label ? port : founder.port
      return `${founder.label}=http://127.0.0.1:${at}`
    })
    return [...own, '--node-id', label, '--peers', list.join(','), ...folders]
  }

  async #add(name: string, port: number, label: string | undefined): Promise<void> {
    const data = join(this.#folder, 'data', name)
    mkdirSync(data, { recursive: true })
    this.#all.set(name, { name, data, port, label })
    this.#members.add(name)
    await this.network.add(name, port)
  }
}
