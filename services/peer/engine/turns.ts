import type { PeerId } from '../cube/labels.ts'
import type { Message, Ready } from '../raft/types.ts'
import type { LogStore, SlotWrite } from '../store/types.ts'
import type { HeldSlots } from './held-slots.ts'
import type { Rosters } from './rosters.ts'
import type { Slot } from './slot.ts'
import type { Clock, EngineObserver, SlotMessage, Transport } from './types.ts'

/** Applied rows, and the commit index, are written this much later, many turns' in one: they follow from the log anyway. */
const LAZY_WRITE_MS = 100

export interface TurnsOptions {
  readonly rosters: Rosters
  readonly slots: HeldSlots
  readonly store: LogStore
  readonly transport: Transport
  readonly clock: Clock
  readonly observer: EngineObserver
  /** So many bytes of entries were handed to the store. */
  written(bytes: number): void
  /** Nothing is sent or written any more. */
  stopped(): boolean
  fatal(error: unknown): void
}

interface Turn {
  readonly slot: Slot
  readonly ready: Ready
}

/**
 * Group commit: what all slots want done at the end of an event-loop turn becomes one storage transaction and at most
 * one batch of messages per peer; what depends on the transaction leaves when it is durable, in the order of the turns.
 */
export class Turns {
  readonly #options: TurnsOptions
  #dirty = new Set<Slot>()
  /** Slots with applied rows that are not handed to the store yet. */
  readonly #lazy = new Set<Slot>()
  #isAsked = false
  #waiters: (() => void)[] = []
  /** Everything handed to the store so far; a Ready without a write waits for those before it. */
  #written: Promise<void> = Promise.resolve()
  #unfinishedWrites = 0
  #cancelLazy: (() => void) | undefined

  constructor(options: TurnsOptions) {
    this.#options = options
  }

  /** Something waits in this slot for the end of the turn. */
  touch(slot: Slot): void {
    if (!this.#options.slots.serves(slot)) return
    this.#dirty.add(slot)
    this.#ask()
  }

  /** Resolves when what this turn's input caused is durable and the answers to it were handed to the transport. */
  outcome(): Promise<void> {
    return new Promise(resolve => {
      this.#waiters.push(resolve)
      this.#ask()
    })
  }

  /** Hands rows of a slot that are applied but not written yet to the store: whoever reads sees them. */
  writeApplied(slot: Slot): void {
    if (!this.#options.stopped()) this.#writeLazy([slot])
  }

  /** Forgets a slot that was taken out of service. */
  drop(slot: Slot): void {
    this.#dirty.delete(slot)
    this.#lazy.delete(slot)
  }

  cancel(): void {
    this.#cancelLazy?.()
  }

  /** The last turn; resolves when everything is durable. To be called before `stopped` says so, which `close` does. */
  async finish(close: () => void): Promise<void> {
    this.cancel()
    this.#run()
    const left = this.#lazyWrites(this.#options.slots.all.values())
    close()
    if (left.length > 0) await this.#options.store.write(left)
    await this.#written
  }

  #ask(): void {
    if (this.#isAsked) return
    this.#isAsked = true
    this.#options.clock.endOfTurn(() => this.#run())
  }

  #run(): void {
    const { rosters, slots, transport, stopped } = this.#options
    this.#isAsked = false
    if (stopped()) return
    const waiters = this.#waiters
    this.#waiters = []
    const dirty = this.#dirty
    this.#dirty = new Set()
    const writes: SlotWrite[] = []
    const outbox = new Outbox(rosters)
    const turns: Turn[] = []
    for (const slot of dirty) {
      if (slots.serves(slot)) slots.guard(slot, () => this.#take(slot, turns, writes, outbox))
    }
    if (stopped()) return
    outbox.flush(transport)
    this.#planLazyWrite()
    this.#persist(writes, turns, waiters)
    // Only now: whoever is told may read, and reading writes what is applied, which must not overtake the turn's rows.
    for (const { slot } of turns) slots.guard(slot, () => slot.tellFollowers())
  }

  #take(slot: Slot, turns: Turn[], writes: SlotWrite[], outbox: Outbox): void {
    const turn = slot.turn()
    if (!turn) return
    turns.push({ slot, ready: turn.ready })
    outbox.add(slot.slot, turn.ready.messages)
    writes.push(...turn.writes)
    this.#lazy.add(slot)
    if (slot.raft.hasReady()) this.touch(slot)
  }

  #persist(writes: SlotWrite[], turns: readonly Turn[], waiters: readonly (() => void)[]): void {
    if (writes.length === 0 && this.#unfinishedWrites === 0) {
      this.#durable(turns, waiters)
      return
    }
    const { store, clock, observer, fatal } = this.#options
    const sinceMs = clock.monotonicMs()
    this.#unfinishedWrites++
    const before = this.#written
    const done = async () => {
      if (writes.length > 0) {
        const entries = writes.flatMap(write => write.entries ?? [])
        this.#options.written(entries.reduce((bytes, entry) => bytes + entry.data.length, 0))
        await store.write(writes)
        observer.flushed(clock.monotonicMs() - sinceMs, entries.length)
      }
      await before
      this.#unfinishedWrites--
      this.#durable(turns, waiters)
    }
    this.#written = done().catch(fatal)
  }

  #durable(turns: readonly Turn[], waiters: readonly (() => void)[]): void {
    const { rosters, slots, transport, stopped } = this.#options
    const outbox = new Outbox(rosters)
    for (const { slot, ready } of turns) {
      if (stopped() || !slots.serves(slot)) continue
      slots.guard(slot, () => {
        outbox.add(slot.slot, ready.messagesAfterPersist)
        slot.raft.persisted(ready.id)
        if (slot.raft.hasReady()) this.touch(slot)
      })
    }
    if (!stopped()) outbox.flush(transport)
    for (const done of waiters) done()
  }

  #lazyWrites(slots: Iterable<Slot>): SlotWrite[] {
    const writes: SlotWrite[] = []
    for (const slot of slots) {
      this.#lazy.delete(slot)
      const write = slot.unwritten()
      if (write) writes.push(write)
    }
    return writes
  }

  #writeLazy(slots: Iterable<Slot>): void {
    const writes = this.#lazyWrites(slots)
    if (writes.length > 0) this.#options.store.write(writes).catch(this.#options.fatal)
  }

  #planLazyWrite(): void {
    if (this.#lazy.size === 0 || this.#cancelLazy) return
    this.#cancelLazy = this.#options.clock.after(LAZY_WRITE_MS, () => {
      this.#cancelLazy = undefined
      if (!this.#options.stopped()) this.#writeLazy([...this.#lazy])
    })
  }
}

/** Gathers a turn's messages by peer. The engine beats for all slots at once, so answers to plain beats stay here. */
class Outbox {
  readonly #rosters: Rosters
  readonly #byPeer = new Map<PeerId, SlotMessage[]>()

  constructor(rosters: Rosters) {
    this.#rosters = rosters
  }

  add(slot: number, messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.type === 'heartbeatResponse' && message.context === 0) continue
      const peer = this.#rosters.peerOf(message.to)
      if (peer === null) continue
      const batch = this.#byPeer.get(peer)
      if (batch) batch.push({ slot, message })
      else this.#byPeer.set(peer, [{ slot, message }])
    }
  }

  flush(transport: Transport): void {
    for (const [peer, messages] of this.#byPeer) transport.send(peer, messages)
  }
}
