import { formatLabel, type PeerId } from '../../services/peer/cube/labels.ts'
import { LIMITS } from '../../services/peer/limits.ts'
import type { SlotFeeds } from '../../services/peer/streams/slot-feeds.ts'
import { seeded } from '../raft/cluster.ts'
import type { FakeSink } from './sink.ts'
import { slotFeedsOf } from './slot-feeds-of.ts'
import { TapProbe } from './tap-probe.ts'
import { SLOT, World } from './world.ts'

const STEPS = 60
const TOPICS = ['a', 'b/1', 'b/2']
const WANTS = ['a', 'b/1', 'b/2', 'b/*', 'b/**', '**', 'x']

/** A stream and where it began. */
export interface Reader {
  readonly peer: PeerId
  readonly topic: string
  readonly sink: FakeSink
  /** Last offset before it began. */
  readonly from: number
}

/** Random changes to a cube with streams on it; what each stream shows is looked at in the end. */
export class Storm {
  readonly peers: readonly PeerId[]
  readonly world: World
  readonly readers: Reader[] = []
  readonly taps: TapProbe[] = []
  /** Events acknowledged, by topic. */
  readonly sent = new Map<string, number>()
  readonly #random: () => number
  readonly #parents = new Map<PeerId, PeerId[]>()
  /** By peer, one below it that nobody else goes by: what is tapped there has come through that peer. */
  readonly #under = new Map<PeerId, SlotFeeds>()

  constructor(seed: number, count: number) {
    this.#random = seeded(seed)
    this.peers = Array.from({ length: count }, (_, corner) => formatLabel(corner, Math.log2(count)))
    this.world = new World({
      peers: this.peers,
      placed: [this.peers[0]!, this.peers[1]!],
      random: this.#random,
      bounds: { trunkBytes: 400, ringEvents: 6, replayEvents: 5 },
      // Each goes by a roster of its own; the replicas are among them, somewhere.
      parentsOf: self => [...new Set([...(this.#parents.get(self) ?? []), ...this.world.placed])],
    })
    this.world.trunks.carried = []
    this.#mixParents()
    for (const topic of TOPICS) this.world.create(topic)
  }

  async run(): Promise<void> {
    for (let step = 0; step < STEPS; step += 1) {
      await this.#step()
      await this.world.clock.advance(this.#below(4) === 0 ? this.#below(1_500) : this.#below(20))
    }
    this.world.down.clear()
    this.world.trunks.broken.clear()
    this.world.trunks.unstick()
    this.world.level()
    await this.world.clock.advance(10 * LIMITS.PARENT_PATIENCE_MS)
    for (const topic of TOPICS) this.#publish(topic, 1)
    this.world.level()
    await this.world.clock.advance(4 * LIMITS.PARENT_PATIENCE_MS)
  }

  /** Events that came down a trunk more often than once, though nobody had gone and come again in between. */
  doubles(): number {
    const last = new Map<string, number>()
    let doubles = 0
    for (const { trunk, frame } of this.world.trunks.carried ?? []) {
      if (frame.kind !== 'events') continue
      for (const { sequence } of frame.events) {
        if (sequence <= (last.get(trunk) ?? 0)) doubles += 1
        last.set(trunk, Math.max(sequence, last.get(trunk) ?? 0))
      }
    }
    return doubles
  }

  async #step(): Promise<void> {
    const { world } = this
    const { trunks } = world
    switch (this.#below(15)) {
      case 0:
      case 1:
      case 2:
        await this.#connect()
        break
      case 3:
        this.#leave()
        break
      case 4:
        trunks.cut(this.#pick(this.peers))
        break
      case 5: {
        const peer = this.#pick(this.peers)
        if (world.down.delete(peer)) break
        // One that is on and has the slot is always there.
        if (world.placed.filter(one => one !== peer && !world.down.has(one)).length === 0) break
        world.down.add(peer)
        trunks.cut(peer)
        break
      }
      case 6:
        this.#move()
        break
      case 7:
        if (trunks.stuck.size > 0) trunks.unstick()
        else trunks.stuck.add(this.#pick(this.peers))
        break
      case 8:
        this.#mixParents()
        break
      case 9:
        if (trunks.broken.size > 4) trunks.broken.clear()
        else trunks.broken.add(`${this.#pick(this.peers)}>${this.#pick(this.peers)}`)
        break
      case 10:
      case 11:
        this.#tap()
        break
      case 12: {
        const open = this.taps.filter(({ isOpen }) => isOpen)
        if (open.length > 0) this.#pick(open).close()
        break
      }
      default:
        for (let count = this.#below(4); count >= 0; count -= 1) {
          this.#publish(this.#pick(TOPICS), 1 + this.#below(4))
        }
    }
    // Replicas lag behind each other, and now and then one catches up by a snapshot.
    for (const peer of world.placed) {
      if (this.#below(20) === 0) world.replica(peer).restore()
      else if (this.#below(3) > 0) world.replica(peer).apply(this.#below(8))
    }
  }

  async #connect(): Promise<void> {
    const up = this.peers.filter(peer => !this.world.down.has(peer))
    const peer = this.#pick(up)
    const topic = this.#pick(TOPICS)
    const offset = 1 + this.#below(1 + (this.sent.get(topic) ?? 0))
    const sink = await this.world.connect(peer, { kind: 'offset', offset }, { topic })
    this.readers.push({ peer, topic, sink, from: offset - 1 })
  }

  #tap(): void {
    const wants = [...new Set([this.#pick(WANTS), this.#pick(WANTS), this.#pick(WANTS)])]
    const peer = this.#pick(this.peers)
    const feeds = this.#under.get(peer) ?? slotFeedsOf(this.world, `${peer}1`, [peer], this.#random)
    this.#under.set(peer, feeds)
    this.taps.push(new TapProbe(this.world.log, feeds, peer, SLOT, wants))
  }

  #leave(): void {
    const open = this.readers.filter(({ sink }) => !sink.destroyed)
    if (open.length > 0) this.#pick(open).sink.destroy()
  }

  #move(): void {
    const { world } = this
    const comes = this.#pick(this.peers)
    if (world.placed.includes(comes)) return
    const [leaves, stays] = this.#below(2) === 0 ? world.placed : [...world.placed].reverse()
    if (world.down.has(stays!) || world.down.has(comes)) return
    world.replica(stays!).apply()
    world.placed = [stays!, comes]
    world.replica(comes).arrive()
    world.replica(leaves!).drop()
  }

  #mixParents(): void {
    for (const peer of this.peers) {
      const others = this.peers.filter(one => one !== peer)
      this.#parents.set(peer, [this.#pick(others), this.#pick(others)])
    }
  }

  #publish(topic: string, count: number): void {
    const before = this.sent.get(topic) ?? 0
    const events = Array.from({ length: count }, (_, at) => ({
      data: Buffer.from(`${topic} ${before + at + 1}`),
    }))
    this.world.commit({ kind: 'publish', topic, events })
    this.sent.set(topic, before + count)
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound)
  }

  #pick<T>(all: readonly T[]): T {
    return all[this.#below(all.length)]!
  }
}
