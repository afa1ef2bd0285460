import type { Clock } from '../../../services/peer/engine/types.ts'
import type { World } from '../../../test/sim/world.ts'

/** Wall clock at virtual time 0. */
const EPOCH_MS = 1_700_000_000_000
/** Time one turn of a peer's event loop takes. */
const TURN_MS = 0.1

/** One life of a peer's process: once it is dead nothing of it happens any more. */
export class Life {
  readonly clock: Clock
  #isDead = false

  constructor(world: World) {
    this.clock = {
      nowMs: () => Math.floor(EPOCH_MS + world.nowMs),
      monotonicMs: () => world.nowMs,
      after: (delayMs, run) => world.after(delayMs, () => this.run(run)),
      endOfTurn: run => void world.after(TURN_MS, () => this.run(run)),
    }
  }

  get isDead(): boolean {
    return this.#isDead
  }

  run(work: () => void): void {
    if (!this.#isDead) work()
  }

  die(): void {
    this.#isDead = true
  }
}
