/** Seeded chance (sfc32): the same seed gives the same numbers on every machine. */
export class Chance {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number) {
    this.#a = seed | 0
    this.#b = 0x9e3779b9
    this.#c = 0x243f6a88
    for (let i = 0; i < 15; i++) this.next()
  }

  /** In [0, 1). */
  next(): number {
    const t = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t
    return (t >>> 0) / 0x1_0000_0000
  }

  /** An integer from `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low)
  }

  /** True with this probability. */
  yes(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(0, items.length - 1)]!
  }

  /** A generator of its own, so that what one part draws does not shift what another one gets. */
  fork(): Chance {
    return new Chance(Math.floor(this.next() * 0x1_0000_0000))
  }
}

interface Planned {
  readonly atMs: number
  readonly place: number
  readonly run: () => void
  cancelled: boolean
}

/** Events planned with Node at a time. */
const BATCH = 256

/** Events after which a world has gone wrong: tenfold what the longest seed takes. */
export const MAX_STEPS = 2_000_000

/** Virtual time: a queue of events, run one by one in order of time and then of arrival. */
export class World {
  nowMs = 0
  steps = 0
  /** Called when there were MAX_STEPS events; none is run any more. */
  onExhausted: () => void = () => {}
  readonly #heap: Planned[] = []
  #places = 0

  /** Runs once, `delayMs` later; the returned function cancels. */
  after(delayMs: number, run: () => void): () => void {
    const planned = { atMs: this.nowMs + Math.max(0, delayMs), place: this.#places++, run, cancelled: false }
    this.#push(planned)
    return () => {
      planned.cancelled = true
    }
  }

  /** Resolves at a time. */
  sleep(delayMs: number): Promise<void> {
    return new Promise(resolve => this.after(delayMs, resolve))
  }

  /**
   * Runs events until `untilMs`, or until `stop` says so. Each runs as an immediate of its own: between two of them Node
   * runs all microtasks and ticks there are, so that an event's whole effect is there before the next one.
   */
  runUntil(untilMs: number, stop: () => boolean = () => false): Promise<void> {
    return new Promise((resolve, reject) => {
      let isOver = false
      let left = 0
      const step = (): void => {
        if (isOver) return
        try {
          isOver = !this.#step(untilMs, stop)
        } catch (error) {
          isOver = true
          reject(error)
          return
        }
        if (isOver) resolve()
        else if (--left === 0) plan()
      }
      const plan = (): void => {
        left = BATCH
        for (let i = 0; i < BATCH; i++) setImmediate(step)
      }
      plan()
    })
  }

  /** Runs the next event; false when there is none left to run. */
  #step(untilMs: number, stop: () => boolean): boolean {
    while (this.steps < MAX_STEPS && this.#heap.length > 0 && this.#heap[0]!.atMs <= untilMs) {
      if (stop()) return false
      const next = this.#pop()
      if (next.cancelled) continue
      this.nowMs = next.atMs
      this.steps++
      next.run()
      if (this.steps === MAX_STEPS) this.onExhausted()
      return true
    }
    this.nowMs = Math.max(this.nowMs, untilMs)
    return false
  }

  #push(planned: Planned): void {
    const heap = this.#heap
    let at = heap.push(planned) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(planned, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = planned
  }

  #pop(): Planned {
    const heap = this.#heap
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return first
  }
}

function isBefore(one: Planned, other: Planned): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.place < other.place)
}
