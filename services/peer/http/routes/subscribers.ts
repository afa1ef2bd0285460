import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { LIMITS } from '../../limits.ts'
import { topicSlot } from '../../links/topic-slot.ts'
import type { HttpOptions, PeerApi } from '../api.ts'
import { ListenerCount } from '../listeners.ts'
import { deadline, unknownTopic } from '../outcome.ts'
import { jsonResponse, problemResponses, TopicParams } from '../schemas.ts'
import { checkTopicName, rosterOf } from '../views.ts'

const DESCRIPTION =
  'Open streams of clients to which the topic’s events go, on all peers of the cube, counted anew by each of them. ' +
  'Peers that do not answer within a second are named in `silent`, and their streams are not in `total`. A client whose ' +
  'machine vanished counts until its silence is noticed, up to the stall timeout later. ' +
  'UNKNOWN_TOPIC when no stream was found and the topic’s primary says that there is no such topic; when it cannot say, ' +
  'the answer is a count of 0.'

/** GET /v1/topics/{topic}/subscribers: who listens. */
const subscribers: FastifyPluginAsyncTypebox<HttpOptions> = async (app, { api }) => {
  const listeners = new ListenerCount(api)
  app.get(
    '/v1/topics/:topic/subscribers',
    {
      schema: {
        operationId: 'countSubscribers',
        tags: ['topics'],
        summary: 'Count who listens to a topic',
        description: DESCRIPTION,
        params: TopicParams,
        response: {
          200: jsonResponse('Subscribers', 'How many listen, by peer.'),
          ...problemResponses(
            'INVALID_TOPIC_NAME',
            'UNKNOWN_PARAMETER',
            'UNKNOWN_TOPIC',
            'UPGRADE_UNDER_WAY',
            'OVERLOADED',
            'STOPPING',
            'NOT_FOUNDED',
          ),
        },
      },
    },
    async (request, reply) => {
      const topic = checkTopicName(request.params.topic)
      reply.header('cache-control', 'no-store')
      const found = await listeners.count(topic)
      if (found.total === 0 && (await isUnknown(api, topic))) throw unknownTopic(api, topic)
      return found
    },
  )
}

/** Linearizable; false also when nobody can say. */
async function isUnknown(api: PeerApi, topic: string): Promise<boolean> {
  const slot = topicSlot(topic, rosterOf(api).slots)
  const deadlineMs = Math.min(deadline(api), api.clock.monotonicMs() + LIMITS.LISTENERS_PATIENCE_MS)
  const { result } = await api.dispatcher.dispatch({ kind: 'describe', slot, topic }, deadlineMs)
  return result.kind === 'described' && result.view.topic === undefined
}

export default subscribers
