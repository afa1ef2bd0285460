import type { FastifyReply, FastifyRequest } from 'fastify'
import { formatCursor } from '../topics/cursor.ts'
import type { EventInput } from '../topics/types.ts'
import type { PeerApi } from './api.ts'
import { clientKey, eventsKey, readKey } from './idempotency.ts'
import { command, type Done } from './outcome.ts'
import { asHypercastError } from './problems.ts'
import type { BatchPublishedBody, PublishedBody } from './schemas.ts'
import { peerRef, rosterOf, topicPath } from './views.ts'

type Sent = Done<'published'>

/**
 * Publishes one event and answers with its place. Gives the number of events.
 * @throws HypercastError
 */
export async function publishOne(
  api: PeerApi,
  request: FastifyRequest,
  reply: FastifyReply,
  topic: string,
  event: EventInput,
): Promise<number> {
  const done = await send(api, request, reply, topic, [event])
  const { first, incarnation } = done.result
  const cursor = formatCursor(first, incarnation)
  const body: PublishedBody = { topic, offset: first, id: event.id ?? cursor, cursor, ...placed(api, done) }
  answer(reply, topic, first, body)
  return 1
}

/**
 * Publishes events together and answers with the first and the last place. Gives the number of events.
 * @throws HypercastError
 */
export async function publishMany(
  api: PeerApi,
  request: FastifyRequest,
  reply: FastifyReply,
  topic: string,
  events: readonly EventInput[],
): Promise<number> {
  const done = await send(api, request, reply, topic, events)
  const { first, last, incarnation } = done.result
  const cursor = formatCursor(last, incarnation)
  const body: BatchPublishedBody = {
    ...{ topic, first, last, cursor },
    count: last - first + 1,
    ...placed(api, done),
  }
  answer(reply, topic, first, body)
  return events.length
}

/** Runs a publish that gives its number of events, and counts its outcome. */
export async function counted(api: PeerApi, run: () => Promise<number>): Promise<void> {
  try {
    api.metrics.published('ok', await run())
  } catch (error) {
    api.metrics.published(asHypercastError(error).code, 0)
    throw error
  }
}

/** An Idempotency-Key beats what the events say of themselves. */
function send(
  api: PeerApi,
  request: FastifyRequest,
  reply: FastifyReply,
  topic: string,
  events: readonly EventInput[],
): Promise<Sent> {
  const key = clientKey(readKey(request.headers['idempotency-key']) ?? eventsKey(events), events)
  return command(api, reply, 'published', {
    kind: 'publish',
    topic,
    events,
    ...(key === undefined ? {} : { clientKey: key }),
  })
}

function answer(reply: FastifyReply, topic: string, first: number, body: object): void {
  reply
    .code(201)
    .header('location', `${topicPath(topic)}/events?from=${first}`)
    .send(body)
}

function placed(api: PeerApi, { result, replicas, primary }: Sent) {
  return {
    time: new Date(result.timeMs).toISOString(),
    primary: peerRef(rosterOf(api), primary),
    replicas,
  }
}
