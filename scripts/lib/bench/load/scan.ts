import { MARKER, STAMP_BYTES, sequenceAt, timeAt } from './payload.ts'

/** What is done with the events of one subscriber as they are found. */
export interface ScanOptions {
  /** Keep every sequence in order of arrival: for the one subscriber the others are compared with. */
  readonly keeps?: boolean
  /** The sequence that was passed already: the first event must have the next. Without it the first may have any. */
  readonly after?: number
  /** Told of the time in each payload (microseconds); without it times are not read. */
  readonly onTime?: (timeUs: number, sequence: number) => void
}

/**
 * Finds the events in the bytes of one stream and parses nothing else of it: not HTTP, not chunks, not SSE. A payload
 * that is cut between two reads is put together. The hash is one of the sequences in their order, so that streams with
 * the same count and hash had the same events in the same order.
 */
export class Scan {
  count = 0
  /** Last sequence; -1 before the first. */
  last: number
  /** Events that did not have the sequence after the one before: what was lost, doubled or in disorder. */
  jumps = 0
  hash = 0x811c9dc5 | 0
  /** Payloads whose sequence is not a number: the wire was not as expected. */
  garbled = 0
  readonly kept: number[] | undefined
  readonly #onTime: ScanOptions['onTime']
  #rest: Buffer | undefined

  constructor({ keeps = false, after = -1, onTime }: ScanOptions = {}) {
    this.last = after
    this.kept = keeps ? [] : undefined
    this.#onTime = onTime
  }

  /** Takes the next bytes; they may be overwritten when this returns. */
  take(bytes: Buffer): void {
    const whole = this.#rest === undefined ? bytes : Buffer.concat([this.#rest, bytes])
    this.#rest = undefined
    let at = whole.indexOf(MARKER)
    while (at !== -1) {
      if (at + STAMP_BYTES > whole.length) {
        this.#rest = Buffer.from(whole.subarray(at))
        return
      }
      this.#event(whole, at)
      at = whole.indexOf(MARKER, at + STAMP_BYTES)
    }
  }

  /** The stream is another from now on: the cut payload at its end will not go on. */
  cut(): void {
    this.#rest = undefined
  }

  #event(bytes: Buffer, at: number): void {
    const sequence = sequenceAt(bytes, at)
    if (Number.isNaN(sequence)) {
      this.garbled += 1
      return
    }
    if (this.last !== -1 && sequence !== this.last + 1) this.jumps += 1
    this.last = sequence
    this.count += 1
    this.hash = Math.imul(this.hash, 0x01000193) ^ sequence
    this.kept?.push(sequence)
    this.#onTime?.(timeAt(bytes, at), sequence)
  }
}
