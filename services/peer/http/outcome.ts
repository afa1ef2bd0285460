import type { FastifyReply } from 'fastify'
import type { PeerId } from '../cube/labels.ts'
import { type ErrorCode, HypercastError } from '../errors.ts'
import type { Operation, OperationResult } from '../links/types.ts'
import type { ApplyResult, RefusalCode, Request } from '../topics/types.ts'
import type { PeerApi } from './api.ts'
import { peerRef, rosterOf, shownId, topicPath } from './views.ts'

/** A command that was carried out, and by whom. */
export interface Done<K extends ApplyResult['kind']> {
  readonly result: Extract<ApplyResult, { kind: K }>
  readonly replicas: number
  readonly primary: PeerId
}

/** The state machine's refusals that go by another name in the error table. */
const RENAMED: Readonly<Record<Exclude<RefusalCode, ErrorCode>, ErrorCode>> = {
  KEY_REUSED: 'IDEMPOTENCY_KEY_REUSED',
  // This peer gave the request up before: whether an attempt of it was applied cannot be told any more.
  STALE_PRODUCER: 'OUTCOME_UNKNOWN',
  // Commands are sent to the slot they are for: another one is this program's mistake.
  WRONG_SLOT: 'INTERNAL',
}

/**
 * Gives a command to the cube and says on `reply` which way it took.
 * @throws HypercastError for every outcome but the one of `kind`
 */
export async function command<K extends ApplyResult['kind']>(
  api: PeerApi,
  reply: FastifyReply,
  kind: K,
  request: Request,
): Promise<Done<K>> {
  const { result, path } = await api.dispatcher.append(request, deadline(api))
  const appended = succeed(api, reply, path, result, 'appended')
  sayPrimary(api, reply, appended.primary)
  if (appended.result.kind === 'refused') {
    const { code, detail } = appended.result
    if (code === 'UNKNOWN_TOPIC' && request.kind !== 'roster') throw unknownTopic(api, request.topic)
    throw new HypercastError(errorCode(code), detail)
  }
  if (appended.result.kind !== kind) throw new HypercastError('INTERNAL')
  return appended as unknown as Done<K>
}

/**
 * Runs an operation that changes nothing and says on `reply` which way it took.
 * @throws HypercastError
 */
export async function ask<K extends OperationResult['kind']>(
  api: PeerApi,
  reply: FastifyReply,
  kind: K,
  operation: Operation,
): Promise<Extract<OperationResult, { kind: K }>> {
  const { result, path } = await api.dispatcher.dispatch(operation, deadline(api))
  return succeed(api, reply, path, result, kind)
}

/** Until when a client's request of now may take, monotonic. */
export function deadline(api: PeerApi): number {
  return api.clock.monotonicMs() + api.settings.publishTimeoutMs
}

/** The primary's address, so that a client that publishes much can go straight there. */
export function sayPrimary(api: PeerApi, reply: FastifyReply, primary: PeerId | null): void {
  const ref = peerRef(rosterOf(api), primary)
  if (ref) reply.header('hypercast-primary', ref.url)
}

/** The error that says: there is no such topic, and how to create it. */
export function unknownTopic(api: PeerApi, name: string): HypercastError {
  const url = `${peerRef(rosterOf(api), api.self)?.url ?? ''}${topicPath(name)}`
  return new HypercastError(
    'UNKNOWN_TOPIC',
    `There is no topic "${name}". Create it with: curl -X PUT ${url}`,
    { topic: name },
  )
}

function succeed<K extends OperationResult['kind']>(
  api: PeerApi,
  reply: FastifyReply,
  path: readonly PeerId[],
  result: OperationResult,
  kind: K,
): Extract<OperationResult, { kind: K }> {
  const roster = rosterOf(api)
  if (path.length > 0) reply.header('hypercast-path', path.map(id => shownId(roster, id)).join(','))
  if (result.kind === kind) return result as Extract<OperationResult, { kind: K }>
  if (result.kind !== 'failed') throw new HypercastError('INTERNAL')
  throw new HypercastError(result.definite ? result.code : 'OUTCOME_UNKNOWN', result.detail)
}

function errorCode(code: RefusalCode): ErrorCode {
  return code in RENAMED ? RENAMED[code as keyof typeof RENAMED] : (code as ErrorCode)
}
