import { LIMITS } from './limits.ts'

/** One dispatched block of an event stream. */
export interface SseFrame {
  /** The event's name; `message` when the stream gives none. */
  readonly event: string
  /** Undefined for a block without data, which in a browser moves only the last event id. */
  readonly data: string | undefined
  /** The last event id as of this block; empty when there never was one. */
  readonly lastEventId: string
}

/**
 * Parses an event stream as the WHATWG HTML standard says (section 9.2.6), from chunks cut anywhere, even within
 * a character or a line break. What is unfinished at the stream's end is never given out, as the standard asks.
 */
export class SseParser {
  /** The id to resume behind, as of the last block that was given out. */
  lastEventId = ''
  /** Reconnection time the stream last asked for (`retry:`). */
  retryMs: number | undefined
  readonly #decoder = new TextDecoder()
  /** Received but not yet ended by a line break, and how much of it was searched for one. */
  #rest = ''
  #searched = 0
  #endedInCr = false
  #event = ''
  #data: string[] = []
  #sizeCharacters = 0
  #id: string | undefined

  /** @param lastEventId what the stream was asked to resume behind */
  constructor(lastEventId = '') {
    this.lastEventId = lastEventId
  }

  /**
   * Takes the next bytes.
   * @returns the blocks they complete
   * @throws RangeError when a block grows beyond any that a peer sends
   */
  push(chunk: Uint8Array): SseFrame[] {
    const frames: SseFrame[] = []
    this.#rest += this.#decoder.decode(chunk, { stream: true })
    let from = 0
    if (this.#endedInCr && this.#rest.length > 0) {
      // The break before may have been a CRLF cut in two.
      if (this.#rest.startsWith('\n')) from = 1
      this.#endedInCr = false
    }
    const lineBreak = /\r\n?|\n/g
    lineBreak.lastIndex = Math.max(from, this.#searched)
    for (let found = lineBreak.exec(this.#rest); found !== null; found = lineBreak.exec(this.#rest)) {
      this.#endedInCr = found[0] === '\r' && lineBreak.lastIndex === this.#rest.length
      this.#takeLine(this.#rest.slice(from, found.index), frames)
      from = lineBreak.lastIndex
    }
    this.#rest = this.#rest.slice(from)
    this.#searched = this.#rest.length
    if (this.#rest.length + this.#sizeCharacters > LIMITS.MAX_FRAME_CHARACTERS) {
      throw new RangeError(`a block of the stream is longer than ${LIMITS.MAX_FRAME_CHARACTERS} characters`)
    }
    return frames
  }

  #takeLine(line: string, frames: SseFrame[]): void {
    if (line === '') {
      const frame = this.#endBlock()
      if (frame) frames.push(frame)
      return
    }
    const colon = line.indexOf(':')
    if (colon === 0) return
    const field = colon === -1 ? line : line.slice(0, colon)
    const blank = line.startsWith(' ', colon + 1) ? 1 : 0
    this.#takeField(field, colon === -1 ? '' : line.slice(colon + 1 + blank))
  }

  #takeField(field: string, value: string): void {
    if (field === 'data') {
      this.#data.push(value)
      this.#sizeCharacters += value.length + 1
    } else if (field === 'event') this.#event = value
    else if (field === 'id' && !value.includes('\0')) this.#id = value
    else if (field === 'retry' && /^[0-9]{1,9}$/.test(value)) this.retryMs = Number(value)
  }

  #endBlock(): SseFrame | undefined {
    const hasId = this.#id !== undefined
    if (this.#id !== undefined) this.lastEventId = this.#id
    const data = this.#data.length > 0 ? this.#data.join('\n') : undefined
    const frame = { event: this.#event || 'message', data, lastEventId: this.lastEventId }
    this.#event = ''
    this.#data = []
    this.#sizeCharacters = 0
    this.#id = undefined
    return data === undefined && !hasId ? undefined : frame
  }
}
