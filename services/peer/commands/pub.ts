import type { Readable, Writable } from 'node:stream'
import type { BatchPublishedBody } from '../http/schemas.ts'
import { LIMITS } from '../limits.ts'
import { CommandError } from './ask.ts'
import { gatherBatches, type LineBatch, ndjsonItem, textItems } from './batches.ts'
import { type Line, readLines } from './lines.ts'
import { Output } from './output.ts'
import { commandAgent, type Pauses, PeerList, RefusedError } from './peer-list.ts'
import { BatchPublisher, GivenUpError, type PublishTimes } from './publisher.ts'
import type { PubOptions } from './stream-options.ts'
import { Tally } from './tally.ts'
import type { Progress } from './telling.ts'

export interface PubTools {
  readonly stdin: Readable
  readonly stdout: Writable
  /** One line on stderr. */
  readonly tell: (line: string) => void
  /** Bytes of the whole of stdin, where they are known. */
  readonly inputBytes?: number | undefined
  /** Undefined where nobody watches. */
  readonly progress?: Progress | undefined
  /** Ends the publishing after the batch under way; one that no peer takes now is given up. */
  readonly signal: AbortSignal
  readonly waitMs?: number
  readonly times?: PublishTimes
  readonly pauses?: Pauses
}

/**
 * `hypercast pub`: publishes the lines of stdin, or the one text it was given, in their order. Resolves when all of it is
 * acknowledged; says in the end how much was. Rejects with CommandError when not all of it was published.
 */
export async function runPub(options: PubOptions, tools: PubTools): Promise<void> {
  const { stdin, tell } = tools
  const agent = commandAgent()
  const peers = new PeerList(options.urls, tools.pauses)
  const output = new Output(tools.stdout, tools.signal)
  const stop = output.ended
  const tally = new Tally(options.topic, tools.progress, tools.inputBytes)
  const publisher = new BatchPublisher(agent, peers, options.topic, {
    times: tools.times,
    signal: stop,
    waits: trouble => tally.waits(trouble),
  })
  const close = () => stdin.destroy()
  stop.addEventListener('abort', close)
  const input = { isRead: options.data !== undefined }
  const lines = noting(readLines(stdin), input)
  try {
    for await (const batch of input.isRead
      ? [oneBatch(options)]
      : gathered(lines, options, tools.waitMs, stop)) {
      const answer = await publishing(publisher, batch, options)
      tally.add(answer, batch.endByte)
      if (options.json) await output.write(`${JSON.stringify(acknowledged(answer))}\n`)
    }
  } catch (error) {
    tally.end()
    if (tally.events > 0) tell(tally.line())
    throw error
  } finally {
    tally.end()
    stop.removeEventListener('abort', close)
    stdin.destroy()
    await agent.destroy()
  }
  output.check()
  if (!input.isRead) throw new CommandError(`stopped before the end of stdin: ${tally.line()}`)
  tell(tally.events === 0 ? 'stdin is empty: nothing is published' : tally.line())
}

/** The lines as they are; `input` says when there are no more. */
async function* noting(
  lines: AsyncIterable<Line[]>,
  input: { isRead: boolean },
): AsyncGenerator<Line[], void, undefined> {
  yield* lines
  input.isRead = true
}

function gathered(
  lines: AsyncIterator<Line[]>,
  { ndjson, batch, type, contentType }: PubOptions,
  waitMs: number = LIMITS.PUB_WAIT_MS,
  signal: AbortSignal,
): AsyncIterable<LineBatch> {
  const toItem = ndjson ? ndjsonItem : textItems({ type, contentType })
  const bounds = {
    maxEvents: batch,
    maxBytes: LIMITS.PUB_BATCH_BYTES,
    waitMs,
  }
  return gatherBatches(lines, toItem, bounds, signal)
}

function oneBatch({ data = '', type, id, contentType }: PubOptions): LineBatch {
  const bytes = Buffer.from(data)
  const line = { number: 1, bytes, endByte: bytes.length }
  return { body: textItems({ type, id, contentType })(line)!, lines: [1], endByte: line.endByte }
}

/** Publishes one batch; what goes wrong is told by the lines of the input. */
async function publishing(
  publisher: BatchPublisher,
  { body, lines }: LineBatch,
  { data }: PubOptions,
): Promise<BatchPublishedBody> {
  try {
    return await publisher.publish(body)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    const [first, last] = [lines[0]!, lines.at(-1)!]
    const isLine = data === undefined
    const which = !isLine ? 'it is' : first === last ? `line ${first} is` : `lines ${first} to ${last} are`
    if (error instanceof GivenUpError && !error.definite) {
      throw new CommandError(`${error.message}; whether ${which} published is not known`)
    }
    if (!isLine)
      throw error instanceof GivenUpError ? new CommandError(`${error.message}; it is not published`) : error
    const at = error instanceof RefusedError ? Number(error.problem.line) : Number.NaN
    // The peer counts the lines of the batch.
    const message = Number.isNaN(at)
      ? error.message
      : error.message.replace(`Line ${at}:`, `line ${lines[at - 1]}:`)
    throw new CommandError(`${message}; ${which} not published`)
  }
}

function acknowledged({ topic, first, last, count, cursor, time }: BatchPublishedBody): object {
  return { topic, first, last, count, cursor, time }
}
