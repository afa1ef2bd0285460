import { createHash, type Hash } from 'node:crypto'

/** Lines kept of a run that nobody asked to see, to be shown when it fails. */
const KEPT_LINES = 400

/** Characters that gather before they go into the hash. */
const HASH_AT = 16_384

/** A readable transcript of a run and its hash. Two runs with the same hash did the same. */
export class Trace {
  readonly #hash: Hash = createHash('sha256')
  readonly #now: () => number
  readonly #print: ((line: string) => void) | undefined
  #lines: string[] = []
  #unhashed = ''

  constructor(now: () => number, print?: (line: string) => void) {
    this.#now = now
    this.#print = print
  }

  /** A line people want to read. */
  say(who: string, what: string): void {
    const line = `${(this.#now() / 1_000).toFixed(4).padStart(9)} ${who.padEnd(7)} ${what}`
    this.#add(line)
    if (this.#print) this.#print(line)
    this.#lines.push(line)
    if (this.#lines.length > 2 * KEPT_LINES) this.#lines = this.#lines.slice(-KEPT_LINES)
  }

  /** A step that only the hash needs to know. */
  note(what: string): void {
    this.#add(`${this.#now()} ${what}`)
  }

  /** The last lines. */
  tail(): readonly string[] {
    return this.#lines.slice(-KEPT_LINES)
  }

  hash(): string {
    return this.#hash.copy().update(this.#unhashed).digest('hex').slice(0, 16)
  }

  #add(what: string): void {
    this.#unhashed += what
    this.#unhashed += '\n'
    if (this.#unhashed.length < HASH_AT) return
    this.#hash.update(this.#unhashed)
    this.#unhashed = ''
  }
}
