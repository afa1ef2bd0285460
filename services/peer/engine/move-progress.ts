import type { PeerId } from '../cube/labels.ts'
import { LIMITS } from '../limits.ts'
import type { Member } from '../raft/types.ts'
import type { LogStore } from '../store/types.ts'
import type { Rosters } from './rosters.ts'
import type { Slot } from './slot.ts'
import type { Clock, CubeEvent } from './types.ts'

export interface MoveProgressOptions {
  readonly self: PeerId
  readonly rosters: Rosters
  readonly slots: ReadonlyMap<number, Slot>
  readonly store: Pick<LogStore, 'runsAfter'>
  readonly clock: Pick<Clock, 'nowMs'>
  event(event: CubeEvent): void
  /** Does something to a slot; what it throws is dealt with. */
  guard(slot: Slot, work: () => void): void
}

/** How far the slots that this peer leads are on their way to where the roster places them. */
export class MoveProgress {
  readonly #options: MoveProgressOptions
  /** By slot and number of a learner: the log index up to which it has pulled the events of a snapshot. */
  readonly #pulled = new WeakMap<Slot, Map<number, number>>()
  #toldSlots = 0

  constructor(options: MoveProgressOptions) {
    this.#options = options
  }

  /** A replica asks for the part of a snapshot behind this log index: it has what comes before. */
  pulls(slot: Slot, from: PeerId, afterIndex: number): void {
    const learners = slot.raft.configuration.learners ?? []
    const pulled = new Map(this.#pulled.get(slot))
    for (const number of pulled.keys()) if (!names(learners, number)) pulled.delete(number)
    const number = this.#options.rosters.numberOf(from)
    if (names(learners, number)) pulled.set(number, afterIndex)
    this.#pulled.set(slot, pulled)
  }

  /**
   * About how many bytes of events are still to be copied for a slot that this peer leads: for each peer that is to be a
   * voter and is none yet, the slot's stored bytes by the share of its log that the peer lacks. 0 for a slot that is
   * settled, or is led elsewhere. Throws CorruptRecord.
   */
  bytesToMove(slot: Slot): number {
    if (!slot.isPrimary || slot.isSettled) return 0
    const { rosters, store } = this.#options
    const { commit, configuration, progress } = slot.raft.status()
    const { voters, learners = [] } = configuration
    const placed = rosters.membersOf(rosters.order(slot.slot))
    const coming = new Set([...placed, ...learners].map(({ number }) => number))
    for (const { number } of voters) coming.delete(number)
    if (coming.size === 0) return 0
    // What retention has removed needs no copy, and the log begins behind it.
    const [first] = store.runsAfter(slot.slot, 0, commit, 0)
    if (first === undefined) return 0
    const before = first.run.logIndex - 1
    let lacking = 0
    for (const number of coming) {
      const { match = 0, state } = progress.get(number) ?? {}
      const pulled = state === 'snapshot' ? (this.#pulled.get(slot)?.get(number) ?? 0) : 0
      lacking += Math.max(0, commit - Math.max(before, match, pulled)) / (commit - before)
    }
    const topics = slot.machine.topics('', LIMITS.MAX_TOPICS_PER_SLOT)
    return Math.round(lacking * topics.reduce((sum, { bytes }) => sum + bytes, 0))
  }

  /** Tells when the number of slots on the move that are led here is another than before; to be called now and then. */
  look(): void {
    const { self, slots, clock, event, guard } = this.#options
    const moving = [...slots.values()].filter(slot => slot.isPrimary && !slot.isSettled)
    if (moving.length === this.#toldSlots) return
    this.#toldSlots = moving.length
    let bytes = 0
    for (const slot of moving) {
      guard(slot, () => {
        bytes += this.bytesToMove(slot)
      })
    }
    event({ kind: 'moving', peer: self, slots: moving.length, bytes, timeMs: clock.nowMs() })
  }
}

function names(members: readonly Member[], number: number): boolean {
  return members.some(member => member.number === number)
}
