import { dimensionFor, formatLabel } from '../../../services/peer/cube/labels.ts'
import { links } from '../../../services/peer/cube/neighbours.ts'
import { successorsOf } from '../../../services/peer/cube/placement.ts'
import type { Roster } from '../../../services/peer/cube/roster.ts'
import { FORMAT } from '../../../services/peer/engine/formats.ts'
import { LIMITS } from '../../../services/peer/limits.ts'
import { Chance, World } from '../../../test/sim/world.ts'
import { Network } from './network.ts'
import { SimulatedPeer, slotOfTopic } from './peer.ts'
import type { Defaults } from './settings.ts'
import { Tally } from './tally.ts'

/** Between two looks at whether something has come about, in virtual time. */
const LOOK_EVERY_MS = 25
/** Longest wait for anything, in virtual time. */
const PATIENCE_MS = 60_000

/** A whole cube in this thread on virtual time. */
export class SimulatedCube {
  readonly world = new World()
  readonly tally = new Tally()
  readonly peers = new Map<string, SimulatedPeer>()
  readonly roster: Roster
  readonly network: Network
  readonly settings: Defaults
  /** Every peer's neighbours. */
  readonly links: ReadonlyMap<string, readonly string[]>
  readonly #placed = new Map<number, readonly string[]>()
  #defect: string | undefined

  constructor(size: number, seed: number, settings: Defaults) {
    this.settings = settings
    this.roster = rosterOf(size, settings.slots)
    this.links = links(this.roster)
    this.network = new Network(this.world, this.tally, this.peers)
    const chance = new Chance(seed)
    for (const { id, uid } of this.roster.peers) {
      const { roster, world, network } = this
      const onDefect = (what: string) => {
        this.#defect ??= what
      }
      const peer = new SimulatedPeer({
        id,
        uid,
        roster,
        world,
        network,
        settings,
        chance: chance.fork(),
        onDefect,
      })
      this.peers.set(id, peer)
    }
  }

  get ids(): readonly string[] {
    return [...this.peers.keys()]
  }

  /** All but those that were killed. */
  get live(): readonly SimulatedPeer[] {
    return [...this.peers.values()].filter(peer => peer.isUp)
  }

  peer(id: string): SimulatedPeer {
    return this.peers.get(id)!
  }

  /** The slot's replicas in order of succession, home first. */
  placed(slot: number): readonly string[] {
    const known = this.#placed.get(slot)
    if (known) return known
    const placed = successorsOf(slot, this.roster, LIMITS)
    this.#placed.set(slot, placed)
    return placed
  }

  /** All slots, the roster's own among them. */
  get slots(): readonly number[] {
    return [...Array(this.roster.slots + 1).keys()]
  }

  /** Starts every peer and waits until every slot has its home as its primary. */
  async start(): Promise<void> {
    await this.complete([...this.peers.values()].map(peer => peer.start()))
    await this.until('every home is primary', () => this.isSettled())
  }

  /** Starts a killed peer again, and waits until it has its slots back. */
  async restart(peer: SimulatedPeer): Promise<void> {
    await this.complete([peer.start()])
    await this.until(`${peer.id} is primary again`, () => this.isSettled())
  }

  /** Every slot is led by its home, and by nobody else. */
  isSettled(): boolean {
    return this.slots.every(slot => {
      const leaders = this.leaders(slot)
      return leaders.length === 1 && leaders[0]!.id === this.placed(slot)[0]
    })
  }

  /** Live replicas that lead the slot, as far as they know. */
  leaders(slot: number): SimulatedPeer[] {
    const replicas = this.placed(slot).map(id => this.peer(id))
    return replicas.filter(({ isUp, engine }) => isUp && engine.status(slot).raft.role === 'leader')
  }

  /** Lets time pass. Throws for a defect of a peer. */
  async run(ms: number): Promise<void> {
    await this.world.runUntil(this.world.nowMs + ms)
    if (this.#defect !== undefined) throw new Error(this.#defect)
  }

  /** Lets time pass until something has come about; throws when it does not. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    const lastMs = this.world.nowMs + PATIENCE_MS
    while (!isSo()) {
      if (this.world.nowMs > lastMs)
        throw new Error(`after ${PATIENCE_MS / 1_000} s of virtual time, not yet: ${what}`)
      await this.run(LOOK_EVERY_MS)
    }
  }

  /** Lets time pass until all are fulfilled; no longer than that. */
  async complete<T>(promises: readonly Promise<T>[]): Promise<T[]> {
    let left = promises.length
    const all = Promise.all(
      promises.map(promise =>
        promise.finally(() => {
          left -= 1
        }),
      ),
    )
    all.catch(() => {})
    const lastMs = this.world.nowMs + PATIENCE_MS
    await this.world.runUntil(lastMs, () => left === 0)
    await this.run(0)
    if (left > 0)
      throw new Error(
        `${left} of ${promises.length} are not done after ${PATIENCE_MS / 1_000} s of virtual time`,
      )
    return all
  }

  /** A topic's name that belongs to the slot. */
  topicIn(slot: number): string {
    for (let salt = 0; ; salt++) {
      const name = `topic-${salt}`
      if (slotOfTopic(name, this.roster.slots) === slot) return name
    }
  }

  /** Creates the topic, through any live peer. */
  async create(topic: string): Promise<void> {
    const settings = { maxAgeMs: null, maxEvents: null, maxBytes: null }
    const { dispatcher } = this.live[0]!
    const outcome = dispatcher.append({ kind: 'create', topic, settings }, this.deadlineMs())
    const [{ result }] = (await this.complete([outcome])) as [Awaited<typeof outcome>]
    if (result.kind !== 'appended')
      throw new Error(`topic ${topic} could not be created: ${JSON.stringify(result)}`)
  }

  /** When a client that asks now gives up. */
  deadlineMs(): number {
    return this.world.nowMs + this.settings.publishTimeoutMs
  }
}

/** A cube of the first so many corners, as it is founded. */
export function rosterOf(size: number, slots: number): Roster {
  const dimension = dimensionFor(size)
  const peers = Array.from({ length: size }, (_, corner) => {
    const id = formatLabel(corner, dimension)
    return { id, uid: `uid-${id}`, number: corner + 1, url: `http://${id}.invalid`, format: FORMAT }
  })
  return { version: 1, clusterId: 'scale', dimension, slots, peers, format: FORMAT }
}
