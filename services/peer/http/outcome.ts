import type { FastifyReply } from 'fastify'
import type { PeerId } from '../cube/labels.ts'
import { type ErrorCode, HypercastError } from '../errors.ts'
import type { Operation, OperationResult } from '../links/types.ts'
import type { ApplyResult, RefusalCode, Request } from '../topics/types.ts'
import type { PeerApi } from './api.ts'
import { peerRef, rosterOf, topicPath } from './views.ts'

/** A command that was carried out, and by whom. */
export interface Done<K extends ApplyResult['kind']> {
  readonly result: Extract<ApplyResult, { kind: K }>
  readonly replicas: number
  readonly primary: PeerId
}

/** Codes of the error table for the state machine's refusals. */
const REFUSALS: Readonly<Record<RefusalCode, ErrorCode>> = {
  UNKNOWN_TOPIC: 'UNKNOWN_TOPIC',
  TOPIC_EXISTS: 'TOPIC_EXISTS',
  TOO_MANY_TOPICS: 'TOO_MANY_TOPICS',
  KEY_REUSED: 'IDEMPOTENCY_KEY_REUSED',
  KEY_SPACE_FULL: 'KEY_SPACE_FULL',
  // This peer gave the request up before: whether an attempt of it was applied cannot be told any more.
  STALE_PRODUCER: 'OUTCOME_UNKNOWN',
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
  const appended = succeed(reply, path, result, 'appended')
  sayPrimary(api, reply, appended.primary)
  if (appended.result.kind === 'refused') throw refusal(api, appended.result.code, request.topic)
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
  return succeed(reply, path, result, kind)
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
  return refusal(api, 'UNKNOWN_TOPIC', name)
}

function succeed<K extends OperationResult['kind']>(
  reply: FastifyReply,
  path: readonly PeerId[],
  result: OperationResult,
  kind: K,
): Extract<OperationResult, { kind: K }> {
  if (path.length > 0) reply.header('hypercast-path', path.join(','))
  if (result.kind === kind) return result as Extract<OperationResult, { kind: K }>
  if (result.kind !== 'failed') throw new HypercastError('INTERNAL')
  throw new HypercastError(result.definite ? result.code : 'OUTCOME_UNKNOWN')
}

function refusal(api: PeerApi, code: RefusalCode, topic: string): HypercastError {
  if (code !== 'UNKNOWN_TOPIC') return new HypercastError(REFUSALS[code])
  const url = `${peerRef(rosterOf(api), api.self)?.url ?? ''}${topicPath(topic)}`
  return new HypercastError(
    'UNKNOWN_TOPIC',
    `There is no topic "${topic}". Create it with: curl -X PUT ${url}`,
    { topic },
  )
}
