import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import { Type } from 'typebox'
import type { PeerId } from '../../cube/labels.ts'
import { HypercastError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import { topicSlot } from '../../links/topic-slot.ts'
import { mergeSettings } from '../../topics/settings.ts'
import type { TopicRow, TopicSettings } from '../../topics/types.ts'
import type { HttpOptions, PeerApi } from '../api.ts'
import { OPTIONAL_BODY } from '../openapi.ts'
import { ask, command, sayPrimary, unknownTopic } from '../outcome.ts'
import {
  CreateInput,
  jsonResponse,
  problemResponses,
  ROUTE_HEADERS,
  SettingsInput,
  TopicParams,
} from '../schemas.ts'
import { listTopics } from '../topic-list.ts'
import { checkTopicName, rosterOf, topicBody, topicPath } from '../views.ts'

const ROUTING = ['NO_PRIMARY', 'UNREACHABLE', 'OVERLOADED', 'STOPPING', 'NOT_FOUNDED', 'CLOCK_SKEW'] as const
const WRITING = [...ROUTING, 'FOREIGN_ORIGIN', 'OUTCOME_UNKNOWN', 'DISK_FULL'] as const
const CREATING = [
  ...WRITING,
  'INVALID_TOPIC_NAME',
  'INVALID_REQUEST',
  'UNKNOWN_PARAMETER',
  'TOPIC_EXISTS',
] as const
const BODIES = ['UNSUPPORTED_MEDIA_TYPE', 'PAYLOAD_TOO_LARGE'] as const
const NAMED = ['INVALID_TOPIC_NAME', 'UNKNOWN_PARAMETER', 'UNKNOWN_TOPIC'] as const

const created = {
  200: jsonResponse('Topic', 'It exists already with these settings.', ROUTE_HEADERS),
  201: jsonResponse('Topic', 'It was created.', {
    ...ROUTE_HEADERS,
    Location: { type: 'string', description: 'Path of the topic.' },
  }),
  ...problemResponses(...CREATING, ...BODIES, 'TOO_MANY_TOPICS'),
}

/** /v1/topics: create, list, describe, change, delete. */
const topics: FastifyPluginAsyncTypebox<HttpOptions> = async (app, { api }) => {
  app.post(
    '/v1/topics',
    {
      schema: {
        operationId: 'createTopic',
        tags: ['topics'],
        summary: 'Create a topic',
        description: 'The same again is 200. What the body does not name is this peer’s default.',
        body: CreateInput,
        response: created,
      },
    },
    ({ body: { name, ...settings } }, reply) => create(api, reply, checkTopicName(name), settings),
  )

  app.put(
    '/v1/topics/:topic',
    {
      schema: {
        operationId: 'putTopic',
        tags: ['topics'],
        summary: 'Create a topic by its path',
        description: 'Works without a body. The same again is 200; settings that differ are 409.',
        [OPTIONAL_BODY]: true,
        params: TopicParams,
        body: SettingsInput,
        response: created,
      },
    },
    (request, reply) => create(api, reply, checkTopicName(request.params.topic), request.body ?? {}),
  )

  app.get(
    '/v1/topics',
    {
      schema: {
        operationId: 'listTopics',
        tags: ['topics'],
        summary: 'List topics by name',
        description: 'Ascending by UTF-16 code unit, merged from all slots; each as its replica knows it.',
        querystring: Type.Object(
          {
            after: Type.Optional(Type.String({ description: 'The `next` of the page before.' })),
            limit: Type.Optional(
              Type.Integer({
                minimum: 1,
                maximum: LIMITS.MAX_PAGE,
                default: 100,
                description: 'Topics a page.',
              }),
            ),
          },
          { additionalProperties: false },
        ),
        response: {
          200: jsonResponse('TopicList', 'A page of topics.'),
          ...problemResponses('INVALID_REQUEST', 'UNKNOWN_PARAMETER', ...ROUTING),
        },
      },
    },
    ({ query: { after = '', limit = 100 } }, reply) => listTopics(api, reply, after, limit),
  )

  app.get(
    '/v1/topics/:topic',
    {
      schema: {
        operationId: 'getTopic',
        tags: ['topics'],
        summary: 'Describe a topic',
        description: 'Linearizable: as its primary knows it now.',
        params: TopicParams,
        response: {
          200: jsonResponse('Topic', 'The topic.', ROUTE_HEADERS),
          ...problemResponses(...NAMED, ...ROUTING),
        },
      },
    },
    (request, reply) => describe(api, reply, checkTopicName(request.params.topic)),
  )

  app.patch(
    '/v1/topics/:topic',
    {
      schema: {
        operationId: 'changeTopic',
        tags: ['topics'],
        summary: 'Change a topic’s settings',
        description: 'What the body does not name stays; null lifts a limit.',
        params: TopicParams,
        body: SettingsInput,
        response: {
          200: jsonResponse('Topic', 'The topic as it is now.', ROUTE_HEADERS),
          ...problemResponses(...NAMED, ...WRITING, 'INVALID_REQUEST', ...BODIES),
        },
      },
    },
    async (request, reply) => {
      const topic = checkTopicName(request.params.topic)
      const done = await command(api, reply, 'configured', {
        kind: 'configure',
        topic,
        settings: request.body,
      })
      return topicBody(rosterOf(api), done.result.topic, done.primary)
    },
  )

  app.delete(
    '/v1/topics/:topic',
    {
      schema: {
        operationId: 'deleteTopic',
        tags: ['topics'],
        summary: 'Delete a topic and its events',
        description:
          'Streams of it receive `event: end`. The name may be created again; that is another topic.',
        params: TopicParams,
        response: {
          204: { description: 'It is gone.', headers: ROUTE_HEADERS, type: 'null' },
          ...problemResponses(...NAMED, ...WRITING),
        },
      },
    },
    async (request, reply) => {
      const topic = checkTopicName(request.params.topic)
      await command(api, reply, 'deleted', { kind: 'delete', topic })
      reply.code(204).send(null)
    },
  )
}

async function create(api: PeerApi, reply: FastifyReply, topic: string, given: Partial<TopicSettings>) {
  const settings = mergeSettings(api.settings.retention, given)
  const answer = (status: 200 | 201, row: TopicRow, primary: PeerId | null) => {
    if (status === 201) reply.header('location', topicPath(topic))
    return reply.code(status).send(topicBody(rosterOf(api), row, primary))
  }
  try {
    const { result, primary } = await command(api, reply, 'created', { kind: 'create', topic, settings })
    return answer(result.fresh ? 201 : 200, result.topic, primary)
  } catch (error) {
    if (!(error instanceof HypercastError) || error.code !== 'TOPIC_EXISTS') throw error
    // Only what the client did not name may differ, perhaps because another peer has other defaults.
    const { topic: row, primary } = await describeRow(api, reply, topic)
    if (!row || !agrees(row, given)) throw error
    return answer(200, row, primary)
  }
}

function agrees({ settings }: TopicRow, given: Partial<TopicSettings>): boolean {
  return Object.entries(given).every(
    ([name, value]) => value === undefined || settings[name as keyof TopicSettings] === value,
  )
}

async function describe(api: PeerApi, reply: FastifyReply, topic: string) {
  const { topic: row, primary } = await describeRow(api, reply, topic)
  sayPrimary(api, reply, primary)
  if (!row) throw unknownTopic(api, topic)
  return topicBody(rosterOf(api), row, primary)
}

async function describeRow(api: PeerApi, reply: FastifyReply, topic: string) {
  const slot = topicSlot(topic, rosterOf(api).slots)
  const { view } = await ask(api, reply, 'described', { kind: 'describe', slot, topic })
  return view
}

export default topics
