import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { HypercastError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { HttpOptions } from '../api.ts'
import { readBatch } from '../batch.ts'
import { CLOUDEVENT_LIST } from '../cloudevent-schemas.ts'
import { BATCH_TYPE, CLOUDEVENTS_TYPES, contentMode, STRUCTURED_TYPE } from '../content-mode.ts'
import { readEvent, refuseEncoded } from '../event-input.ts'
import { OPTIONAL_BODY } from '../openapi.ts'
import { counted, publishMany, publishOne } from '../publishing.ts'
import { rawBodies, rawBodiesOf } from '../raw-bodies.ts'
import { jsonResponse, jsonResponseOfAny, problemResponses, ROUTE_HEADERS, TopicParams } from '../schemas.ts'
import { readStructured, readStructuredBatch } from '../structured.ts'
import { checkTopicName } from '../views.ts'

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

const PUBLISH_DESCRIPTION =
  'The body is the event, as it is, of any content type; curl’s default form type, or none, counts as text. ' +
  'CloudEvents 1.0 come in binary mode (the attributes in `ce-*` headers), structured mode ' +
  `(\`${STRUCTURED_TYPE}\`) and as a batch (\`${BATCH_TYPE}\`, all or nothing, answered as …/batch is). ` +
  'Without an Idempotency-Key the source and id of the events are one. ' +
  'Answered when a majority of the replicas has it on disk.'
const CLOUDEVENT = { $ref: 'CloudEvent#' }

/** POST …/publish and …/batch. */
const publish: FastifyPluginAsyncTypebox<HttpOptions> = async (app, { api }) => {
  const { maxPayloadBytes, maxBatchBytes } = api.settings
  rawBodies(app, maxPayloadBytes)
  // Whole events: base64 and the attributes make them larger than their payload.
  rawBodiesOf(app, CLOUDEVENTS_TYPES, maxBatchBytes)

  app.post(
    '/v1/topics/:topic/publish',
    {
      schema: {
        operationId: 'publishEvent',
        tags: ['events'],
        summary: 'Publish one event, or a batch of CloudEvents',
        description: PUBLISH_DESCRIPTION,
        [OPTIONAL_BODY]: true,
        params: TopicParams,
        headers: Type.Object({
          'Idempotency-Key': KeyHeader,
          'ce-specversion': ContextHeader('`1.0`: the event is held to the specification of CloudEvents.'),
          'ce-id': ContextHeader('The publisher’s id of the event.'),
          'ce-type': ContextHeader(
            'The event’s type, its name in SSE with `named=true`; open, error, message, gap, end and cloudevent are reserved.',
          ),
          'ce-source': ContextHeader('CloudEvents source, kept as it is, like every other `ce-*` header.'),
        }),
        body: {
          content: {
            '*/*': { schema: { description: 'The event.', examples: ['Match Update 1'] } },
            [STRUCTURED_TYPE]: { schema: CLOUDEVENT },
            [BATCH_TYPE]: { schema: CLOUDEVENT_LIST },
          },
        },
        response: {
          201: jsonResponseOfAny(
            ['Published', 'BatchPublished'],
            'The event is kept; `BatchPublished` answers a batch.',
            Headers,
          ),
          ...problemResponses(...PUBLISHING, 'NOT_TEXT', 'EMPTY_BATCH'),
        },
      },
    },
    (request, reply) =>
      counted(api, async () => {
        const topic = checkTopicName(request.params.topic)
        const body = bodyOf(request)
        const mode = contentMode(request.headers['content-type'])
        if (mode === 'batch') {
          return publishMany(api, request, reply, topic, readStructuredBatch(body, maxPayloadBytes))
        }
        const event =
          mode === 'structured' ? readStructured(body, maxPayloadBytes) : readEvent(request.raw, body)
        return publishOne(api, request, reply, topic, event)
      }),
  )

  app.post(
    '/v1/topics/:topic/batch',
    {
      bodyLimit: maxBatchBytes,
      schema: {
        operationId: 'publishBatch',
        tags: ['events'],
        summary: 'Publish many events, all or nothing',
        description: `At most ${LIMITS.MAX_BATCH_EVENTS} events. A string as \`data\` is text, anything else JSON, \`data_base64\` binary. An error names its line, or its item in a list of CloudEvents.`,
        params: TopicParams,
        headers: Type.Object({ 'Idempotency-Key': KeyHeader }),
        body: {
          content: {
            'application/x-ndjson': { schema: BATCH_LINE },
            [BATCH_TYPE]: { schema: CLOUDEVENT_LIST },
          },
        },
        response: {
          201: jsonResponse('BatchPublished', 'All events are kept, at consecutive offsets.', Headers),
          ...problemResponses(...PUBLISHING, 'EMPTY_BATCH'),
        },
      },
    },
    (request, reply) =>
      counted(api, async () => {
        const topic = checkTopicName(request.params.topic)
        const read = batchReader(request.headers['content-type'])
        const events = read(bodyOf(request), maxPayloadBytes)
        return publishMany(api, request, reply, topic, events)
      }),
  )
}

function bodyOf({ headers, body }: FastifyRequest): Uint8Array {
  refuseEncoded(headers)
  return (body as Buffer | undefined) ?? new Uint8Array()
}

function batchReader(contentType: string | undefined): typeof readBatch {
  const essence = contentType?.split(';', 1)[0]?.trim().toLowerCase()
  if (essence !== undefined && BATCH_TYPES.has(essence)) return readBatch
  if (contentMode(contentType) === 'batch') return readStructuredBatch
  throw new HypercastError(
    'UNSUPPORTED_MEDIA_TYPE',
    `A batch is Content-Type: application/x-ndjson or ${BATCH_TYPE}.`,
  )
}

export default publish
