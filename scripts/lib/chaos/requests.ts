import type { Agent } from 'node:http'
import { parseCursor } from '../../../services/peer/topics/cursor.ts'
import type { OutcomeKind } from '../checker/operations.ts'
import { type Answer, ask } from '../http.ts'
import type { Recorder } from './recorder.ts'

/** A client gives up after this: a little more than a peer itself may take. */
export const CLIENT_TIMEOUT_MS = 12_000

/** Errors of the cube and of this request's own making; any other is odd. */
const USUAL_ERRORS = new Set([
  'IDEMPOTENCY_KEY_IN_FLIGHT',
  'NO_PRIMARY',
  'UNREACHABLE',
  'OVERLOADED',
  'STOPPING',
  'NOT_FOUNDED',
  'DISK_FULL',
  'OUTCOME_UNKNOWN',
  'KEY_SPACE_FULL',
])

export interface PublishOptions {
  readonly recorder: Recorder
  readonly client: string
  readonly topic: string
  readonly ids: readonly string[]
  readonly key?: string
  readonly base: string
  readonly agent: Agent
  /** Put behind each id, so that events differ in size. */
  readonly padding?: string
}

export interface Published {
  readonly outcome: OutcomeKind
  readonly toMs: number
  /** The problem's code, or that of the connection's error. */
  readonly why?: string
}

/**
 * One publish of one event or of a batch, never tried again. It is refused when the answer is a definite error, or
 * when no connection was made; without an answer, with 504 or with an answer that is no problem document its outcome
 * is unknown.
 */
export async function publishOnce(options: PublishOptions): Promise<Published> {
  const { recorder, client, topic, ids, key, base, agent, padding = '' } = options
  const isBatch = ids.length > 1
  const payloads = ids.map(id => `${id} ${padding}`.trimEnd())
  const fromMs = performance.now()
  const answer = await ask(`${topicUrl(base, topic)}/${isBatch ? 'batch' : 'publish'}`, {
    method: 'POST',
    body: isBatch ? payloads.map(data => JSON.stringify({ data })).join('\n') : payloads[0],
    headers: {
      ...(isBatch && { 'content-type': 'application/x-ndjson' }),
      ...(key !== undefined && { 'idempotency-key': key }),
    },
    agent,
    timeoutMs: CLIENT_TIMEOUT_MS,
  }).catch((error: NodeJS.ErrnoException) => error)
  const toMs = performance.now()
  const judged = judge(answer, recorder, `${client} published to ${topic} at ${base}`)
  recorder.add({
    kind: 'send',
    client,
    topic,
    fromMs,
    toMs,
    ids,
    ...(key !== undefined && { key }),
    ...judged,
  })
  return { outcome: judged.outcome, toMs, ...('why' in judged && { why: judged.why }) }
}

/** A linearizable read of where a topic ends. Records nothing when no answer came. */
export async function readBarrier(
  recorder: Recorder,
  client: string,
  topic: string,
  base: string,
): Promise<void> {
  const fromMs = performance.now()
  const answer = await ask(topicUrl(base, topic), { timeoutMs: CLIENT_TIMEOUT_MS }).catch(() => undefined)
  const toMs = performance.now()
  if (answer?.status === 200) {
    const { incarnation, latest } = JSON.parse(answer.body) as { incarnation: number; latest: number }
    recorder.add({ kind: 'barrier', client, topic, fromMs, toMs, found: { incarnation, latest } })
  } else if (answer?.status === 404) {
    recorder.add({ kind: 'barrier', client, topic, fromMs, toMs, found: null })
  }
}

export function topicUrl(base: string, topic: string): string {
  return `${base}/v1/topics/${encodeURIComponent(topic)}`
}

/** The id in a payload: what stands before the padding. */
export function idOf(payload: string): string {
  return payload.split(' ', 1)[0]!
}

/** The problem's code of an error's body; undefined when it is none. */
export function problemCode(body: string): string | undefined {
  try {
    return (JSON.parse(body) as { code?: string }).code
  } catch {
    return undefined
  }
}

type Judged =
  | { outcome: 'acknowledged'; incarnation: number; first: number; last: number }
  | { outcome: 'refused' | 'unknown'; why: string }

function judge(answer: Answer | NodeJS.ErrnoException, recorder: Recorder, what: string): Judged {
  if (answer instanceof Error) {
    // Nothing listened there: nothing was sent.
    const outcome = answer.code === 'ECONNREFUSED' ? 'refused' : 'unknown'
    return { outcome, why: answer.code ?? answer.name }
  }
  if (answer.status === 201) {
    const body = JSON.parse(answer.body) as { offset?: number; first?: number; last?: number; cursor: string }
    const first = body.first ?? body.offset!
    const { incarnation } = parseCursor(body.cursor)!
    return { outcome: 'acknowledged', incarnation, first, last: body.last ?? first }
  }
  const code = problemCode(answer.body)
  if (code === undefined || !USUAL_ERRORS.has(code)) {
    recorder.oddAnswer(`${what} and was answered ${answer.status}: ${answer.body.slice(0, 300)}`)
  }
  const isDefinite = code !== undefined && code !== 'OUTCOME_UNKNOWN' && code !== 'INTERNAL'
  return { outcome: isDefinite ? 'refused' : 'unknown', why: code ?? `status ${answer.status}` }
}
