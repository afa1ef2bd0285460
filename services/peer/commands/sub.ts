import type { Writable } from 'node:stream'
import type { Agent } from 'undici'
import { ERRORS } from '../errors.ts'
import { CommandError } from './ask.ts'
import { CursorFile } from './cursor-file.ts'
import { type Frame, latestOffset, openStream } from './event-stream.ts'
import { Output } from './output.ts'
import { commandAgent, PassingError, type Pauses, PeerList, pause } from './peer-list.ts'
import { readFrame } from './received.ts'
import { describeSelection, streamPath, topicPath } from './selection.ts'
import type { SubOptions } from './stream-options.ts'

export interface SubTools {
  readonly stdout: Writable
  /** One line on stderr. */
  readonly tell: (line: string) => void
  /** Ends the subscription. */
  readonly signal: AbortSignal
  readonly attemptMs?: number
  readonly silenceMs?: number
  readonly pauses?: Pauses
}

/**
 * `hypercast sub`: prints the events of topics, each once and each topic's in their order, over whichever of the peers serves.
 * Resolves when there are as many as were asked for, when the one topic ends, when nobody reads them any more and when the signal
 * is aborted.
 * Rejects with CommandError for what no peer will do, and when no peer answers in the first place.
 */
export async function runSub(options: SubOptions, tools: SubTools): Promise<void> {
  const output = new Output(tools.stdout, tools.signal)
  const { selection, cursorFile } = options
  const file = cursorFile === undefined ? undefined : new CursorFile(cursorFile, selection)
  const cursor = options.cursor ?? file?.read() ?? ''
  const agent = commandAgent()
  try {
    await new Subscription(options, tools, { agent, output, file, stop: output.ended }, cursor).run()
  } finally {
    await agent.destroy()
    file?.close()
  }
  output.check()
}

interface Parts {
  readonly agent: Agent
  readonly output: Output
  readonly file: CursorFile | undefined
  readonly stop: AbortSignal
}

class Subscription {
  readonly #options: SubOptions
  readonly #tools: SubTools
  readonly #parts: Parts
  readonly #peers: PeerList
  #cursor: string
  #left: number
  /** The last offset that is waited for without --follow. */
  #until = Number.POSITIVE_INFINITY
  /** A peer has answered: one that is not reached now may come back. */
  #isThere = false
  /** The connection was lost, and that was told. */
  #isLost = false

  constructor(options: SubOptions, tools: SubTools, parts: Parts, cursor: string) {
    this.#options = options
    this.#tools = tools
    this.#parts = parts
    this.#peers = new PeerList(options.urls, tools.pauses)
    this.#cursor = cursor
    this.#left = options.count ?? Number.POSITIVE_INFINITY
  }

  async run(): Promise<void> {
    const { stop } = this.#parts
    while (!stop.aborted) {
      try {
        if (await this.#follow()) return
      } catch (error) {
        if (stop.aborted) return
        if (!(error instanceof PassingError)) throw error
        await this.#failed(error)
      }
    }
  }

  async #failed({ message, retryAfterMs, answered }: PassingError): Promise<void> {
    this.#isThere ||= answered
    const pauseMs = this.#peers.failed(retryAfterMs)
    if (!this.#isThere && this.#peers.allFailed) {
      throw new CommandError(`${message}: give the URL of a peer that runs with --url`)
    }
    if (!this.#isLost) this.#tools.tell(`${message}; trying ${this.#peers.current}`)
    this.#isLost = true
    await pause(pauseMs, this.#parts.stop)
  }

  /** Prints what one stream brings. Resolves with true when nothing more is to come; rejects with PassingError when it breaks. */
  async #follow(): Promise<boolean> {
    const { selection, start, follow } = this.#options
    const { agent, stop } = this.#parts
    const url = this.#peers.current
    if (!follow && this.#until === Number.POSITIVE_INFINITY)
      this.#until = await latestOffset(agent, url, topicPath(selection.wants[0]!), stop)
    const { attemptMs, silenceMs } = this.#tools
    const query = this.#cursor === '' ? start : ''
    const opened = await openStream(
      agent,
      { url, path: `${streamPath(selection)}${query}`, cursor: this.#cursor, attemptMs, silenceMs },
      stop,
    )
    this.#isThere = true
    if (opened.kind === 'ended') {
      this.#tools.tell(
        `${this.#what()} that the cursor belongs to ${selection.several ? 'have' : 'has'} ended`,
      )
      return true
    }
    for await (const frames of opened.frames) {
      if (frames.length === 0) continue
      this.#peers.succeeded()
      if (this.#isLost) this.#tools.tell(`going on at ${url}`)
      this.#isLost = false
      if (await this.#print(frames)) return true
    }
    return false
  }

  /** Prints frames; the cursor moves when they are written. Resolves with true when nothing more is wanted. */
  async #print(frames: readonly Frame[]): Promise<boolean> {
    const { output, file } = this.#parts
    const { tell } = this.#tools
    const printing = { json: this.#options.json, several: this.#options.selection.several }
    const printed: Uint8Array[] = []
    let cursor = this.#cursor
    let end: string | undefined
    for (const frame of frames) {
      if (this.#isDone(cursor)) break
      cursor = frame.cursor || cursor
      const received = readFrame({ ...frame, cursor }, printing)
      if (received.kind === 'end') end = received.reason
      if (received.kind === 'event') this.#left -= 1
      if ('what' in received) tell(received.what)
      if ('output' in received) printed.push(received.output)
      if (end !== undefined) break
    }
    if (!(await output.write(Buffer.concat(printed)))) return true
    this.#cursor = cursor
    if (cursor !== '') file?.keep(cursor)
    if (end === undefined) return this.#isDone(cursor)
    this.#ended(end)
    return true
  }

  #isDone(cursor: string): boolean {
    return this.#left <= 0 || (cursor !== '' && Number.parseInt(cursor, 10) >= this.#until)
  }

  /** A stream that opened before the topic could be asked says in its end what an answer would have said. */
  #ended(reason: string): void {
    const code =
      reason === 'unknown' ? 'UNKNOWN_TOPIC' : reason === 'future' ? 'CURSOR_FROM_FUTURE' : undefined
    if (code !== undefined) {
      const { title, remedy } = ERRORS[code]
      throw new CommandError(`${title}. ${remedy} (${code})`)
    }
    this.#tools.tell(`${this.#what()} ${this.#options.selection.several ? 'have' : 'has'} ended: ${reason}`)
  }

  #what(): string {
    const { selection } = this.#options
    return `the topic${selection.several ? 's' : ''} ${describeSelection(selection)}`
  }
}
