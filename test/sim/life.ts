import type { Clock } from '../../services/peer/engine/types.ts'
import type { MachineClock } from './machine-clock.ts'
import type { Chance, World } from './world.ts'

/**
 * One life of a peer's process, from its start to its death. Everything that happens in it goes through `run`: a dead
 * process does nothing any more, a stopped one (SIGSTOP) does it when it is continued.
 */
export class Life {
  readonly id: string
  readonly clock: Clock
  #state: 'running' | 'paused' | 'dead' = 'running'
  #held: (() => void)[] = []
  readonly #onCrash: (error: unknown) => void

  /** @param onCrash an exception nobody caught: a real process would end */
  constructor(
    id: string,
    world: World,
    chance: Chance,
    machine: MachineClock,
    onCrash: (error: unknown) => void,
  ) {
    this.id = id
    this.#onCrash = onCrash
    this.clock = {
      nowMs: () => machine.wallMs(),
      monotonicMs: () => machine.monotonicMs(),
      after: (delayMs, run) => {
        let cancelled = false
        const cancel = world.after(machine.trueMs(delayMs), () => this.run(() => cancelled || run()))
        return () => {
          cancelled = true
          cancel()
        }
      },
      // A turn takes its time, so that input gathers for the next one.
      endOfTurn: run => void world.after(chance.next() ** 3, () => this.run(run)),
    }
  }

  get isDead(): boolean {
    return this.#state === 'dead'
  }

  get isPaused(): boolean {
    return this.#state === 'paused'
  }

  run(work: () => void): void {
    if (this.#state === 'dead') return
    if (this.#state === 'paused') {
      this.#held.push(work)
      return
    }
    try {
      work()
    } catch (error) {
      this.#onCrash(error)
    }
  }

  pause(): void {
    if (this.#state === 'running') this.#state = 'paused'
  }

  /** Continues; `world` runs what was held, one event each, in order. */
  resume(world: World): void {
    if (this.#state !== 'paused') return
    this.#state = 'running'
    const held = this.#held
    this.#held = []
    for (const work of held) world.after(0, () => this.run(work))
  }

  die(): void {
    this.#state = 'dead'
    this.#held = []
  }
}
