import type { Roster } from '../../services/peer/cube/roster.ts'
import { Engine } from '../../services/peer/engine/engine.ts'
import type { EngineSettings } from '../../services/peer/engine/settings.ts'
import type { Beat, Clock, CubeEvent, SlotMessage, Transport } from '../../services/peer/engine/types.ts'
import type { Configuration } from '../../services/peer/raft/types.ts'
import { MemoryDisk } from '../../services/peer/store/memory.ts'
import { openMemoryStore } from '../../services/peer/store/open.ts'
import type { LogStore } from '../../services/peer/store/types.ts'
import type { EventInput, Request } from '../../services/peer/topics/types.ts'
import { FakeClock } from './fake-clock.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }
const settings = { tickMs: 50, heartbeatMs: 100, electionMs: 1_000, reclaimAfterMs: 500, diskReserveBytes: 0 }

/** One peer of a small cube in this thread. */
interface Peer {
  readonly id: string
  readonly disk: MemoryDisk
  engine: Engine
  store: LogStore
  alive: boolean
  readonly events: CubeEvent[]
  readonly fatal: unknown[]
  /** What it logged as errors. */
  readonly errors: string[]
  /** The roster it goes by does not list it any more. */
  removed: boolean
}

/** Engines on one fake clock that reach each other by function calls: no loss, one microtask of delay. */
export class Engines {
  readonly clock = new FakeClock()
  readonly peers = new Map<string, Peer>()
  readonly roster: Roster
  /** Links that carry nothing, as `from>to`. */
  readonly cut = new Set<string>()
  /** Heartbeat exchanges begun, by `from>to`. */
  readonly beats = new Map<string, number>()
  /** Batches of Raft messages sent, by `from>to`. */
  readonly batches = new Map<string, number>()
  /** Sees each batch of Raft messages; one for which it answers false is lost. */
  onSend: (from: string, to: string, messages: readonly SlotMessage[]) => boolean = () => true
  /** How far the wall clock of a peer is ahead, in milliseconds. */
  readonly skewMs = new Map<string, number>()
  readonly #settings: EngineSettings

  constructor(ids: readonly string[], slots = 1, change: Partial<EngineSettings> = {}) {
    this.#settings = { ...settings, ...change }
    this.roster = {
      version: 1,
      clusterId: 'test',
      dimension: ids[0]!.length,
      slots,
      peers: ids.map((id, at) => ({ id, uid: `uid-${id}`, number: at + 1, url: `http://${id}.test` })),
    }
  }

  async start(): Promise<void> {
    for (const { id } of this.roster.peers) await this.boot(id, new MemoryDisk())
    await this.clock.advance(2_000)
  }

  /** Starts a peer on a disk; the store keeps its uid. */
  async boot(id: string, disk: MemoryDisk, roster = this.roster): Promise<void> {
    const store = openMemoryStore(disk, { newUid: () => `uid-${id}` })
    if (!store.roster()) await store.writeRoster(roster)
    const peer: Peer = {
      id,
      disk,
      store,
      alive: true,
      events: this.peers.get(id)?.events ?? [],
      fatal: [],
      errors: [],
      removed: false,
      engine: undefined as never,
    }
    peer.engine = new Engine({
      self: id,
      roster: store.roster() ?? roster,
      members: (slot, deadlineMs) => this.#members(slot, deadlineMs),
      store,
      transport: this.#transport(() => peer),
      clock: this.#clockOf(id, () => peer),
      random: () => 0.5,
      log: { ...quiet, error: (_fields, message) => void peer.errors.push(message) },
      observer: { committed() {}, flushed() {}, election() {}, beat() {} },
      settings: this.#settings,
      onRemoved: () => {
        peer.removed = true
      },
      onFatal: error => {
        peer.fatal.push(error)
        peer.alive = false
      },
    })
    peer.engine.onCubeEvent(event => peer.events.push(event))
    this.peers.set(id, peer)
    await peer.engine.start()
  }

  /** kill -9 and power loss in one: what was not flushed is gone, everybody's connections close. */
  crash(id: string): void {
    const peer = this.peer(id)
    peer.alive = false
    peer.disk.crash()
    for (const other of this.peers.values()) if (other.alive) other.engine.connectionClosed(id)
  }

  async restart(id: string): Promise<void> {
    await this.boot(id, this.peer(id).disk)
  }

  peer(id: string): Peer {
    return this.peers.get(id)!
  }

  primary(slot = 0): string | undefined {
    const leaders = [...this.peers.values()].filter(
      peer => peer.alive && peer.engine.holds(slot) && peer.engine.status(slot).raft.role === 'leader',
    )
    return leaders.at(-1)?.id
  }

  /** Asks the peer that leads the slot, as the links would. */
  async #members(slot: number, deadlineMs: number): Promise<Configuration | null> {
    const primary = this.primary(slot)
    if (primary === undefined) return null
    const { engine } = this.peer(primary)
    return engine.barrier(slot, deadlineMs).then(
      () => engine.members(slot),
      () => null,
    )
  }

  /** Appends at the primary and lets time pass until it is answered. */
  async append(request: Request, at = this.primary(), slot = 0) {
    const promise = this.peer(at!).engine.append(slot, request, this.clock.monotonicMs() + 5_000)
    let done = false
    const settled = promise.finally(() => {
      done = true
    })
    settled.catch(() => {})
    for (let step = 0; step < 600 && !done; step++) await this.clock.advance(10)
    return promise
  }

  /** The time of one life of a peer: it ends with that life. */
  #clockOf(id: string, peer: () => Peer): Clock {
    const living = (run: () => void) => () => {
      if (peer().alive) run()
    }
    return {
      nowMs: () => this.clock.nowMs() + (this.skewMs.get(id) ?? 0),
      monotonicMs: () => this.clock.monotonicMs(),
      after: (delayMs, run) => this.clock.after(delayMs, living(run)),
      endOfTurn: run => this.clock.endOfTurn(living(run)),
    }
  }

  #transport(sender: () => Peer): Transport {
    const reach = (to: string): Peer | undefined => {
      const peer = this.peers.get(to)
      return peer?.alive && !this.cut.has(`${sender().id}>${to}`) && sender().alive ? peer : undefined
    }
    return {
      send: (to: string, messages: readonly SlotMessage[]) => {
        const self = sender().id
        const link = `${self}>${to}`
        this.batches.set(link, (this.batches.get(link) ?? 0) + 1)
        if (!this.onSend(self, to, messages)) return
        Promise.resolve().then(() => reach(to)?.engine.receive(self, structuredClone(messages)))
      },
      heartbeat: async (to: string, beat: Beat) => {
        const pair = `${sender().id}>${to}`
        this.beats.set(pair, (this.beats.get(pair) ?? 0) + 1)
        const peer = reach(to)
        if (!peer) throw new Error('unreachable')
        return peer.engine.heartbeat(sender().id, beat)
      },
      roster: async (to: string) => {
        const peer = reach(to)
        if (!peer) throw new Error('unreachable')
        return peer.engine.roster
      },
      dial: async (to: string) => {
        if (this.cut.has(`${sender().id}>${to}`)) return 'silent'
        return this.peers.get(to)?.alive ? 'open' : 'refused'
      },
      snapshot: async (to: string, slot: number, after: number) => {
        const peer = reach(to)
        if (!peer) throw new Error('unreachable')
        return peer.engine.snapshotChunk(sender().id, slot, after)
      },
    }
  }
}

export function text(...data: string[]): EventInput[] {
  return data.map(one => ({ data: new TextEncoder().encode(one) }))
}

export const anyTime = { maxAgeMs: null, maxEvents: null, maxBytes: null }
