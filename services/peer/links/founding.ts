import { Client } from 'undici'
import { CodecError } from '../engine/shapes.ts'
import type { Clock } from '../engine/types.ts'
import { bodyFormat, CONTENT_TYPES } from '../engine/wire.ts'
import { collect } from './exchange.ts'
import type { PeerBody } from './handlers.ts'

/**
 * Brings a founding statement to the peer at `url` and gives back its answer, decoded and not yet checked. Rejects
 * with LinkError when it cannot be reached or does not answer in time, with CodecError when the answer is not JSON.
 */
export async function askFounding(
  url: string,
  statement: unknown,
  timeoutMs: number,
  clock: Clock,
): Promise<unknown> {
  // Founding is over in a moment: a connection for each question leaves nothing behind.
  const client = new Client(url, { headersTimeout: 0, bodyTimeout: 0, connect: { timeout: timeoutMs } })
  const headers = { 'content-type': CONTENT_TYPES.json, accept: CONTENT_TYPES.json }
  const body = Buffer.from(JSON.stringify(statement))
  try {
    return parse(
      await collect(client, { method: 'POST', path: '/v1/relay/founding', headers, body, timeoutMs }, clock),
    )
  } finally {
    client.destroy().catch(() => {})
  }
}

/**
 * POST /v1/relay/founding: hands the decoded body to `answer` and gives back what that returned. Throws
 * HypercastError for what is not JSON, and what `answer` throws.
 */
export function handleFounding(
  contentType: string | undefined,
  body: Uint8Array,
  answer: (statement: unknown) => unknown,
): PeerBody {
  if (bodyFormat(contentType) !== 'json') throw new CodecError('founding is spoken in JSON')
  return { contentType: CONTENT_TYPES.json, body: Buffer.from(JSON.stringify(answer(parse(body)))) }
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new CodecError('the body is not JSON')
  }
}
