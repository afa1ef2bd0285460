import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { HypercastError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import { formatCursor } from '../../topics/cursor.ts'
import type { EventInput } from '../../topics/types.ts'
import type { HttpOptions, PeerApi } from '../api.ts'
import { readBatch } from '../batch.ts'
import { readEvent, refuseEncoded } from '../event-input.ts'
import { clientKey, readKey } from '../idempotency.ts'
import { OPTIONAL_BODY } from '../openapi.ts'
import { command } from '../outcome.ts'
import { asHypercastError } from '../problems.ts'
import { rawBodies } from '../raw-bodies.ts'
import {
  type BatchPublishedBody,
  jsonResponse,
  type PublishedBody,
  problemResponses,
  ROUTE_HEADERS,
  TopicParams,
} from '../schemas.ts'
import { checkTopicName, peerRef, rosterOf, topicPath } from '../views.ts'

const KeyHeader = Type.Optional(
  Type.String({
    description:
      'The same key with the same payload gives the first answer again, for at least five minutes; quoted or bare.',
    examples: ['"8e03978e-40d5-43dd-bc93-6894a57f9324"'],
  }),
)
const ContextHeader = (description: string) => Type.Optional(Type.String({ description }))
const BATCH_TYPES: ReadonlySet<string> = new Set([
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
])
const BATCH_LINE = {
  type: 'string',
  description: 'One object a line: {"data":"Match Update 1"}, with type, id and contentType if wanted.',
  examples: ['{"data":"Match Update 1"}\n{"data":{"score":[1,0]},"type":"goal"}\n'],
}
const PUBLISHING = [
  'INVALID_TOPIC_NAME',
  'UNKNOWN_PARAMETER',
  'INVALID_REQUEST',
  'INVALID_EVENT',
  'FOREIGN_ORIGIN',
  'UNKNOWN_TOPIC',
  'IDEMPOTENCY_KEY_IN_FLIGHT',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'IDEMPOTENCY_KEY_REUSED',
  'NO_PRIMARY',
  'UNREACHABLE',
  'OVERLOADED',
  'STOPPING',
  'NOT_FOUNDED',
  'CLOCK_SKEW',
  'KEY_SPACE_FULL',
  'OUTCOME_UNKNOWN',
  'DISK_FULL',
] as const
const Headers = {
  ...ROUTE_HEADERS,
  Location: { type: 'string', description: 'Where the event can be read again.' },
}

/** POST …/publish and …/batch. */
const publish: FastifyPluginAsyncTypebox<HttpOptions> = async (app, { api }) => {
  rawBodies(app)

  app.post(
    '/v1/topics/:topic/publish',
    {
      bodyLimit: api.settings.maxPayloadBytes,
      schema: {
        operationId: 'publishEvent',
        tags: ['events'],
        summary: 'Publish one event',
        description:
          'The body is the event, as it is, of any content type; curl’s default form type, or none, counts as text. ' +
          'CloudEvents’ binary mode: the attributes in `ce-*` headers. Answered when a majority of the replicas has it on disk.',
        [OPTIONAL_BODY]: true,
        params: TopicParams,
        headers: Type.Object({
          'Idempotency-Key': KeyHeader,
          'ce-id': ContextHeader('The publisher’s id of the event.'),
          'ce-type': ContextHeader(
            'The event’s type, its name in SSE with `named=true`; open, error, message, gap, end and cloudevent are reserved.',
          ),
          'ce-source': ContextHeader('CloudEvents source, kept as it is, like every other `ce-*` header.'),
        }),
        body: { content: { '*/*': { schema: { description: 'The event.', examples: ['Match Update 1'] } } } },
        response: {
          201: jsonResponse('Published', 'The event is kept.', Headers),
          ...problemResponses(...PUBLISHING, 'NOT_TEXT'),
        },
      },
    },
    (request, reply) =>
      counted(api, async () => {
        const topic = checkTopicName(request.params.topic)
        const event = readEvent(request.headers, request.body as Buffer | undefined)
        const done = await send(api, request, reply, topic, [event])
        const { first, incarnation } = done.result
        const cursor = formatCursor(first, incarnation)
        const body: PublishedBody = {
          topic,
          offset: first,
          id: event.id ?? cursor,
          cursor,
          ...placed(api, done),
        }
        reply
          .code(201)
          .header('location', `${topicPath(topic)}/events?from=${first}`)
          .send(body)
        return 1
      }),
  )

  app.post(
    '/v1/topics/:topic/batch',
    {
      bodyLimit: api.settings.maxBatchBytes,
      schema: {
        operationId: 'publishBatch',
        tags: ['events'],
        summary: 'Publish many events, all or nothing',
        description: `At most ${LIMITS.MAX_BATCH_EVENTS} events. A string as \`data\` is text, anything else JSON, \`data_base64\` binary. An error names its line.`,
        params: TopicParams,
        headers: Type.Object({ 'Idempotency-Key': KeyHeader }),
        body: { content: { 'application/x-ndjson': { schema: BATCH_LINE } } },
        response: {
          201: jsonResponse('BatchPublished', 'All events are kept, at consecutive offsets.', Headers),
          ...problemResponses(...PUBLISHING, 'EMPTY_BATCH'),
        },
      },
    },
    (request, reply) =>
      counted(api, async () => {
        const topic = checkTopicName(request.params.topic)
        const events = readBatch(batchBody(request), api.settings.maxPayloadBytes)
        const done = await send(api, request, reply, topic, events)
        const { first, last, incarnation } = done.result
        const body: BatchPublishedBody = {
          topic,
          first,
          last,
          count: last - first + 1,
          cursor: formatCursor(last, incarnation),
          ...placed(api, done),
        }
        reply
          .code(201)
          .header('location', `${topicPath(topic)}/events?from=${first}`)
          .send(body)
        return events.length
      }),
  )
}

function batchBody({ headers, body }: FastifyRequest): Buffer {
  refuseEncoded(headers)
  const essence = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
  if (essence === undefined || !BATCH_TYPES.has(essence)) {
    throw new HypercastError('UNSUPPORTED_MEDIA_TYPE', 'A batch is Content-Type: application/x-ndjson.')
  }
  return (body as Buffer | undefined) ?? Buffer.alloc(0)
}

type Sent = Awaited<ReturnType<typeof send>>

function send(
  api: PeerApi,
  request: FastifyRequest,
  reply: FastifyReply,
  topic: string,
  events: readonly EventInput[],
) {
  const key = clientKey(readKey(request.headers['idempotency-key']), events)
  return command(api, reply, 'published', {
    kind: 'publish',
    topic,
    events,
    ...(key === undefined ? {} : { clientKey: key }),
  })
}

function placed(api: PeerApi, { result, replicas, primary }: Sent) {
  return {
    time: new Date(result.timeMs).toISOString(),
    primary: peerRef(rosterOf(api), primary),
    replicas,
  }
}

async function counted(api: PeerApi, run: () => Promise<number>): Promise<void> {
  try {
    api.metrics.published('ok', await run())
  } catch (error) {
    api.metrics.published(asHypercastError(error).code, 0)
    throw error
  }
}

export default publish
