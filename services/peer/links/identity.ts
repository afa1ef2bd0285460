import { Client } from 'undici'
import { CodecError } from '../engine/shapes.ts'
import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import { collect } from './exchange.ts'

/** Who answers at an address: its store, and the cluster it belongs to, if it does. */
export interface PeerIdentity {
  readonly uid: string
  readonly clusterId: string | null
}

/**
 * GET /v1/relay/identity of the peer at `url`. Rejects with LinkError when nobody answers in time, with CodecError when
 * the answer is none.
 */
export async function identify(url: string, timeoutMs: number, clock: Clock): Promise<PeerIdentity> {
  const client = new Client(url, { headersTimeout: 0, bodyTimeout: 0, connect: { timeout: timeoutMs } })
  try {
    const ask = { method: 'GET', path: '/v1/relay/identity', headers: {}, timeoutMs } as const
    return readIdentity(await collect(client, ask, clock))
  } finally {
    client.destroy().catch(() => {})
  }
}

function readIdentity(body: Uint8Array): PeerIdentity {
  const said = parse(body)
  const { uid, clusterId } = (said ?? {}) as { uid?: unknown; clusterId?: unknown }
  if (!isName(uid) || !(clusterId === null || isName(clusterId)))
    throw new CodecError('the answer is no identity')
  return { uid, clusterId }
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new CodecError('the answer is not JSON')
  }
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length >= 1 && value.length <= LIMITS.MAX_UID_LENGTH
}
