/** Reads the answers of one connection: their status, and where each ends by its Content-Length. */
export class Answers {
  readonly #onAnswer: (status: number, body: string) => void
  #text = ''

  constructor(onAnswer: (status: number, body: string) => void) {
    this.#onAnswer = onAnswer
  }

  /** Takes the next bytes. Throws on an answer without a length. */
  take(bytes: Buffer): void {
    this.#text += bytes.toString('latin1')
    for (;;) {
      const end = this.#text.indexOf('\r\n\r\n')
      if (end === -1) return
      const head = this.#text.slice(0, end)
      const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
      if (length === undefined) throw new Error(`an answer has no length: ${head}`)
      const whole = end + 4 + Number(length)
      if (this.#text.length < whole) return
      const body = this.#text.slice(end + 4, whole)
      this.#text = this.#text.slice(whole)
      this.#onAnswer(Number(head.slice(9, 12)), body)
    }
  }
}
