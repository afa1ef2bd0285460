/** Bytes of a payload with the usual filling: a marker, a sequence, a time, filling. */
export const PAYLOAD_BYTES = 100
/** Begins each payload and occurs nowhere else on the wire: a reader looks for this byte alone. */
export const MARKER = 0x7e
const SEQUENCE_DIGITS = 9
const TIME_DIGITS = 16
/** Bytes from the marker to behind the time: what a reader must have before it can count an event. */
export const STAMP_BYTES = 1 + SEQUENCE_DIGITS + TIME_DIGITS
const FILLING = '.'.repeat(PAYLOAD_BYTES - STAMP_BYTES)

/** `~<sequence><time>....`: fixed width, so that nothing is parsed but digits at known places. `timeUs`: of `nowUs`. */
export function payload(sequence: number, timeUs: number, filling = FILLING): string {
  const number = String(sequence).padStart(SEQUENCE_DIGITS, '0')
  return `~${number}${String(timeUs).padStart(TIME_DIGITS, '0')}${filling}`
}

/** The sequence of the payload whose marker is at `at`; NaN when a byte of it is no digit. */
export function sequenceAt(bytes: Uint8Array, at: number): number {
  return digits(bytes, at + 1, at + 1 + SEQUENCE_DIGITS)
}

/** The time of the payload whose marker is at `at`, in microseconds; NaN when a byte of it is no digit. */
export function timeAt(bytes: Uint8Array, at: number): number {
  return digits(bytes, at + 1 + SEQUENCE_DIGITS, at + STAMP_BYTES)
}

/** Microseconds of the machine's monotonic clock: the same for all processes, so that they can be compared. */
export function nowUs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1_000_000 + Math.floor(nanoseconds / 1_000)
}

function digits(bytes: Uint8Array, from: number, to: number): number {
  let value = 0
  for (let at = from; at < to; at += 1) {
    const digit = bytes[at]! - 48
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return value
}
