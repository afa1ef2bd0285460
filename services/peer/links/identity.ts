import { Client } from 'undici'
import type { Roster } from '../cube/roster.ts'
import { CodecError } from '../engine/shapes.ts'
import type { Clock } from '../engine/types.ts'
import { rosterBody } from '../engine/wire.ts'
import { LIMITS } from '../limits.ts'
import { collect } from './exchange.ts'

/** Who answers at an address: its store, the cluster it belongs to, if it does, and its process. */
export interface PeerIdentity {
  readonly uid: string
  readonly clusterId: string | null
  /** Random, another one in each process: two that say the same uid run on copies of one store. */
  readonly run: string
}

/**
 * GET /v1/relay/identity of the peer at `url`. Rejects with LinkError when nobody answers in time, with CodecError when
 * the answer is none.
 */
export async function identify(url: string, timeoutMs: number, clock: Clock): Promise<PeerIdentity> {
  return readIdentity(await get(url, '/v1/relay/identity', {}, timeoutMs, clock))
}

/**
 * The roster by which the peer at `url` goes, for a peer that has no links yet. Rejects with LinkError, also when the
 * peer is of another cluster, or with CodecError.
 */
export async function fetchRoster(
  url: string,
  clusterId: string,
  timeoutMs: number,
  clock: Clock,
): Promise<Roster> {
  const headers = { 'hypercast-cluster': clusterId }
  return rosterBody.decode(await get(url, '/v1/relay/roster', headers, timeoutMs, clock))
}

/** One question on a connection of its own. */
async function get(
  url: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
  clock: Clock,
): Promise<Buffer> {
  const client = new Client(url, { headersTimeout: 0, bodyTimeout: 0, connect: { timeout: timeoutMs } })
  try {
    return await collect(client, { method: 'GET', path, headers, timeoutMs }, clock)
  } finally {
    client.destroy().catch(() => {})
  }
}

function readIdentity(body: Uint8Array): PeerIdentity {
  const said = parse(body)
  const { uid, clusterId, run } = (said ?? {}) as Partial<Record<keyof PeerIdentity, unknown>>
  if (!isName(uid) || !isName(run) || !(clusterId === null || isName(clusterId))) {
    throw new CodecError('the answer is no identity')
  }
  return { uid, clusterId, run }
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
