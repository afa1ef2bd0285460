import type { PeerId } from '../cube/labels.ts'
import type { Configuration } from '../raft/types.ts'
import type { HeldSlots } from './held-slots.ts'
import type { Rosters } from './rosters.ts'
import type { EngineLog, EngineSettings } from './settings.ts'
import type { Slot } from './slot.ts'
import type { Clock } from './types.ts'

/** Between two looks at what may have moved away. */
const LOOK_EVERY_MS = 1_000

/** How long the question for a slot's members may take, when this peer waits for a primary of its own no longer. */
const PATIENCE_MS = 5_000

export interface RemovalsOptions {
  readonly self: PeerId
  readonly rosters: Rosters
  readonly slots: HeldSlots
  readonly clock: Clock
  readonly settings: EngineSettings
  readonly log: EngineLog
  /** The slot's configuration by a linearizable read; null when nobody can say. Never rejects. */
  members(slot: number, deadlineMs: number): Promise<Configuration | null>
}

/**
 * Deletes replicas of slots that have moved away. That a slot's log says nothing more, or that the roster places it
 * elsewhere, is no reason: only a read that a quorum of the slot's present voters confirms (DESIGN 5).
 */
export class Removals {
  readonly #options: RemovalsOptions
  readonly #asking = new Set<number>()
  #cancel: (() => void) | undefined

  constructor(options: RemovalsOptions) {
    this.#options = options
  }

  start(): void {
    const { clock } = this.#options
    this.#cancel = clock.after(LOOK_EVERY_MS, () => {
      this.start()
      for (const slot of this.#options.slots.all.values()) if (this.#mayBeOut(slot)) void this.#ask(slot)
    })
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  /** Nobody leads it here, and the roster wants it elsewhere or its last configuration here does not name this peer. */
  #mayBeOut(slot: Slot): boolean {
    if (slot.isPrimary || this.#asking.has(slot.slot)) return false
    const { rosters, self, clock, settings } = this.#options
    if (!slot.isVoter && !slot.members.includes(self)) return true
    if (rosters.order(slot.slot).includes(self)) return false
    // A learner never stands for election: it goes on following a primary that has let go of it.
    if (!slot.isVoter) return true
    return slot.leadership.leader === 0 && clock.monotonicMs() - slot.leadsSinceMs > settings.electionMs
  }

  async #ask(slot: Slot): Promise<void> {
    const { rosters, self, slots, clock, settings, members } = this.#options
    this.#asking.add(slot.slot)
    const { leadership } = slot
    const { lastIndex } = slot.raft.status()
    // A replica waits that long for a primary to appear before it asks the others (Appends).
    const waitMs = 2 * settings.electionMs
    const configuration = await members(slot.slot, clock.monotonicMs() + waitMs + PATIENCE_MS)
    this.#asking.delete(slot.slot)
    if (configuration === null || this.#cancel === undefined || !slots.serves(slot)) return
    const { voters, outgoing = [], learners = [] } = configuration
    const number = rosters.numberOf(self)
    const all = [...voters, ...outgoing, ...learners]
    if (all.some(member => member.number === number || member.number === slot.number)) return
    // Somebody led it since the question: it may be about to be a member again, and what it answered counts. That others
    // which are out ask it for votes is nothing: they would do so until all of them are gone.
    if (slot.leadership !== leadership || slot.raft.status().lastIndex !== lastIndex) return
    slots.remove(slot)
  }
}
