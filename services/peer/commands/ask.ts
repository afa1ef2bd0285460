import { request } from 'undici'
import type { PeerBody, ProgressBody } from '../http/schemas.ts'

/** A peer that does not answer for so long is not waited for; a question to the whole cube takes seconds. */
const ANSWER_TIMEOUT_MS = 60_000

/** What GET /v1/peers?progress=true answers. */
export interface PeersAnswer extends ProgressBody {
  readonly peers: readonly PeerBody[]
  readonly format: number
}

/** A command could not do what it was asked for. The message is one line that says what to do. */
export class CommandError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'CommandError'
  }
}

/** How long an answer is waited for. */
export interface Patience {
  readonly timeoutMs: number
  /** What is said when it does not come in time; without it, that no peer answers. */
  readonly late?: string
}

/** Nobody, or something else than a peer, answers at a URL. */
export class NoAnswerError extends CommandError {}

/**
 * Asks a peer, with a body or without, and resolves with the JSON it answers. Rejects with CommandError: the problem it answers, in one line;
 * NoAnswerError when there is no peer; and with the reason of `signal` when that is aborted.
 */
export async function ask<T>(
  method: 'GET' | 'POST' | 'DELETE',
  url: string,
  path: string,
  signal?: AbortSignal,
  json?: object,
  patience: Patience = { timeoutMs: ANSWER_TIMEOUT_MS },
): Promise<T> {
  const { timeoutMs, late } = patience
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    const { statusCode, body } = await request(`${url}${path}`, {
      method,
      ...(json && { body: JSON.stringify(json), headers: { 'content-type': 'application/json' } }),
      // A connection that is kept would keep a command from ending.
      reset: true,
      ...{ headersTimeout: timeoutMs, bodyTimeout: timeoutMs },
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    })
    const text = await body.text()
    if (statusCode >= 200 && statusCode < 300) return JSON.parse(text) as T
    throw new CommandError(problemLine(text) ?? `${url}${path} answers ${statusCode}: is a peer there?`)
  } catch (error) {
    if (error instanceof CommandError) throw error
    signal?.throwIfAborted()
    if (timeout.aborted && late !== undefined) throw new CommandError(late)
    if (error instanceof SyntaxError) throw new NoAnswerError(`${url} is no peer: it answers no JSON`)
    throw new NoAnswerError(
      `no peer answers at ${url} (${reason(error)}): start one there, or give the URL of one that runs with --url`,
    )
  }
}

/** The peers and what is still to move, as the peer at `url` says. Rejects as `ask` does. */
export async function askPeers(url: string, signal?: AbortSignal): Promise<PeersAnswer> {
  const answer = await ask<PeersAnswer>('GET', url, '/v1/peers?progress=true', signal)
  if (Array.isArray(answer?.peers)) return answer
  throw new NoAnswerError(`${url} is no peer: it answers no list of peers`)
}

/** An error document as one line; undefined for anything else. */
export function problemLine(text: string): string | undefined {
  try {
    const { detail, remedy, code } = JSON.parse(text)
    if (typeof detail !== 'string' || typeof remedy !== 'string') return undefined
    return `${detail} ${remedy} (${code})`.replaceAll(/\s+/g, ' ')
  } catch {
    return undefined
  }
}

/** Why a request failed, in a word or a few. */
export function reason(error: unknown): string {
  const { code, message, name } = error as NodeJS.ErrnoException
  return name === 'TimeoutError' ? 'it takes too long' : (code ?? message)
}
