import type { PeerId } from '../cube/labels.ts'
import type { Entry } from '../raft/types.ts'
import { CorruptRecord, type LogStore, type SlotWrite } from '../store/types.ts'
import { encodeCommand } from './codec.ts'
import type { Rosters } from './rosters.ts'
import type { EngineLog } from './settings.ts'
import { Slot, type SlotContext } from './slot.ts'
import { SlotError } from './types.ts'

/** The version of the roster under which a cube's slots are founded; under any later one they are moved. */
const FOUNDING_VERSION = 1

const NO_DATA = new Uint8Array(0)

export interface HeldSlotsOptions {
  readonly self: PeerId
  readonly rosters: Rosters
  readonly store: LogStore
  readonly log: EngineLog
  /** A slot was taken out of service: nothing of it is to be driven any more. */
  dropped(slot: Slot): void
  /** A broken invariant, or a failed disk. */
  fatal(error: unknown): void
}

/** The slots this peer has a replica of: how they come, how they go, and what becomes of one whose disk lies. */
export class HeldSlots {
  /** In service, by number. */
  readonly all = new Map<number, Slot>()
  readonly #options: HeldSlotsOptions
  /** In the store, and not in service because of a corrupt record: what is wrong with it. */
  readonly #corrupt = new Map<number, string>()
  #context: SlotContext | undefined

  constructor(options: HeldSlotsOptions) {
    this.#options = options
  }

  /** Founds the slots of a new cube that the store does not hold yet, and loads all it holds. */
  async open(context: SlotContext): Promise<void> {
    this.#context = context
    const { store } = this.#options
    const missing = this.#unfounded()
    if (missing.length > 0) await store.write(missing.map(slot => this.#founding(slot)))
    for (const slot of store.slots()) this.#load(slot)
  }

  /** Slots out of service because of a corrupt record, and what is wrong with it. */
  get corrupt(): ReadonlyMap<number, string> {
    return this.#corrupt
  }

  /** Throws SlotError NOT_A_REPLICA for a slot not in service here. */
  get(slot: number): Slot {
    const held = this.all.get(slot)
    if (!held) throw new SlotError({ kind: 'unavailable', code: 'NOT_A_REPLICA' })
    return held
  }

  /** False once a slot was taken out of service. */
  serves(slot: Slot): boolean {
    return this.all.get(slot.slot) === slot
  }

  /**
   * An empty replica, as its primary's first message asks for: it learns from the log who takes part. One that was here
   * before goes on from its tombstone's term and vote. Undefined for a slot that is out of service.
   */
  add(slot: number): Slot | undefined {
    const { store, rosters, self, log } = this.#options
    if (this.#corrupt.has(slot)) return undefined
    const configuration = { rosterVersion: 0, voters: [] }
    const found = { number: rosters.numberOf(self), snapshot: { index: 0, term: 0, configuration } }
    try {
      const { term = 0, vote = 0 } = store.tombstone(slot) ?? {}
      store.write([{ slot, found, hardState: { term, vote, commit: 0 } }]).catch(this.#options.fatal)
    } catch (error) {
      if (!(error instanceof CorruptRecord)) throw error
      this.#corrupt.set(slot, error.message)
      log.error(
        { slot, error: error.message },
        'what this peer promised for a slot cannot be read: it stays out of it',
      )
      return undefined
    }
    log.info({ slot }, 'slot moves here: a replica of it begins')
    return this.#load(slot)
  }

  /** The replica here is not needed any more: its data goes, what it promised stays known. */
  remove(slot: Slot): void {
    try {
      this.#options.store.write([{ slot: slot.slot, drop: true }]).catch(this.#options.fatal)
    } catch (error) {
      // What it promised cannot be read: it stays, out of service.
      this.failed(slot, error)
      return
    }
    this.#retire(slot)
    this.#options.log.info({ slot: slot.slot }, 'slot has moved away: its replica here is deleted')
  }

  /** Does something to a slot; what it throws is dealt with by `failed`. */
  guard(slot: Slot, work: () => void): void {
    try {
      work()
    } catch (error) {
      this.failed(slot, error)
    }
  }

  /** A corrupt record takes its slot out of service, here only; any other broken invariant ends the peer. */
  failed(slot: Slot, error: unknown): void {
    if (!(error instanceof CorruptRecord)) {
      this.#options.fatal(error)
      return
    }
    this.#corrupt.set(slot.slot, error.message)
    this.#retire(slot)
    this.#options.log.error(
      { slot: slot.slot, error: error.message },
      'slot has a corrupt record: this replica does not vote on it any more',
    )
  }

  #retire(slot: Slot): void {
    this.all.delete(slot.slot)
    this.#options.dropped(slot)
    slot.stop()
  }

  /** Slots that belong here from the founding on and were never here. */
  #unfounded(): number[] {
    const { rosters, store, self } = this.#options
    const { version, slots } = rosters.current
    if (version !== FOUNDING_VERSION) return []
    const stored = new Set(store.slots())
    const all = Array.from({ length: slots + 1 }, (_, slot) => slot)
    return all.filter(
      slot => rosters.order(slot).includes(self) && !stored.has(slot) && store.tombstone(slot) === undefined,
    )
  }

  #founding(slot: number): SlotWrite {
    const { rosters, self } = this.#options
    const roster = rosters.current
    const voters = rosters.membersOf(rosters.order(slot))
    const configuration = { rosterVersion: roster.version, voters }
    // Every founding voter begins with the same committed entries, as etcd's bootstrap does.
    const entries: Entry[] = [{ index: 1, term: 1, type: 'config', data: NO_DATA, configuration }]
    if (slot === roster.slots) {
      const data = encodeCommand({ kind: 'roster', timeMs: 0, change: { kind: 'found', roster } })
      entries.push({ index: 2, term: 1, type: 'data', data })
    }
    return {
      slot,
      found: { number: rosters.numberOf(self), snapshot: { index: 0, term: 0, configuration } },
      hardState: { term: 1, vote: 0, commit: entries.length },
      entries,
    }
  }

  #load(number: number): Slot | undefined {
    try {
      const slot = new Slot(this.#context!, number)
      this.all.set(number, slot)
      this.#context!.touch(slot)
      return slot
    } catch (error) {
      if (!(error instanceof CorruptRecord)) throw error
      this.#corrupt.set(number, error.message)
      this.#options.log.error(
        { slot: number, error: error.message },
        'slot has a corrupt record: this replica does not vote on it',
      )
      return undefined
    }
  }
}
