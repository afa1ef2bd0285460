import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { HypercastError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { HttpOptions } from '../api.ts'
import { CubeStreams } from '../cube-stream.ts'
import { notServing } from '../plugins/guard.ts'
import { progressOf } from '../progress.ts'
import { jsonResponse, ProgressQuery, problemResponses } from '../schemas.ts'
import { answerHead, answerLater, beginStream, SSE_ROUTE } from '../sse.ts'
import { cubeBody, rosterOf } from '../views.ts'

const SERVING = ['STOPPING', 'NOT_FOUNDED', 'OVERLOADED', 'UNKNOWN_PARAMETER'] as const
const CUBE_STREAM = {
  type: 'string',
  description:
    'Server-Sent Events, each a JSON object {"time","kind",…}: suspected, failed and rejoined with `peer` and `why`; ' +
    'primary, takeover (`from`), reclaimed and recovered (without its majority) with `slot`, `peer` and `term`; ready; ' +
    'arrived and departed with the `slot` that this peer has a replica of from now on, or no longer; moving with how many ' +
    '`slots` that this peer leads are still to move, and about how many `bytes`, whenever their number changes; and of the ' +
    'roster, with `peer`, `version` and `why`: joined, leaving, left, replaced (its store) and moved (its address).',
  examples: [
    'data: {"time":"2025-01-31T12:00:00.000Z","kind":"takeover","slot":30,"peer":"010","from":"110","term":4}\n\n',
    'data: {"time":"2025-01-31T12:00:00.000Z","kind":"joined","peer":"101","version":7,"why":"joins"}\n\n',
  ],
}

/** The topology: GET /v1/cube and its events. */
const cube: FastifyPluginAsyncTypebox<HttpOptions> = async (app, { api }) => {
  const streams = new CubeStreams(api)
  app.addHook('preClose', async () => streams.close())

  app.get(
    '/v1/cube',
    {
      schema: {
        operationId: 'getCube',
        tags: ['cube'],
        summary: 'The topology as this peer sees it',
        querystring: ProgressQuery,
        response: {
          200: jsonResponse('Cube', 'The cube.'),
          ...problemResponses('INVALID_REQUEST', ...SERVING),
        },
      },
    },
    async ({ query }, reply) => {
      const progress = await progressOf(api, query)
      reply.header('cache-control', 'no-store')
      return cubeBody(api, rosterOf(api), progress)
    },
  )

  app.get(
    '/v1/cube/events',
    {
      config: { waits: true },
      sse: SSE_ROUTE,
      schema: {
        operationId: 'readCubeEvents',
        tags: ['cube'],
        summary: 'What happens to the cube, live',
        response: {
          200: { description: 'The stream.', content: { 'text/event-stream': { schema: CUBE_STREAM } } },
          ...problemResponses('UNKNOWN_PARAMETER'),
        },
      },
    },
    (request, reply) => {
      if (request.method === 'HEAD') return answerHead(reply)
      const why =
        notServing(api) ??
        (streams.size >= LIMITS.MAX_CUBE_STREAMS ? new HypercastError('OVERLOADED') : undefined)
      if (why) return answerLater(reply, why.message, api.settings.sseRetryMs)
      streams.add(beginStream(reply))
    },
  )
}

export default cube
