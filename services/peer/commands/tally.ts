import type { BatchPublishedBody } from '../http/schemas.ts'
import type { Progress } from './telling.ts'

/** What a command has published so far, and how that is told. */
export class Tally {
  events = 0
  readonly #topic: string
  readonly #progress: Progress | undefined
  readonly #inputBytes: number | undefined
  readonly #startedMs = performance.now()
  readonly #timer: NodeJS.Timeout | undefined
  #first = 0
  #last = 0
  #bytes = 0
  #trouble = ''

  /** @param inputBytes of the whole input, where they are known */
  constructor(topic: string, progress: Progress | undefined, inputBytes: number | undefined) {
    this.#topic = topic
    this.#progress = progress
    this.#inputBytes = inputBytes
    if (progress) this.#timer = setInterval(() => progress.show(this.#soFar()), progress.everyMs)
  }

  /** Counts an acknowledged batch; `bytes` is how far into the input it reaches. */
  add({ first, last, count }: BatchPublishedBody, bytes: number): void {
    if (this.events === 0) this.#first = first
    this.#last = last
    this.events += count
    this.#bytes = bytes
    this.#trouble = ''
  }

  /** Shows what the batch under way is waiting for, until it is acknowledged. */
  waits(trouble: string): void {
    this.#trouble = trouble
  }

  /** Ends the showing. */
  end(): void {
    clearInterval(this.#timer)
    this.#progress?.show('')
  }

  /** What was published, as one line. */
  line(): string {
    const what = `published ${this.events} event${this.events === 1 ? '' : 's'} to "${this.#topic}"`
    if (this.events === 0) return what
    if (this.events === 1) return `${what}, offset ${this.#first}`
    // Between batches there may be events of others.
    const among = this.#last - this.#first + 1 === this.events ? '' : 'among '
    return `${what}, ${among}offsets ${this.#first} to ${this.#last}`
  }

  #soFar(): string {
    const seconds = (performance.now() - this.#startedMs) / 1_000
    const rate = Math.round(this.events / seconds)
    const part =
      this.#inputBytes &&
      `, ${Math.min(100, Math.floor((100 * this.#bytes) / this.#inputBytes))}% of the input`
    const trouble = this.#trouble && `; ${this.#trouble}`
    return `${this.events.toLocaleString('en-US')} events, ${rate.toLocaleString('en-US')} events/s${part ?? ''}${trouble}`
  }
}
