import { LIMITS } from '../limits.ts'
import { CommandError } from './ask.ts'

const LF = 10
const CR = 13

/** One line of an input, without its line break. */
export interface Line {
  /** Counted from 1. */
  readonly number: number
  readonly bytes: Buffer
  /** How many bytes of the input there are up to its end, with its line break. */
  readonly endByte: number
}

/**
 * The lines of an input, all that a chunk completes at a time; a line break is LF or CRLF, and the last line needs none.
 * Rejects with CommandError for a line that no peer could take, and for an input that cannot be read.
 */
export async function* readLines(
  input: AsyncIterable<Uint8Array | string>,
  maxLineBytes: number = LIMITS.PUB_LINE_BYTES,
): AsyncGenerator<Line[], void, undefined> {
  let pieces: Buffer[] = []
  let pendingBytes = 0
  let number = 0
  let readBytes = 0
  for await (const chunk of readable(input)) {
    const lines: Line[] = []
    for (let from = 0; from < chunk.length; ) {
      const at = chunk.indexOf(LF, from)
      const piece = chunk.subarray(from, at === -1 ? undefined : at)
      pendingBytes += piece.length
      if (pendingBytes > maxLineBytes) {
        if (lines.length > 0) yield lines
        throw new CommandError(
          `line ${number + 1} is longer than ${maxLineBytes} bytes: no peer takes so large an event`,
        )
      }
      pieces.push(piece)
      if (at === -1) break
      number += 1
      lines.push({ number, bytes: withoutCr(joined(pieces)), endByte: readBytes + at + 1 })
      pieces = []
      pendingBytes = 0
      from = at + 1
    }
    readBytes += chunk.length
    if (lines.length > 0) yield lines
  }
  if (pendingBytes > 0) yield [{ number: number + 1, bytes: joined(pieces), endByte: readBytes }]
}

function joined(pieces: readonly Buffer[]): Buffer {
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
}

function withoutCr(bytes: Buffer): Buffer {
  return bytes.at(-1) === CR ? bytes.subarray(0, -1) : bytes
}

async function* readable(input: AsyncIterable<Uint8Array | string>): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of input) {
      yield typeof chunk === 'string'
        ? Buffer.from(chunk)
        : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new CommandError(`stdin cannot be read (${code ?? message})`)
  }
}
