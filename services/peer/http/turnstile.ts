import { HypercastError } from '../errors.ts'

/**
 * Lets so many through in one turn of the event loop and the others in the turns after it, in the order in which they
 * came: a thousand streams that are opened at once must not make one long turn.
 */
export class Turnstile {
  readonly #perTurn: number
  readonly #maxWaiting: number
  readonly #waiting: (() => void)[] = []
  /** How many have gone through in this turn. */
  #passed = 0
  #isTurning = false

  constructor(perTurn: number, maxWaiting: number) {
    this.#perTurn = perTurn
    this.#maxWaiting = maxWaiting
  }

  /** Resolves when it is one's turn; rejects with HypercastError OVERLOADED when too many wait. */
  pass(): Promise<void> {
    if (this.#waiting.length >= this.#maxWaiting) {
      return Promise.reject(new HypercastError('OVERLOADED', 'Too many streams are being opened.'))
    }
    return new Promise(resolve => {
      if (this.#waiting.length === 0 && this.#passed < this.#perTurn) this.#let(resolve)
      else this.#waiting.push(resolve)
      this.#turn()
    })
  }

  #let(resolve: () => void): void {
    this.#passed += 1
    resolve()
  }

  #turn(): void {
    if (this.#isTurning) return
    this.#isTurning = true
    setImmediate(() => {
      this.#isTurning = false
      this.#passed = 0
      for (const next of this.#waiting.splice(0, this.#perTurn)) this.#let(next)
      if (this.#waiting.length > 0) this.#turn()
    })
  }
}
