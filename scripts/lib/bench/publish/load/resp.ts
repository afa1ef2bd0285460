/** A reply of Redis: an error is one, too. */
export type Reply = string | number | null | RespError | readonly Reply[]

export class RespError extends Error {}

/** Reads the replies of one connection (RESP2, https://redis.io/docs/latest/develop/reference/protocol-spec/), wherever the reads cut them. */
export class RespReader {
  readonly #onReply: (reply: Reply) => void
  #text = ''

  constructor(onReply: (reply: Reply) => void) {
    this.#onReply = onReply
  }

  /** Takes the next bytes; they may be overwritten when this returns. Throws on what is no RESP2. */
  take(bytes: Buffer): void {
    this.#text += bytes.toString('latin1')
    let from = 0
    for (;;) {
      const read = replyAt(this.#text, from)
      if (read === undefined) break
      from = read[1]
      this.#onReply(read[0])
    }
    this.#text = this.#text.slice(from)
  }
}

/** A command as Redis reads it. `words` are latin1. */
export function command(...words: readonly (string | number)[]): string {
  const parts = words.map(word => `$${String(word).length}\r\n${word}\r\n`)
  return `*${words.length}\r\n${parts.join('')}`
}

/** The reply at `from` and where it ends; undefined when it has not come whole. */
function replyAt(text: string, from: number): [reply: Reply, end: number] | undefined {
  const end = text.indexOf('\r\n', from)
  if (end === -1) return undefined
  const line = text.slice(from + 1, end)
  const behind = end + 2
  switch (text[from]) {
    case '+':
      return [line, behind]
    case '-':
      return [new RespError(line), behind]
    case ':':
      return [Number(line), behind]
    case '$': {
      const length = Number(line)
      if (length === -1) return [null, behind]
      if (text.length < behind + length + 2) return undefined
      return [text.slice(behind, behind + length), behind + length + 2]
    }
    case '*':
      return arrayAt(text, behind, Number(line))
    default:
      throw new Error(`no reply of Redis: ${text.slice(from, from + 80)}`)
  }
}

function arrayAt(text: string, from: number, count: number): [reply: Reply, end: number] | undefined {
  if (count === -1) return [null, from]
  const items: Reply[] = []
  let at = from
  while (items.length < count) {
    const read = replyAt(text, at)
    if (read === undefined) return undefined
    items.push(read[0])
    at = read[1]
  }
  return [items, at]
}
