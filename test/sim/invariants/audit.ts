import { SlotError } from '../../../services/peer/engine/types.ts'
import type { Member } from '../member.ts'
import type { World } from '../world.ts'

/** When a new leader is known, everybody who still takes itself for the primary is asked, this much later. */
const ASK_AGAIN_MS = [0, 5, 50, 250, 800] as const
/** Time a read may take. */
const PATIENCE_MS = 400

export interface AuditOptions {
  readonly world: World
  readonly members: ReadonlyMap<string, Member>
  /** Highest index that is known to be committed. */
  readonly committed: (slot: number) => number
  readonly violation: (what: string) => void
}

/**
 * Linearizable reads where they are most likely to be wrong: at a leader that has just been elected, and at one that has
 * been deposed and may not know it. What was committed before the question must be applied when the answer comes.
 */
export class Audit {
  readonly #options: AuditOptions

  constructor(options: AuditOptions) {
    this.#options = options
  }

  /** A slot has a new leader. */
  elected(slot: number): void {
    for (const delayMs of ASK_AGAIN_MS) this.#options.world.after(delayMs, () => this.#askAll(slot))
  }

  #askAll(slot: number): void {
    for (const member of this.#options.members.values()) {
      if (!member.isUp) continue
      const { life } = member
      life.run(() => {
        if (member.life !== life || !member.isUp || !member.engine.holds(slot)) return
        if (member.engine.status(slot).primary === member.id) this.#ask(member, slot)
      })
    }
  }

  #ask(member: Member, slot: number): void {
    const { engine, life, name } = member
    const due = this.#options.committed(slot)
    engine.barrier(slot, life.clock.monotonicMs() + PATIENCE_MS).then(
      () => {
        if (life.isDead || !engine.holds(slot)) return
        const { applied } = engine.status(slot).raft
        if (applied >= due) return
        this.#options.violation(
          `reads are linearizable: ${name} served one of slot ${slot} at entry ${applied}, ${due} was committed`,
        )
      },
      error => {
        if (!(error instanceof SlotError)) throw error
      },
    )
  }
}
