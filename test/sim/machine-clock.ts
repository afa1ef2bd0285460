import type { World } from './world.ts'

/** Wall clock at virtual time 0. */
const EPOCH_MS = 1_700_000_000_000

/** A clock that runs fast or slow by a rate; 0.01 gains 10 ms in a second of true time. */
class Drift {
  readonly #world: World
  #rate = 0
  #gainedMs = 0
  #sinceMs = 0

  constructor(world: World) {
    this.#world = world
  }

  get rate(): number {
    return this.#rate
  }

  set rate(rate: number) {
    this.#gainedMs = this.gainedMs
    this.#sinceMs = this.#world.nowMs
    this.#rate = rate
  }

  /** What the clock has gained on true time. */
  get gainedMs(): number {
    return this.#gainedMs + (this.#world.nowMs - this.#sinceMs) * this.#rate
  }

  /** Forgets what was gained, as a clock that is set does. */
  set(): void {
    this.#gainedMs = 0
    this.#sinceMs = this.#world.nowMs
    this.#rate = 0
  }
}

/** The clocks of the machine a peer runs on: they go on while its process does not. */
export class MachineClock {
  /** A jump: the wall clock less what it showed otherwise. */
  skewMs = 0
  readonly #world: World
  readonly #wall: Drift
  readonly #monotonic: Drift

  constructor(world: World) {
    this.#world = world
    this.#wall = new Drift(world)
    this.#monotonic = new Drift(world)
  }

  /** In whole milliseconds, as Date.now() gives it. */
  wallMs(): number {
    return Math.floor(EPOCH_MS + this.#world.nowMs + this.skewMs + this.#wall.gainedMs)
  }

  monotonicMs(): number {
    return this.#world.nowMs + this.#monotonic.gainedMs
  }

  /** True time that a timer of `delayMs` takes. */
  trueMs(delayMs: number): number {
    return delayMs / (1 + this.#monotonic.rate)
  }

  /** Lets the wall clock run fast or slow. */
  driftWall(rate: number): void {
    this.#wall.rate = rate
  }

  /** The wall clock runs at its right rate and shows the right time, but for a jump. */
  setWall(): void {
    this.#wall.set()
  }

  /** Lets the monotonic clock, and with it every timer set from now on, run fast or slow; it never goes back. */
  driftMonotonic(rate: number): void {
    this.#monotonic.rate = rate
  }
}
