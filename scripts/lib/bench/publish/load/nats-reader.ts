/** What is done with the messages of a server of NATS. */
export interface NatsHandlers {
  /** `payload`: latin1. */
  readonly onMessage: (subject: string, payload: string) => void
  readonly onPing: () => void
  /** PONG: all that was sent before the PING has been read. */
  readonly onPong?: () => void
  /** -ERR, in the server's words. */
  readonly onError: (text: string) => void
}

/** Reads what a server of NATS sends (https://docs.nats.io/reference/reference-protocols/nats-protocol), wherever the reads cut it. Headers are not asked for and do not come. */
export class NatsReader {
  readonly #handlers: NatsHandlers
  #text = ''

  constructor(handlers: NatsHandlers) {
    this.#handlers = handlers
  }

  /** Takes the next bytes; they may be overwritten when this returns. Throws on what is not of the protocol. */
  take(bytes: Buffer): void {
    this.#text += bytes.toString('latin1')
    let from = 0
    for (;;) {
      const next = this.#one(from)
      if (next === undefined) break
      from = next
    }
    this.#text = this.#text.slice(from)
  }

  /** Handles the line at `from`; where the next begins, undefined when this one has not come whole. */
  #one(from: number): number | undefined {
    const end = this.#text.indexOf('\r\n', from)
    if (end === -1) return undefined
    const line = this.#text.slice(from, end)
    if (line.startsWith('MSG ')) return this.#message(line, end + 2)
    if (line === 'PING') this.#handlers.onPing()
    else if (line === 'PONG') this.#handlers.onPong?.()
    else if (line.startsWith('-ERR')) this.#handlers.onError(line)
    else if (!line.startsWith('+OK') && !line.startsWith('INFO ')) throw new Error(`no line of NATS: ${line}`)
    return end + 2
  }

  /** `MSG <subject> <sid> [reply] <bytes>`, and the payload behind it. */
  #message(line: string, at: number): number | undefined {
    const length = Number(line.slice(line.lastIndexOf(' ') + 1))
    if (this.#text.length < at + length + 2) return undefined
    this.#handlers.onMessage(line.slice(4, line.indexOf(' ', 4)), this.#text.slice(at, at + length))
    return at + length + 2
  }
}
