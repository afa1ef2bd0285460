import { closeSync, createReadStream, openSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Operation } from './operations.ts'

/** Characters held back before they are written. */
const BUFFER = 64 * 1024

/**
 * Writes a history to a file as it comes, one JSON object per line. Holds at most 64 Ki characters and one operation,
 * and writes synchronously, so that the order is that of the calls and nothing queues up.
 */
export class HistoryWriter {
  readonly #file: number
  #buffer = ''

  /** Creates the file, or empties it; throws what the file system throws. */
  constructor(path: string) {
    this.#file = openSync(path, 'w')
  }

  append(operation: Operation): void {
    // Two characters that JSON leaves as they are and that end a line for the reader.
    const line = JSON.stringify(operation).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
    this.#buffer += `${line}\n`
    if (this.#buffer.length >= BUFFER) this.flush()
  }

  /** Hands everything to the operating system. */
  flush(): void {
    let bytes = Buffer.from(this.#buffer)
    this.#buffer = ''
    while (bytes.length > 0) bytes = bytes.subarray(writeSync(this.#file, bytes))
  }

  close(): void {
    this.flush()
    closeSync(this.#file)
  }
}

const KINDS: ReadonlySet<unknown> = new Set([
  'send',
  'create',
  'delete',
  'open',
  'position',
  'poll',
  'gap',
  'end',
  'close',
  'barrier',
  'final',
] satisfies Operation['kind'][])

/**
 * Reads a history, one operation at a time.
 * @throws Error that names the line that is not an operation, also a last one that is torn
 */
export async function* readHistory(path: string): AsyncGenerator<Operation> {
  let number = 0
  for await (const line of createInterface({ input: createReadStream(path) })) {
    number += 1
    yield parse(line, `${path}:${number}`)
  }
}

/** Reads a whole history, for `checkHistory`. */
export async function loadHistory(path: string): Promise<Operation[]> {
  const operations: Operation[] = []
  for await (const operation of readHistory(path)) operations.push(operation)
  return operations
}

function parse(line: string, where: string): Operation {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw new Error(`${where} is not JSON`, { cause })
  }
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined
  if (!KINDS.has(kind)) throw new Error(`${where} is no operation`)
  return value as Operation
}
