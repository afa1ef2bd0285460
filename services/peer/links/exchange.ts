import type { Dispatcher } from 'undici'
import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import { LinkError, statusError, toLinkError } from './errors.ts'

/** One request to another peer. */
export interface Ask {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** Time for the whole answer; without it the caller watches. */
  readonly timeoutMs?: number
}

/** What a streamed exchange tells as it goes; `end` or `fail` comes last, once. */
export interface ExchangeListener {
  /** A part of the body of an answer with status 200. */
  data(chunk: Buffer): void
  end(): void
  fail(error: LinkError): void
}

/**
 * Sends one request and tells `listener` what comes back. Leaner than undici's `request`: no stream, no signal.
 * @returns the way to give it up: `listener.fail` is called with the reason at once.
 */
export function exchange(to: Dispatcher, ask: Ask, listener: ExchangeListener): (reason: LinkError) => void {
  let controller: Dispatcher.DispatchController | undefined
  let started = false
  let over: LinkError | true | undefined
  let status = 0
  let errorBody = ''
  const finish = (outcome: LinkError | true) => {
    if (over) return
    over = outcome
    if (outcome === true) listener.end()
    else listener.fail(outcome)
  }
  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(given) {
      controller = given
      if (over instanceof LinkError) given.abort(over)
      else started = true
    },
    onResponseStart(_controller, statusCode) {
      status = statusCode
    },
    onResponseData(_controller, chunk) {
      if (over) return
      if (status === 200) listener.data(chunk)
      else if (errorBody.length < LIMITS.MAX_PEER_ERROR_BYTES)
        errorBody += chunk.toString('utf8', 0, LIMITS.MAX_PEER_ERROR_BYTES)
    },
    onResponseEnd() {
      finish(status === 200 ? true : statusError(status, errorBody))
    },
    onResponseError(_controller, error) {
      finish(toLinkError(error, started))
    },
  }
  const { method, path, headers, body } = ask
  try {
    to.dispatch({ method, path, headers, body: body ?? null }, handler)
  } catch (error) {
    finish(toLinkError(error, false))
  }
  return reason => {
    if (over) return
    finish(reason)
    controller?.abort(reason)
  }
}

/** Sends one request and collects the body of the answer. Rejects with LinkError. */
export function collect(to: Dispatcher, ask: Ask, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const { timeoutMs } = ask
    const chunks: Buffer[] = []
    let sizeBytes = 0
    let giveUp: ((reason: LinkError) => void) | undefined
    const cancel =
      timeoutMs === undefined
        ? () => {}
        : clock.after(timeoutMs, () => giveUp?.(new LinkError('silent', `no answer in ${timeoutMs} ms`)))
    giveUp = exchange(to, ask, {
      data(chunk) {
        sizeBytes += chunk.length
        if (sizeBytes > LIMITS.MAX_PEER_BODY_BYTES)
          giveUp?.(new LinkError('broken', 'the answer is too large'))
        else chunks.push(chunk)
      },
      end() {
        cancel()
        resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks))
      },
      fail(error) {
        cancel()
        reject(error)
      },
    })
  })
}
