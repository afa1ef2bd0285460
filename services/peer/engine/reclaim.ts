import type { PeerId } from '../cube/labels.ts'
import { LIMITS } from '../limits.ts'
import type { RaftStatus } from '../raft/types.ts'
import type { Liveness } from './liveness.ts'
import type { Rosters } from './rosters.ts'
import type { EngineLog, EngineSettings } from './settings.ts'
import type { Slot } from './slot.ts'
import type { Clock } from './types.ts'

export interface ReclaimOptions {
  readonly self: PeerId
  readonly rosters: Rosters
  readonly clock: Clock
  readonly liveness: Liveness
  readonly settings: EngineSettings
  readonly log: EngineLog
}

/**
 * Gives slots back to their homes (DESIGN 5, reclamation) and away from a clock that is wrong.
 * A home gets its slot when it has been up without a break for a while and holds the whole log.
 */
export class Reclaim {
  readonly #options: ReclaimOptions
  /** By slot: the attempts to give it back in a term that is still this peer's, and when the next is due. */
  readonly #tried = new Map<number, { readonly term: number; attempts: number; nextMs: number }>()

  constructor(options: ReclaimOptions) {
    this.#options = options
  }

  /** Looks at one slot this peer leads; starts at most one transfer. */
  look(slot: Slot): void {
    const { rosters, self, log } = this.#options
    if (this.clockIsWrong(slot)) {
      const heir = slot.succession.find(
        id => id !== self && Math.abs(this.#fromMedianMs(slot, id)) <= LIMITS.MAX_CLOCK_SKEW_MS,
      )
      if (heir === undefined || !mayTransfer(slot.raft.status())) return
      log.warn({ slot: slot.slot, to: heir }, 'this clock is beyond the skew bound: handing over')
      slot.raft.transferLeadership(rosters.numberOf(heir))
      slot.settle()
      return
    }
    if (!this.#isHomeSteady(slot)) return
    const status = slot.raft.status()
    if (!mayTransfer(status)) return
    const home = status.progress.get(rosters.numberOf(slot.home))
    if (home?.state !== 'replicate' || home.match < status.commit) return
    if (Math.abs(this.#fromMedianMs(slot, slot.home)) > LIMITS.MAX_CLOCK_SKEW_MS) return
    if (!this.#isDue(slot, status.term)) return
    log.info({ slot: slot.slot, to: slot.home, term: status.term }, 'giving the slot back to its home')
    slot.raft.transferLeadership(rosters.numberOf(slot.home))
    slot.settle()
  }

  /** Hysteresis on both sides: the home, another peer, has been steady and this one has led for a while. */
  #isHomeSteady(slot: Slot): boolean {
    const { clock, liveness, self, settings } = this.#options
    if (slot.home === self || !slot.succession.includes(slot.home)) return false
    const ledForMs = clock.monotonicMs() - slot.leadsSinceMs
    return Math.min(ledForMs, liveness.steadyForMs(slot.home)) >= settings.reclaimAfterMs
  }

  /**
   * Whether to try (again) now, which counts as an attempt. Publishes wait during one, so a home that is there and
   * does not take over (its disk hangs, say) must not be asked all the time: the pauses double.
   */
  #isDue(slot: Slot, term: number): boolean {
    const { clock, settings } = this.#options
    const nowMs = clock.monotonicMs()
    const known = this.#tried.get(slot.slot)
    const tried = known?.term === term ? known : { term, attempts: 0, nextMs: nowMs }
    if (nowMs < tried.nextMs) return false
    const pauseMs = 2 * settings.electionMs * 2 ** tried.attempts++
    tried.nextMs = nowMs + Math.min(pauseMs, LIMITS.MAX_RECLAIM_PAUSE_MS)
    this.#tried.set(slot.slot, tried)
    return true
  }

  /** Hands every slot led here to the next in succession that stays: a peer that stops makes nobody wait. */
  resign(slot: Slot): void {
    if (!slot.isPrimary) return
    const { liveness, rosters, self } = this.#options
    const heir = slot.succession.find(id => id !== self && liveness.stays(id))
    if (heir === undefined) return
    slot.raft.transferLeadership(rosters.numberOf(heir))
    slot.settle()
  }

  /** Whether this peer's clock is further from the median of the slot's voters than the bound. */
  clockIsWrong(slot: Slot): boolean {
    return Math.abs(this.#fromMedianMs(slot, this.#options.self)) > LIMITS.MAX_CLOCK_SKEW_MS
  }

  /** How far the clock of `peer` is from the median of the voters that are up, as seen from here. */
  #fromMedianMs(slot: Slot, peer: PeerId): number {
    const { liveness, self } = this.#options
    const skews = slot.succession
      .map(id => (id === self ? 0 : liveness.skewMs(id)))
      .filter(skew => skew !== undefined)
      .sort((a, b) => a - b)
    // With two clocks nobody can tell which one is wrong.
    if (skews.length < 3) return 0
    const median = skews[Math.floor((skews.length - 1) / 2)]!
    return (peer === self ? 0 : (liveness.skewMs(peer) ?? 0)) - median
  }
}

function mayTransfer({ role, transferee }: RaftStatus): boolean {
  return role === 'leader' && transferee === 0
}
