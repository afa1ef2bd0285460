import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { HypercastError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import {
  decodeWants,
  parseTrunkQuery,
  TRUNK_CONTENT_TYPE,
  TRUNK_PATH,
  WANTS_PATH,
} from '../../links/trunk-wants.ts'
import type { HttpOptions, PeerAnswer } from '../api.ts'
import { isJsonType } from '../json.ts'
import { rawBodies } from '../raw-bodies.ts'
import { problemResponses } from '../schemas.ts'
import { checkCluster, senderOf } from '../senders.ts'

const PEER_MEDIA = { 'application/vnd.msgpack': { schema: {} }, 'application/json': { schema: {} } }
const PEER_ERRORS = [
  'INVALID_REQUEST',
  'STRANGER',
  'MISDIRECTED',
  'NOT_FOUNDED',
  'PAYLOAD_TOO_LARGE',
  'UNKNOWN_PARAMETER',
] as const
/** Answers one by one: frames of a length and MessagePack, or lines of JSON, as the question was. */
const FRAMES_TYPE = 'application/vnd.msgpack'
const LINES_TYPE = 'application/x-ndjson'

/** What peers ask of each other: who asks is checked here, what is asked is for links/ and streams/. */
const relay: FastifyPluginAsyncTypebox<HttpOptions> = async (app, { api }) => {
  rawBodies(app)
  const config = { audience: 'peer' } as const
  const options = { config, bodyLimit: LIMITS.MAX_PEER_BODY_BYTES }
  const hidden = { ...options, schema: { hide: true } }

  app.post(
    '/v1/replicate',
    {
      ...options,
      schema: {
        operationId: 'replicate',
        tags: ['between peers'],
        summary: 'A batch of Raft messages, or a lane for them',
        description:
          'Answered when what they caused is durable, with the answers to them. Peers open a lane with it instead: with `Upgrade: hypercast-lane` the connection carries frames of messages one way and of answers the other from then on.',
        body: { content: PEER_MEDIA },
        response: {
          200: { description: 'Answers.', content: PEER_MEDIA },
          ...problemResponses(...PEER_ERRORS),
        },
      },
    },
    async (request, reply) => {
      const from = senderOf(api, request.headers)
      return give(reply, await api.links.replicate(from, mediaType(request), bodyOf(request)))
    },
  )

  app.post(
    '/v1/heartbeat',
    {
      ...options,
      schema: {
        operationId: 'heartbeat',
        tags: ['between peers'],
        summary: 'The one heartbeat exchange of a pair of peers',
        body: { content: PEER_MEDIA },
        response: {
          200: { description: 'The other side’s.', content: PEER_MEDIA },
          ...problemResponses(...PEER_ERRORS),
        },
      },
    },
    async (request, reply) => {
      const from = senderOf(api, request.headers)
      const { socket } = request.raw
      return give(reply, await api.links.heartbeat(from, mediaType(request), bodyOf(request), socket))
    },
  )

  app.post('/v1/relay/operations', hidden, async (request, reply) => {
    const from = senderOf(api, request.headers)
    const type = mediaType(request)
    const answers = api.links.operations(from, type, bodyOf(request))
    return reply
      .type(isJsonType(type) ? LINES_TYPE : FRAMES_TYPE)
      .send(Readable.from(answers, { objectMode: false }))
  })

  // Also for a peer that is no longer listed: that is how it learns so.
  app.get('/v1/relay/roster', hidden, async (request, reply) => {
    checkCluster(api, request.headers)
    return give(reply, await api.links.roster())
  })

  app.get('/v1/relay/snapshot', hidden, async (request, reply) => {
    const from = senderOf(api, request.headers)
    const query = request.query as Record<string, unknown>
    return give(reply, await api.links.snapshot(from, count(query, 'slot'), count(query, 'after')))
  })

  app.get(TRUNK_PATH, hidden, (request, reply) => {
    const from = senderOf(api, request.headers)
    const name = parseTrunkQuery(request.query as Record<string, unknown>)
    const { raw } = reply
    raw.setHeader('content-type', TRUNK_CONTENT_TYPE)
    // Throws before it writes; once it has begun the reply is the trunk's.
    api.streams.openTrunk(from, name, raw)
    reply.hijack()
    reply.server.halfOpen.watch(raw.socket)
  })

  app.post(WANTS_PATH, hidden, async (request, reply) => {
    api.streams.wants(senderOf(api, request.headers), decodeWants(bodyOf(request)))
    return reply.send()
  })

  app.post('/v1/relay/recovery', hidden, async (request, reply) => {
    senderOf(api, request.headers)
    return give(reply, await api.links.recovery(mediaType(request), bodyOf(request)))
  })

  app.get('/v1/relay/identity', hidden, async (_request, reply) => reply.send(await api.links.identity()))

  app.post('/v1/relay/founding', hidden, async (request, reply) =>
    give(reply, await api.links.founding(mediaType(request), bodyOf(request))),
  )
}

function mediaType({ headers }: FastifyRequest): string {
  return headers['content-type'] ?? ''
}

function bodyOf({ body }: FastifyRequest): Buffer {
  return (body as Buffer | undefined) ?? Buffer.alloc(0)
}

function count(query: Record<string, unknown>, name: string): number {
  const text = query[name]
  if (typeof text === 'string' && /^\d{1,15}$/.test(text)) return Number(text)
  throw new HypercastError('INVALID_REQUEST', `The parameter "${name}" is not a whole number.`)
}

function give(reply: FastifyReply, { contentType, body }: PeerAnswer): FastifyReply {
  return reply.type(contentType).send(Buffer.from(body.buffer, body.byteOffset, body.byteLength))
}

export default relay
