import { createParser } from 'eventsource-parser'
import { type Agent, request } from 'undici'
import { LIMITS } from '../limits.ts'
import { CommandError, reason } from './ask.ts'
import { PassingError, refusal } from './peer-list.ts'

/** One block of an event stream. */
export interface Frame {
  /** Where the stream stands behind this block: what a reconnect resumes behind. */
  readonly cursor: string
  /** Name of the SSE event; undefined for `message`. */
  readonly name?: string | undefined
  /** Undefined for a block that only tells the position. */
  readonly data?: string
}

/** A stream that is open; `ended` is the answer 204: nothing will ever come. */
export type Opened = { readonly kind: 'ended' } | { readonly kind: 'open'; readonly frames: FrameChunks }

/** The blocks that each chunk of the connection completed, perhaps none. Ends by rejecting with PassingError. */
export type FrameChunks = AsyncGenerator<Frame[], never, undefined>

/** Which stream is asked for. */
export interface StreamRequest {
  /** Base URL of the peer. */
  readonly url: string
  /** Path and query. */
  readonly path: string
  /** Resumes behind this; empty for none. */
  readonly cursor: string
  readonly attemptMs?: number
  readonly silenceMs?: number
}

/**
 * Asks one peer for a topic's stream. Rejects with RefusedError for what no peer will do, and with PassingError.
 * @param signal closes the stream
 */
export async function openStream(agent: Agent, asked: StreamRequest, signal: AbortSignal): Promise<Opened> {
  const { url, path, cursor, attemptMs, silenceMs = LIMITS.SUB_SILENCE_MS } = asked
  try {
    const response = await request(`${url}${path}`, {
      headers: { accept: 'text/event-stream', ...(cursor && { 'last-event-id': cursor }) },
      dispatcher: agent,
      signal,
      headersTimeout: attemptMs ?? LIMITS.COMMAND_ATTEMPT_MS,
      // Between two chunks, while they are asked for: heartbeats are chunks, too.
      bodyTimeout: silenceMs,
    })
    const { statusCode, headers, body } = response
    if (statusCode === 204) {
      await body.dump()
      return { kind: 'ended' }
    }
    if (statusCode !== 200) throw await refusal(url, response)
    if (/^text\/event-stream\b/i.test(String(headers['content-type']))) {
      return { kind: 'open', frames: readFrames(url, body) }
    }
    body.on('error', () => {}).destroy()
    throw new CommandError(`${url} is no peer: it answers no event stream`)
  } catch (error) {
    throw passing(error, url)
  }
}

/** The last offset of a topic there is now. Rejects as `openStream` does. */
export async function latestOffset(
  agent: Agent,
  url: string,
  path: string,
  signal: AbortSignal,
): Promise<number> {
  try {
    const response = await request(`${url}${path}`, {
      dispatcher: agent,
      signal: AbortSignal.any([signal, AbortSignal.timeout(LIMITS.COMMAND_ATTEMPT_MS)]),
    })
    if (response.statusCode !== 200) throw await refusal(url, response)
    const { latest } = JSON.parse(await response.body.text())
    if (Number.isSafeInteger(latest)) return latest
    throw new CommandError(`${url} is no peer: it answers no topic`)
  } catch (error) {
    if (error instanceof SyntaxError) throw new CommandError(`${url} is no peer: it answers no JSON`)
    throw passing(error, url)
  }
}

function passing(error: unknown, url: string): Error {
  if (error instanceof PassingError || error instanceof CommandError) return error
  return new PassingError(`no answer from ${url} (${reason(error)})`, true)
}

async function* readFrames(url: string, body: AsyncIterable<Uint8Array>): FrameChunks {
  let frames: Frame[] = []
  let comment = ''
  let tooLong = false
  const parser = createParser({
    maxBufferSize: LIMITS.SUB_FRAME_CHARACTERS,
    onId: cursor => frames.push({ cursor }),
    onEvent: ({ id, event, data }) => {
      // Its id was told just before.
      if (id !== undefined) frames.pop()
      frames.push({ cursor: id ?? '', name: event, data })
    },
    onComment: text => {
      comment = text.trim() || comment
    },
    onError: ({ type }) => {
      tooLong ||= type === 'max-buffer-size-exceeded'
    },
  })
  const decoder = new TextDecoder()
  try {
    for await (const chunk of body) {
      parser.feed(decoder.decode(chunk, { stream: true }))
      if (tooLong) throw new CommandError(`${url} sends a frame that is longer than any peer's`)
      yield frames
      frames = []
    }
  } catch (error) {
    if (error instanceof CommandError) throw error
    throw new PassingError(`${url} broke off (${reason(error)})`, true)
  }
  // A peer that cannot serve a stream now says why in a comment and ends it.
  throw new PassingError(comment === '' ? `${url} ended the stream` : `${url}: ${comment}`, true)
}
