import { textOf } from '../http/json.ts'
import { CommandError } from './ask.ts'
import type { Line } from './lines.ts'

/** Lines that are published together. */
export interface LineBatch {
  /** The body: one batch item a line. */
  readonly body: Buffer
  /** The input's line of each item. */
  readonly lines: readonly number[]
  /** How far into the input they reach, in bytes. */
  readonly endByte: number
}

/** When a batch is full, and how long its first line waits for others. */
export interface BatchBounds {
  readonly maxEvents: number
  /** A single larger item is a batch of its own. */
  readonly maxBytes: number
  readonly waitMs: number
}

/** How a line becomes a batch item of JSON; undefined for one that is passed over. Throws CommandError. */
export type ToItem = (line: Line) => Buffer | undefined

/**
 * Gathers lines into batches, in their order. Nothing is read ahead while a batch is being dealt with. When the signal is
 * aborted, or a line cannot be taken, what was gathered is the last batch.
 * @param source ends, in whatever way, when the signal is aborted
 */
export async function* gatherBatches(
  source: AsyncIterator<Line[]>,
  toItem: ToItem,
  { maxEvents, maxBytes, waitMs }: BatchBounds,
  signal: AbortSignal,
): AsyncGenerator<LineBatch, void, undefined> {
  let batch = new Gathering()
  let late: Promise<undefined> | undefined
  let timer: NodeJS.Timeout | undefined
  const startWaiting = (): Promise<undefined> =>
    new Promise(resolve => {
      timer = setTimeout(resolve, waitMs, undefined)
    })
  const take = (): LineBatch => {
    const full = batch.end()
    batch = new Gathering()
    late = undefined
    clearTimeout(timer)
    return full
  }
  let failure: unknown
  try {
    let next: Promise<IteratorResult<Line[]>> | undefined
    while (!signal.aborted) {
      next ??= source.next()
      const got = await (late ? Promise.race([next, late]) : next)
      if (got === undefined) {
        yield take()
        continue
      }
      next = undefined
      if (got.done) break
      for (const line of got.value) {
        const item = toItem(line)
        if (item === undefined) continue
        if (batch.lines.length > 0 && batch.bytes + item.length > maxBytes) yield take()
        if (signal.aborted) return
        batch.add(line, item)
        late ??= startWaiting()
        if (batch.lines.length === maxEvents) yield take()
        if (signal.aborted) break
      }
    }
  } catch (error) {
    failure = error
  }
  if (batch.lines.length > 0) yield take()
  if (failure !== undefined && !signal.aborted) throw failure
}

class Gathering {
  readonly lines: number[] = []
  readonly #items: Buffer[] = []
  bytes = 0
  #endByte = 0

  add({ number, endByte }: Line, item: Buffer): void {
    this.lines.push(number)
    this.#endByte = endByte
    this.#items.push(item)
    this.bytes += item.length
  }

  end(): LineBatch {
    return { body: Buffer.concat(this.#items), lines: this.lines, endByte: this.#endByte }
  }
}

/** Fields of every event made of a line of text. */
export interface TextFields {
  readonly type?: string
  readonly id?: string
  readonly contentType?: string
}

/** Lines as text: each one is a payload. One that is no UTF-8 needs a content type that says what it is. */
export function textItems(fields: TextFields): ToItem {
  const head = JSON.stringify(fields).slice(1, -1)
  const item = (data: string) => Buffer.from(`{${head}${head && ','}${data}}\n`)
  return line => {
    const text = textOf(line.bytes)
    if (text !== undefined) return item(`"data":${JSON.stringify(text)}`)
    if (fields.contentType !== undefined) return item(`"data_base64":"${line.bytes.toString('base64')}"`)
    throw new CommandError(
      `line ${line.number} is not UTF-8 text: say what it is with --content-type, such as application/octet-stream`,
    )
  }
}

/** Lines that are batch items already; blank ones are passed over. The peer checks the rest. */
export const ndjsonItem: ToItem = line => {
  const text = textOf(line.bytes)
  if (text === undefined) throw new CommandError(`line ${line.number} is not UTF-8 text, as JSON is`)
  return text.trim() === '' ? undefined : Buffer.concat([line.bytes, Buffer.from('\n')])
}
