interface Round {
  readonly id: number
  /** Commit index when the round began: what a read confirmed by it must see. */
  readonly index: number
  readonly contexts: readonly number[]
  readonly confirmedBy: Set<number>
}

/** A read request and the index that must be applied before it is served. */
export interface ConfirmedRead {
  readonly context: number
  readonly index: number
}

/**
 * ReadIndex (thesis 6.4): a leader notes its commit index, lets a quorum confirm that it still leads, and may then
 * serve reads at that index. Requests that arrive between two Readys share one round of heartbeats.
 */
export class ReadRounds {
  #waiting: number[] = []
  #rounds: Round[] = []
  #lastId = 0
  #held = 0
  #confirmed: ConfirmedRead[] = []
  #failed: number[] = []

  readonly #maxPending: number

  /** @param maxPending requests held unanswered at once */
  constructor(maxPending: number) {
    this.#maxPending = maxPending
  }

  /** Takes a request; false when there are too many already. */
  request(context: number): boolean {
    if (this.#held >= this.#maxPending) return false
    this.#held++
    this.#waiting.push(context)
    return true
  }

  /** Requests wait for a round to be begun. */
  get waiting(): boolean {
    return this.#waiting.length > 0
  }

  /** The newest round that is not confirmed; 0 for none. A heartbeat that carries it confirms all before it as well. */
  get openRound(): number {
    return this.#rounds.at(-1)?.id ?? 0
  }

  /** Begins a round at commit `index` for all that wait; returns its id. */
  begin(index: number): number {
    const contexts = this.#waiting
    this.#waiting = []
    this.#rounds.push({ id: ++this.#lastId, index, contexts, confirmedBy: new Set() })
    return this.#lastId
  }

  /** `by` answered round `id`, and with it every earlier one. `isQuorum` judges who has answered. */
  confirm(id: number, by: number, isQuorum: (who: ReadonlySet<number>) => boolean): void {
    let done = 0
    for (const [at, round] of this.#rounds.entries()) {
      if (round.id > id) break
      round.confirmedBy.add(by)
      if (isQuorum(round.confirmedBy)) done = at + 1
    }
    for (const round of this.#rounds.splice(0, done)) {
      this.#held -= round.contexts.length
      for (const context of round.contexts) this.#confirmed.push({ context, index: round.index })
    }
  }

  /** Leadership is lost: nothing that is open will be confirmed here. */
  fail(): void {
    for (const round of this.#rounds) this.#failed.push(...round.contexts)
    this.#failed.push(...this.#waiting)
    this.#rounds = []
    this.#waiting = []
    this.#held = 0
  }

  get hasResults(): boolean {
    return this.#confirmed.length > 0 || this.#failed.length > 0
  }

  /** Results since the last call, each once. */
  take(): { readonly reads: readonly ConfirmedRead[]; readonly readsFailed: readonly number[] } {
    const results = { reads: this.#confirmed, readsFailed: this.#failed }
    this.#confirmed = []
    this.#failed = []
    return results
  }
}
