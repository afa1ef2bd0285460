import { randomUUID } from 'node:crypto'
import { type Agent, request } from 'undici'
import type { BatchPublishedBody } from '../http/schemas.ts'
import { LIMITS } from '../limits.ts'
import { CommandError, reason } from './ask.ts'
import { PassingError, type PeerList, pause, refusal } from './peer-list.ts'

/** Times of a publish, in milliseconds. */
export interface PublishTimes {
  /** One attempt at one peer. */
  readonly attemptMs: number
  /** All attempts of one batch. */
  readonly patienceMs: number
}

/** What goes along with publishing. */
export interface PublishTools {
  readonly times?: PublishTimes | undefined
  /** When it is aborted the attempt under way is the last. */
  readonly signal: AbortSignal
  /** Is told why a batch waits, each time that an attempt has failed. */
  readonly waits: (trouble: string) => void
}

const TIMES: PublishTimes = { attemptMs: LIMITS.COMMAND_ATTEMPT_MS, patienceMs: LIMITS.COMMAND_PATIENCE_MS }

/** A batch was given up. */
export class GivenUpError extends CommandError {
  /** False: its events may have been published all the same. */
  readonly definite: boolean
  constructor(message: string, definite: boolean) {
    super(message)
    this.definite = definite
  }
}

/** Publishes batches to one topic, each under a key of its own, so that a retry through whichever peer makes no second event. */
export class BatchPublisher {
  readonly #agent: Agent
  readonly #peers: PeerList
  readonly #path: string
  readonly #times: PublishTimes
  readonly #tools: PublishTools

  constructor(agent: Agent, peers: PeerList, topic: string, tools: PublishTools) {
    this.#agent = agent
    this.#peers = peers
    this.#path = `/v1/topics/${encodeURIComponent(topic)}/batch`
    this.#times = tools.times ?? TIMES
    this.#tools = tools
  }

  /**
   * Resolves with what the peer answers that took the batch. Rejects with RefusedError when it was refused for good, and
   * with GivenUpError when the attempts have taken too long, or when one failed and the signal is aborted.
   * @param body batch items, one a line
   */
  async publish(body: Buffer): Promise<BatchPublishedBody> {
    const key = `"${randomUUID()}"`
    const { signal, waits } = this.#tools
    const deadlineMs = performance.now() + this.#times.patienceMs
    let definite = true
    for (;;) {
      try {
        const answer = await this.#attempt(body, key)
        this.#peers.succeeded()
        return answer
      } catch (error) {
        if (!(error instanceof PassingError)) {
          // The refusal is about this attempt; one before may have been carried out.
          throw definite || !(error instanceof CommandError) ? error : new GivenUpError(error.message, false)
        }
        definite &&= error.definite
        const pauseMs = this.#peers.failed(error.retryAfterMs)
        waits(`${error.message}; trying ${this.#peers.current}`)
        const isLate = performance.now() + pauseMs >= deadlineMs
        if (!isLate) await pause(pauseMs, signal)
        if (isLate || signal.aborted) throw new GivenUpError(error.message, definite)
      }
    }
  }

  async #attempt(body: Buffer, key: string): Promise<BatchPublishedBody> {
    const url = this.#peers.current
    const { attemptMs } = this.#times
    try {
      const response = await request(`${url}${this.#path}`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/x-ndjson', 'idempotency-key': key },
        dispatcher: this.#agent,
        signal: AbortSignal.timeout(attemptMs),
        ...{ headersTimeout: attemptMs, bodyTimeout: attemptMs },
      })
      if (response.statusCode < 200 || response.statusCode > 299) throw await refusal(url, response)
      return readAnswer(url, await response.body.text())
    } catch (error) {
      if (error instanceof PassingError || error instanceof CommandError) throw error
      const { code = '' } = error as NodeJS.ErrnoException
      throw new PassingError(`no answer from ${url} (${reason(error)})`, NEVER_CONNECTED.has(code))
    }
  }
}

function readAnswer(url: string, text: string): BatchPublishedBody {
  try {
    const answer = JSON.parse(text)
    if (Number.isSafeInteger(answer?.count)) return answer
  } catch {
    // Not JSON: no peer either.
  }
  throw new CommandError(`${url} is no peer: it does not say what it published`)
}

/** Errors of connections that never came to be. */
const NEVER_CONNECTED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])
