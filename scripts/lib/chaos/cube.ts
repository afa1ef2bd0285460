import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ask } from '../http.ts'
import { ailmentOf, type CubeView, lookAt, unsettled } from './health.ts'
import { Machines } from './machines.ts'
import type { Network } from './network.ts'
import { ChaosPeer, type Ended } from './peer.ts'
import type { Random } from './random.ts'
import { RosterView } from './roster-view.ts'

export interface ChaosCubeOptions {
  readonly peers: number
  readonly random: Random
  /** Settings of the peers, as environment variables. */
  readonly environment: Readonly<Record<string, string>>
  /** A peer ended although nobody asked it to. */
  readonly onLost: (name: string, ended: Ended) => void
}

const SLOTS = 64
const ASK_TIMEOUT_MS = 10_000
const AGAIN_MS = 250
/** Slots move, one eviction waits for what is under way, and faults may come in between. */
const CHANGE_TIMEOUT_MS = 120_000
/** Answers to a wish to leave after which asking again may help. */
const PASSING_STATUS = new Set([409, 429, 502, 503, 504])

/** A cube of real processes, each of which reaches every other through a link of its own; peers come and go. */
export class ChaosCube {
  /** Stores, logs and the run's other files; removed by `removeFolder`. */
  readonly folder: string
  readonly #options: ChaosCubeOptions
  readonly #machines: Machines
  readonly #running = new Map<string, ChaosPeer>()
  #roster: RosterView
  #closed = false

  private constructor(folder: string, machines: Machines, options: ChaosCubeOptions) {
    this.folder = folder
    this.#machines = machines
    this.#options = options
    this.#roster = RosterView.founded(machines.members, SLOTS)
  }

  /** Makes the folders and opens the links; no peer runs yet. */
  static async prepare(options: ChaosCubeOptions): Promise<ChaosCube> {
    const folder = mkdtempSync(join(tmpdir(), 'hypercast-chaos-'))
    return new ChaosCube(folder, await Machines.make(folder, options.peers), options)
  }

  get network(): Network {
    return this.#machines.network
  }

  /** Machines that are peers, or are to become peers. */
  get names(): string[] {
    return this.#machines.members
  }

  /** Machines that have left. */
  get away(): string[] {
    return this.#machines.away
  }

  /** The name of the next machine. */
  get fresh(): string {
    return this.#machines.fresh
  }

  /** Peers whose processes run. */
  get running(): string[] {
    return [...this.#running.keys()].sort()
  }

  /** Base URLs of all peers, living or dead. */
  get urls(): string[] {
    return this.names.map(name => this.url(name))
  }

  /** The cube as it was when it was last whole. */
  get roster(): RosterView {
    return this.#roster
  }

  url(name: string): string {
    return `http://127.0.0.1:${this.#machines.of(name).port}`
  }

  /** Folder of a peer's store. */
  data(name: string): string {
    return this.#machines.of(name).data
  }

  process(name: string): ChaosPeer {
    const found = this.#running.get(name)
    if (!found) throw new Error(`peer ${name} does not run`)
    return found
  }

  /** Starts a peer that does not run; resolves when it accepts connections, rejects when it ends before. */
  async start(name: string): Promise<void> {
    if (this.#closed) throw new Error('the cube is closed')
    if (this.#running.has(name)) return
    const started = new ChaosPeer(
      name,
      this.#machines.argumentsOf(name, () => this.#via(name)),
      {
        ...this.#options.environment,
        HYPERCAST_SLOTS: String(SLOTS),
        CHAOS_NETWORK: this.network.file(name),
      },
    )
    this.#running.set(name, started)
    let isUp = false
    void started.ended.then(ended => {
      if (this.#running.get(name) === started) this.#running.delete(name)
      if (!ended.asked && isUp) this.#options.onLost(name, ended)
    })
    await started.listening
    isUp = true
  }

  /** kill -9, and waits until the process is gone. */
  async kill(name: string): Promise<void> {
    const running = this.#running.get(name)
    this.network.refuse(name)
    running?.kill()
    await running?.ended
  }

  /** A peer that does not run loses what is on its disk. */
  wipe(name: string): void {
    this.#machines.wipe(name)
  }

  /** A peer that does not run listens on another port when it is started. */
  async relocate(name: string): Promise<void> {
    await this.#machines.relocate(name)
  }

  /** Starts a machine that is to join: `fresh`, or one that is away, with what is left on its disk. */
  async join(name: string): Promise<void> {
    await this.#machines.enter(name)
    await this.start(name)
  }

  /** Asks others to let a peer leave, until they do, and waits until its process has ended. */
  async leave(name: string): Promise<Ended> {
    const leaving = this.process(name)
    leaving.mayEnd()
    const deadlineMs = performance.now() + CHANGE_TIMEOUT_MS
    let said = 'nobody answers'
    for (let isTold = false; !isTold; await delay(AGAIN_MS)) {
      if (performance.now() > deadlineMs) throw new Error(`${name} may not leave: ${said}`)
      const through = this.#options.random.pick(this.running.filter(other => other !== name))
      const known = await this.#look()
      if (known === undefined) continue
      // An answer that was lost may have been a yes, and it has gone since.
      const id = known.peers.find(({ url }) => url === this.url(name))?.id
      if (id === undefined) break
      const wish = { method: 'DELETE', timeoutMs: ASK_TIMEOUT_MS }
      const { status, body } = await ask(`${this.url(through)}/v1/peers/${id}`, wish).catch(
        (error: Error) => ({ status: 503, body: error.message }),
      )
      said = `${through} answers ${status}: ${body}`
      isTold = status === 202
      if (!isTold && !PASSING_STATUS.has(status)) throw new Error(`${name} may not leave: ${said}`)
    }
    const timer = new AbortController()
    const ended = await Promise.race([
      leaving.ended,
      delay(CHANGE_TIMEOUT_MS, undefined, { signal: timer.signal }).catch(() => undefined),
    ])
    timer.abort()
    if (!ended) throw new Error(`${name} was told to leave and runs on`)
    this.network.refuse(name)
    this.#machines.leave(name)
    return ended
  }

  /** Waits until the roster does not list a peer any more; throws when that takes too long. */
  async evicted(name: string): Promise<void> {
    const deadlineMs = performance.now() + CHANGE_TIMEOUT_MS
    for (;;) {
      const known = await this.#look()
      if (known && !known.peers.some(({ url }) => url === this.url(name))) return
      if (performance.now() > deadlineMs) throw new Error(`${name} is dead and not evicted`)
      await delay(AGAIN_MS)
    }
  }

  /** The machine of a peer that does not run is gone for good, with its disk. */
  bury(name: string): void {
    this.#machines.bury(name)
  }

  /** The store that a peer is listed with; undefined when it is not listed. */
  async listedStore(name: string): Promise<string | undefined> {
    return (await this.#look())?.peers.find(({ url }) => url === this.url(name))?.uid
  }

  /**
   * What keeps the cube from being healed, in words; undefined when every peer runs, is ready, knows the same roster,
   * which lists the peers of this run and nobody else, misses none of them, sees the home of each slot that it holds as
   * the primary, and no slot is on the move. `roster` is what it then is.
   */
  async ailment(): Promise<string | undefined> {
    const { names } = this
    const silent = names.find(name => !this.#running.has(name))
    if (silent) return `${silent} does not run`
    const urls = new Map(names.map(name => [this.url(name), name]))
    const views = new Map<string, CubeView>()
    const ailments = await Promise.all(
      names.map(name =>
        ailmentOf(name, urls, view => views.set(name, view)).catch(error => `${name}: ${error}`),
      ),
    )
    const found = ailments.find(ailment => ailment !== undefined)
    if (found) return found
    const versions = new Set([...views.values()].map(({ version }) => version))
    if (versions.size > 1) return `rosters of version ${[...versions]} are known`
    const [view] = [...views.values()] as [CubeView]
    const moving = await unsettled(this.url(this.#options.random.pick(names)))
    if (moving) return moving
    const corners = view.peers.map(({ id, url }) => ({ name: urls.get(url)!, id }))
    this.#roster = new RosterView(view.version, view.dimension, view.slots, corners)
    return undefined
  }

  /** Ends all processes, in order where they can, and closes the links. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#running.values()].map(peer => peer.stop()))
    this.network.close()
  }

  removeFolder(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Of the logs and histories nothing is lost. */
  removeStores(): void {
    rmSync(join(this.folder, 'data'), { recursive: true, force: true })
  }

  /** The latest that any peer that runs knows of the cube; undefined when nobody answers. */
  async #look(): Promise<CubeView | undefined> {
    const views = await Promise.all(this.running.map(name => lookAt(this.url(name)).catch(() => undefined)))
    return views.filter(view => view !== undefined).sort((one, other) => other.version - one.version)[0]
  }

  /** The URL of a peer that another one may join through. */
  #via(name: string): string {
    const others = this.#roster.names.filter(other => other !== name && this.names.includes(other))
    const up = others.filter(other => this.#running.has(other))
    return this.url(this.#options.random.pick(up.length > 0 ? up : others))
  }
}
