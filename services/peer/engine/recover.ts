import type { PeerId } from '../cube/labels.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { CorruptRecord, type LogStore } from '../store/types.ts'
import { encodeCommand } from './codec.ts'
import type { HeldSlots } from './held-slots.ts'
import { boundedTerms, type GoOn, type SlotReport } from './recovery-wire.ts'
import type { Rosters } from './rosters.ts'
import type { EngineLog } from './settings.ts'
import type { Slot } from './slot.ts'
import { type Clock, type CubeEvent, SlotError } from './types.ts'

export interface SlotRecoveryOptions {
  readonly self: PeerId
  readonly rosters: Rosters
  readonly slots: HeldSlots
  readonly store: LogStore
  readonly clock: Clock
  readonly log: EngineLog
  /** Ends the slot's snapshot pull, if one is under way. */
  cutOff(slot: number): void
  event(event: CubeEvent): void
}

/** What this peer holds of its slots, for whoever has to judge what is left. */
export interface Holdings {
  readonly slots: readonly SlotReport[]
  readonly corrupt: readonly number[]
  readonly promised: readonly (readonly [slot: number, term: number])[]
}

/**
 * One peer's part in the recovery of slots that lost their majority for good: it tells what it holds, and goes on alone
 * with the slots it is told to. It judges nothing but that what it holds is what was judged.
 */
export class SlotRecovery {
  readonly #options: SlotRecoveryOptions

  constructor(options: SlotRecoveryOptions) {
    this.#options = options
  }

  /** Resolves by `deadlineMs` (monotonic), when it is known which slots led here have their quorum. Never rejects. */
  async holdings(deadlineMs: number): Promise<Holdings> {
    const { slots, rosters, store, self } = this.#options
    const led = new Set<number>()
    const confirm = async (slot: Slot) => {
      const isLed = slot.isPrimary && (await slot.appends.barrier(deadlineMs).then(yes, no))
      if (isLed) led.add(slot.slot)
    }
    await Promise.all([...slots.all.values()].map(confirm))
    const reports: SlotReport[] = []
    const unusable: number[] = []
    const promised: [number, number][] = []
    for (let number = 0; number <= rosters.current.slots; number++) {
      const slot = slots.all.get(number)
      // A replica from an earlier membership of this store takes part in nothing.
      if (slot && slot.number !== rosters.numberOf(self)) unusable.push(number)
      else if (slot) slots.guard(slot, () => reports.push(this.#report(slot, led.has(number))))
      else if (!slots.corrupt.has(number)) {
        const term = promisedTerm(store, number)
        if (term === undefined) unusable.push(number)
        else if (term > 0) promised.push([number, term])
      }
    }
    // Last: the look at a slot may have found it corrupt.
    return { slots: reports, corrupt: [...slots.corrupt.keys(), ...unusable], promised }
  }

  /**
   * Forgets what was pulled of snapshots: the state they were to complete is no longer these slots', and the next pull
   * would go on behind it. A pull under way ends. Resolves when that is durable.
   */
  async clear(numbers: readonly number[]): Promise<void> {
    const { slots, store, cutOff } = this.#options
    const written: Promise<void>[] = []
    for (const number of numbers) {
      const slot = slots.all.get(number)
      if (!slot) continue
      cutOff(number)
      // Each for itself: one with a corrupt record goes out of service, and the next question finds it there.
      slots.guard(slot, () => written.push(store.write([{ slot: number, unstage: true }])))
    }
    await Promise.all(written)
  }

  /**
   * Goes on alone with these slots, and resolves when that is committed. Rejects with HypercastError
   * RECOVERY_INCOMPLETE when a slot is not as it was judged, or does not get that far by `deadlineMs` (monotonic);
   * others may have gone on.
   */
  async goOn(orders: readonly GoOn[], deadlineMs: number): Promise<void> {
    const begun = orders.map(order => this.#begin(order))
    await Promise.all(
      begun.map(slot => slot.appends.barrier(deadlineMs).catch(error => unfinished(slot, error))),
    )
  }

  #begin(order: GoOn): Slot {
    const { slots, rosters, store, clock, log, event, self } = this.#options
    if (rosters.current.version > order.rosterVersion) {
      const { version } = rosters.current
      throw incomplete(
        `Peer ${self} goes by version ${version} of the roster, and version ${order.rosterVersion} was judged: perhaps by another recovery.`,
      )
    }
    const slot = order.last === 0 ? this.#anew(order) : slots.all.get(order.slot)
    const status = slot?.raft.status()
    const isAsJudged =
      status?.lastIndex === order.last &&
      status.term < order.term &&
      store.log(order.slot).term(order.last) === order.lastTerm
    if (!slot || !isAsJudged) {
      throw incomplete(`Slot ${order.slot} at peer ${self} is not as it was when it was judged.`)
    }
    const { term, incarnation, roster } = order
    const timeMs = Math.max(slot.machine.slot.timeMs, clock.nowMs())
    const command = {
      ...({ kind: 'recover', timeMs, incarnation } as const),
      ...(roster && { roster, skip: LIMITS.RECOVERY_SKIP }),
    }
    const before = status.configuration.voters
    log.warn(
      {
        ...{ slot: slot.slot, term, last: order.last, lastTerm: order.lastTerm, commit: status.commit },
        voters: before.map(({ number }) => number),
      },
      order.last === 0
        ? 'recovery: the slot is founded anew, empty, because no copy of it is left'
        : 'recovery: the slot goes on here alone, because its majority is lost',
    )
    slots.guard(slot, () => {
      slot.raft.goOnAlone(store.identity.uid, term, rosters.current.version)
      // In the same turn, so that nothing is given out twice by a slot that crashes in between.
      slot.raft.propose(encodeCommand(command))
      slot.settle()
    })
    event({ kind: 'recovered', slot: slot.slot, peer: self, term, timeMs: clock.nowMs() })
    return slot
  }

  /** An empty replica, whatever was begun here before and holds nothing. */
  #anew({ slot: number }: GoOn): Slot | undefined {
    const { slots } = this.#options
    const held = slots.all.get(number)
    if (held && held.raft.status().lastIndex > 0) return undefined
    // It may have pulled a part of a snapshot.
    if (held) slots.remove(held)
    return slots.add(number)
  }

  #report(slot: Slot, leads: boolean): SlotReport {
    const log = this.#options.store.log(slot.slot)
    const { term, configuration, floor, ...status } = slot.raft.status()
    const last = log.lastIndex()
    const commit = Math.min(status.commit, last)
    const terms: [number, number][] = []
    for (let index = commit; index <= last; index++) {
      const there = log.term(index) ?? 0
      if (terms.at(-1)?.[1] !== there) terms.push([index, there])
    }
    return {
      ...{ slot: slot.slot, number: slot.number, term, commit, last, configuration, leads },
      terms: boundedTerms(terms),
      ...(floor && { floor }),
    }
  }
}

/** Undefined when it cannot be read. */
function promisedTerm(store: LogStore, slot: number): number | undefined {
  try {
    return store.tombstone(slot)?.term ?? 0
  } catch (error) {
    if (error instanceof CorruptRecord) return undefined
    throw error
  }
}

function unfinished({ slot }: Slot, error: unknown): never {
  if (!(error instanceof SlotError)) throw error
  throw incomplete(`Slot ${slot} goes on and has committed nothing yet.`)
}

function incomplete(detail: string): HypercastError {
  return new HypercastError('RECOVERY_INCOMPLETE', detail)
}

function yes(): true {
  return true
}

function no(): false {
  return false
}
