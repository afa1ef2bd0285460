import type { Readable, Writable } from 'node:stream'
import type { BatchPublishedBody } from '../http/schemas.ts'
import { LIMITS } from '../limits.ts'
import { CommandError } from './ask.ts'
import { gatherBatches, type LineBatch, ndjsonItem, textItems } from './batches.ts'
import { readLines } from './lines.ts'
import { Output } from './output.ts'
import { commandAgent, type Pauses, PeerList, RefusedError } from './peer-list.ts'
import { BatchPublisher, GivenUpError, type PublishTimes } from './publisher.ts'
import type { PubOptions } from './stream-commands.ts'

export interface PubTools {
  readonly stdin: Readable
  readonly stdout: Writable
  /** One line on stderr. */
  readonly tell: (line: string) => void
  /** Shows how far it is, in place of what was shown before; undefined where nobody watches. */
  readonly progress?: ((text: string) => void) | undefined
  /** Ends the publishing after the batch under way. */
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
  const { stdin, signal } = tools
  const agent = commandAgent()
  const peers = new PeerList(options.urls, tools.pauses)
  const publisher = new BatchPublisher(agent, peers, options.topic, tools.times)
  const output = new Output(tools.stdout)
  const stop = AbortSignal.any([signal, output.ended])
  const close = () => stdin.destroy()
  stop.addEventListener('abort', close)
  const tally = new Tally(options.topic, tools.progress)
  try {
    for await (const batch of options.data === undefined
      ? fromStdin(options, tools, stop)
      : [oneBatch(options)]) {
      const answer = await publishing(publisher, batch, options)
      tally.add(answer)
      if (options.json) await output.write(`${JSON.stringify(acknowledged(answer))}\n`)
    }
  } catch (error) {
    tally.end()
    if (tally.events > 0) tools.tell(tally.line())
    throw error
  } finally {
    tally.end()
    stop.removeEventListener('abort', close)
    stdin.destroy()
    await agent.destroy()
  }
  output.check()
  if (stop.aborted && options.data === undefined)
    throw new CommandError(`stopped before the end of stdin: ${tally.line()}`)
  tools.tell(
    tally.events === 0 && options.data === undefined ? 'stdin is empty: nothing is published' : tally.line(),
  )
}

function fromStdin(
  { ndjson, batch, type, contentType }: PubOptions,
  { stdin, waitMs }: PubTools,
  signal: AbortSignal,
): AsyncIterable<LineBatch> {
  const toItem = ndjson ? ndjsonItem : textItems({ type, contentType })
  const bounds = {
    maxEvents: batch,
    maxBytes: LIMITS.PUB_BATCH_BYTES,
    waitMs: waitMs ?? LIMITS.PUB_WAIT_MS,
  }
  return gatherBatches(readLines(stdin), toItem, bounds, signal)
}

function oneBatch({ data = '', type, id, contentType }: PubOptions): LineBatch {
  const bytes = Buffer.from(data)
  return { body: textItems({ type, id, contentType })({ number: 1, bytes })!, lines: [1] }
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
    if (data !== undefined || !(error instanceof CommandError)) throw error
    const [first, last] = [lines[0]!, lines.at(-1)!]
    const which = first === last ? `line ${first} is` : `lines ${first} to ${last} are`
    if (error instanceof GivenUpError && !error.definite) {
      throw new CommandError(`${error.message}; whether ${which} published is not known`)
    }
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

/** What has been acknowledged. */
class Tally {
  events = 0
  readonly #topic: string
  readonly #progress: ((text: string) => void) | undefined
  readonly #startedMs = performance.now()
  readonly #timer: NodeJS.Timeout | undefined
  #first = 0
  #last = 0

  constructor(topic: string, progress: ((text: string) => void) | undefined) {
    this.#topic = topic
    this.#progress = progress
    if (progress) this.#timer = setInterval(() => progress(this.#soFar()), LIMITS.PUB_PROGRESS_MS)
  }

  add({ first, last, count }: BatchPublishedBody): void {
    if (this.events === 0) this.#first = first
    this.#last = last
    this.events += count
  }

  end(): void {
    clearInterval(this.#timer)
    this.#progress?.('')
  }

  #soFar(): string {
    const seconds = (performance.now() - this.#startedMs) / 1_000
    const rate = Math.round(this.events / seconds)
    return `${this.events.toLocaleString('en-US')} events, ${rate.toLocaleString('en-US')} events/s`
  }

  line(): string {
    const what = `published ${this.events} event${this.events === 1 ? '' : 's'} to "${this.#topic}"`
    if (this.events === 0) return what
    if (this.#first === this.#last) return `${what}, offset ${this.#first}`
    // Between batches there may be events of others.
    const among = this.#last - this.#first + 1 === this.events ? '' : 'among '
    return `${what}, ${among}offsets ${this.#first} to ${this.#last}`
  }
}
