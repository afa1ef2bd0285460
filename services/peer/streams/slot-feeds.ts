import type { PeerId } from '../cube/labels.ts'
import type { Clock, SlotLogs } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { TrunkLinks } from '../links/trunk.ts'
import type { WantsUpdate } from '../links/trunk-wants.ts'
import type { Flusher } from './flusher.ts'
import { LocalSlot } from './local-slot.ts'
import { SlotFeed } from './slot-feed.ts'
import type { SlotSource } from './slot-source.ts'
import type { SlotTap, SlotTaps, TopicGlance } from './taps.ts'
import { Trunk } from './trunk.ts'
import { TrunkServer } from './trunk-server.ts'
import type { Sink } from './types.ts'
import { Upstream } from './upstream.ts'

export interface SlotFeedsOptions {
  readonly self: PeerId
  readonly slots: SlotLogs
  /** Topic slots of the cluster. */
  readonly slotCount: number
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly log: { debug(fields: object, message: string): void }
  readonly links: TrunkLinks
  /** Peers to get a slot from that is not here, the one to try first first; never this one. */
  readonly parentsOf: (slot: number) => readonly PeerId[]
  /** Finds out who leads a slot; it is among its parents then. */
  readonly askPrimary: (slot: number) => void
  readonly flusher: Flusher
  /** See TrunkServerOptions. */
  readonly bufferBytes: number
  readonly stallTimeoutMs: number
}

/**
 * The live events of all slots on this peer (DESIGN 8): of those it holds from its replicas, of the others down a tree
 * over the neighbours. What anybody here wants of a slot, streams and peers below alike, is asked for once.
 */
export class SlotFeeds implements SlotTaps {
  readonly #options: SlotFeedsOptions
  readonly #feeds = new Map<number, SlotFeed>()
  readonly #trunks = new Map<PeerId, Trunk>()
  readonly #server: TrunkServer
  #cancelBeat: (() => void) | undefined
  /** A beat that is not through yet. */
  #isBeating = false
  #isClosed = false

  constructor(options: SlotFeedsOptions) {
    this.#options = options
    const { self, slotCount, flusher, clock, bufferBytes, stallTimeoutMs } = options
    this.#server = new TrunkServer({
      ...{ self, slots: slotCount, taps: this, flusher, bufferBytes, stallTimeoutMs },
      now: () => clock.monotonicMs(),
      mark: slot => {
        const feed = this.#feeds.get(slot)
        return feed && { slot, position: feed.position, led: feed.source.led, depth: feed.source.depth }
      },
      belowChanged: slot => this.#feeds.get(slot)?.source.below(),
    })
  }

  /** Trunks to peers below. */
  get down(): number {
    return this.#server.size
  }

  /** Trunks to peers above. */
  get up(): number {
    return this.#trunks.size
  }

  tap(slot: number, tap: SlotTap): () => void {
    // A replica that has come here serves from now on, whatever the tree does. What it says may end the last tap.
    this.#feeds.get(slot)?.relocate()
    const feed = this.#feeds.get(slot) ?? this.#feed(slot)
    return feed.add(tap)
  }

  /** What is known here of a topic that somebody wants by its name; undefined when nothing is. */
  row(slot: number, topic: string): TopicGlance | null | undefined {
    return this.#feeds.get(slot)?.row(topic)
  }

  /** Begins the trunk to a peer below. Throws HypercastError STOPPING. */
  openTrunk(peer: PeerId, name: string, sink: Sink): void {
    this.#server.open(peer, name, sink)
    this.#planBeat()
  }

  /** What a peer below wants. Throws HypercastError INVALID_REQUEST, OVERLOADED. */
  wants(peer: PeerId, update: WantsUpdate): void {
    this.#server.say(peer, update)
  }

  close(): void {
    this.#isClosed = true
    this.#stopBeat()
    this.#server.close()
    for (const feed of [...this.#feeds.values()]) feed.close()
    this.#feeds.clear()
    for (const trunk of [...this.#trunks.values()]) trunk.close()
  }

  #feed(slot: number): SlotFeed {
    const feed = new SlotFeed({
      slot,
      source: of => this.#source(slot, of),
      onIdle: idle => {
        idle.close()
        if (this.#feeds.get(slot) === idle) this.#feeds.delete(slot)
        if (this.#feeds.size + this.#server.size === 0) this.#stopBeat()
      },
    })
    this.#feeds.set(slot, feed)
    this.#planBeat()
    return feed
  }

  #source(slot: number, news: SlotFeed): SlotSource {
    const { slots, clock, random, parentsOf } = this.#options
    if (slots.holds(slot)) return new LocalSlot(slots, slot, news)
    return new Upstream({
      ...{ slot, news, clock, random },
      isHere: () => slots.holds(slot),
      parents: () => {
        const below = this.#server.below(slot)
        return parentsOf(slot).filter(peer => !below.has(peer))
      },
      trunk: peer => this.#trunk(peer),
      askPrimary: () => this.#options.askPrimary(slot),
    })
  }

  #trunk(peer: PeerId): Trunk {
    const known = this.#trunks.get(peer)
    if (known) return known
    const { links, clock, random, log, self } = this.#options
    const trunk = new Trunk({
      ...{ peer, links, clock, random, log },
      below: slot => [self, ...this.#server.below(slot)].sort(),
      onOver: over => {
        if (this.#trunks.get(peer) === over) this.#trunks.delete(peer)
      },
    })
    this.#trunks.set(peer, trunk)
    return trunk
  }

  #stopBeat(): void {
    this.#cancelBeat?.()
    this.#cancelBeat = undefined
  }

  /** One timer for all, which runs only while there is something to watch. */
  #planBeat(): void {
    if (this.#cancelBeat || this.#isClosed) return
    this.#cancelBeat = this.#options.clock.after(LIMITS.FOLLOW_MARK_MS, () => {
      this.#cancelBeat = undefined
      if (this.#isBeating) this.#planBeat()
      else this.#beat([...this.#feeds.values()].values())
    })
  }

  /** Slot by slot, in slices: thousands of streams may want something of every slot. */
  #beat(feeds: Iterator<SlotFeed>): void {
    const { clock } = this.#options
    const untilMs = clock.monotonicMs() + LIMITS.FLUSH_SLICE_MS
    for (let next = feeds.next(); !next.done; next = feeds.next()) {
      const feed = next.value
      if (this.#feeds.get(feed.slot) !== feed) continue
      feed.relocate()
      feed.source.beat()
      this.#isBeating = clock.monotonicMs() >= untilMs
      if (!this.#isBeating) continue
      clock.endOfTurn(() => this.#beat(feeds))
      return
    }
    this.#isBeating = false
    if (this.#isClosed) return
    this.#server.beat()
    if (this.#feeds.size + this.#server.size > 0) this.#planBeat()
  }
}
