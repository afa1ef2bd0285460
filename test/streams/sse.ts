/** One message as a browser would dispatch it. */
export interface Message {
  readonly type: string
  readonly data: string
  readonly lastEventId: string
}

/**
 * The event stream interpreter of WHATWG HTML 9.2.6, word for word, on bytes in any pieces:
 * what EventSource would see, with its last event ID and its reconnection time.
 */
export class EventStream {
  readonly messages: Message[] = []
  readonly comments: string[] = []
  /** What a reconnect would send. */
  lastEventId = ''
  retryMs: number | undefined
  readonly #decoder = new TextDecoder('utf-8')
  #rest = ''
  #data = ''
  #type = ''
  #id = ''

  push(chunk: Uint8Array | string): void {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    this.#rest += this.#decoder.decode(bytes, { stream: true })
    for (;;) {
      const end = this.#rest.search(/[\r\n]/)
      // A CR at the very end may be the first half of CRLF.
      if (end < 0 || (this.#rest[end] === '\r' && end === this.#rest.length - 1)) return
      const line = this.#rest.slice(0, end)
      this.#rest = this.#rest.slice(end + (this.#rest.startsWith('\r\n', end) ? 2 : 1))
      this.#line(line)
    }
  }

  #line(line: string): void {
    if (line === '') {
      this.#dispatch()
      return
    }
    const colon = line.indexOf(':')
    if (colon === 0) {
      this.comments.push(line.slice(1))
      return
    }
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') this.#type = value
    else if (field === 'data') this.#data += `${value}\n`
    else if (field === 'id' && !value.includes('\0')) this.#id = value
    else if (field === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value)
  }

  #dispatch(): void {
    this.lastEventId = this.#id
    if (this.#data !== '') {
      const data = this.#data.replace(/\n$/, '')
      this.messages.push({ type: this.#type || 'message', data, lastEventId: this.lastEventId })
    }
    this.#data = ''
    this.#type = ''
  }
}
