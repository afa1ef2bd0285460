import type { Writable } from 'node:stream'
import { LIMITS } from '../limits.ts'

/** stderr, as far as it is told apart here. */
export type Told = Writable & { readonly isTTY?: boolean }

/** Shows how far a command is. */
export interface Progress {
  /** Shows it in place of what was shown before; an empty text takes that away. */
  readonly show: (text: string) => void
  readonly everyMs: number
}

/** Behind these characters a line of a terminal is empty. */
const CLEAR_LINE = '\r\x1b[K'

/** Writes lines to stderr. A reader of stderr that went away is no reason to stop what is under way. */
export function tellOn(stderr: Told): (line: string) => void {
  stderr.on('error', () => {})
  return line => void stderr.write(`${stderr.isTTY ? CLEAR_LINE : ''}${line}\n`)
}

/**
 * How progress is told on stderr: as one line of a terminal that is written anew, elsewhere as a line now and then.
 * @param wanted undefined: only on a terminal
 */
export function progressOn(stderr: Told, wanted: boolean | undefined): Progress | undefined {
  if (!(wanted ?? stderr.isTTY)) return undefined
  if (stderr.isTTY) {
    return { show: text => void stderr.write(`${CLEAR_LINE}${text}`), everyMs: LIMITS.PUB_PROGRESS_MS }
  }
  const show = (text: string) => {
    if (text !== '') stderr.write(`${text}\n`)
  }
  return { show, everyMs: LIMITS.PUB_PROGRESS_LINE_MS }
}
