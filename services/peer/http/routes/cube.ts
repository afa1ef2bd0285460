import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { HypercastError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { HttpOptions } from '../api.ts'
import { CubeStreams } from '../cube-stream.ts'
import { notServing } from '../plugins/guard.ts'
import { jsonResponse, problemResponses } from '../schemas.ts'
import { answerHead, answerLater, beginStream, SSE_ROUTE } from '../sse.ts'
import { cubeBody, peerBodies, rosterOf } from '../views.ts'

const SERVING = ['STOPPING', 'NOT_FOUNDED', 'OVERLOADED', 'UNKNOWN_PARAMETER'] as const
const CUBE_STREAM = {
  type: 'string',
  description:
    'Server-Sent Events, each a JSON object {"time","kind",…}: suspected, failed and rejoined with `peer` and `why`; ' +
    'primary, takeover (`from`) and reclaimed with `slot`, `peer` and `term`; ready.',
  examples: [
    'data: {"time":"2025-01-31T12:00:00.000Z","kind":"takeover","slot":30,"peer":"010","from":"110","term":4}\n\n',
  ],
}

/** The topology: GET /v1/cube, its events, and the peers. */
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
        response: { 200: jsonResponse('Cube', 'The cube.'), ...problemResponses(...SERVING) },
      },
    },
    (_request, reply) => {
      reply.header('cache-control', 'no-store').send(cubeBody(api, rosterOf(api)))
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

  app.get(
    '/v1/peers',
    {
      schema: {
        operationId: 'listPeers',
        tags: ['cube'],
        summary: 'The peers of the roster',
        response: { 200: jsonResponse('PeerList', 'The peers.'), ...problemResponses(...SERVING) },
      },
    },
    (_request, reply) => {
      reply.header('cache-control', 'no-store').send({ peers: peerBodies(api, rosterOf(api)) })
    },
  )

  app.get(
    '/v1/peers/:id',
    {
      schema: {
        operationId: 'getPeer',
        tags: ['cube'],
        summary: 'One peer',
        params: Type.Object({ id: Type.String({ description: 'Its label.', examples: ['110'] }) }),
        response: { 200: jsonResponse('Peer', 'The peer.'), ...problemResponses('UNKNOWN_PEER', ...SERVING) },
      },
    },
    (request, reply) => {
      const peer = peerBodies(api, rosterOf(api)).find(({ id }) => id === request.params.id)
      if (!peer) throw new HypercastError('UNKNOWN_PEER')
      reply.header('cache-control', 'no-store').send(peer)
    },
  )
}

export default cube
