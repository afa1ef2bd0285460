import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import autoload from '@fastify/autoload'
import { fastifySSE } from '@fastify/sse'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import { Type } from 'typebox'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { HttpOptions, PeerApi } from './api.ts'
import { onClientError, onConnect } from './client-errors.ts'
import { Connections } from './connections.ts'
import { HalfOpenWatch } from './half-open.ts'
import { opensLane, serveLanes } from './lanes.ts'
import { PathTable } from './paths.ts'
import { problemHeaders, problemOf } from './problems.ts'
import { Turnstile } from './turnstile.ts'
import { validatorCompiler } from './validation.ts'

declare module 'fastify' {
  interface FastifyInstance {
    readonly pathTable: PathTable
    /** For those who open a stream. */
    readonly turnstile: Turnstile
    /** Watches the connections of long answers. */
    readonly halfOpen: HalfOpenWatch
  }
}

const NO_QUERY = Type.Object({}, { additionalProperties: false })

/**
 * The HTTP surface of one peer, ready to listen. `close()` ends the streams first, then waits for requests under way.
 */
export async function buildApp(api: PeerApi): Promise<FastifyInstance> {
  const { requestTimeoutMs, stallTimeoutMs } = api.settings
  const app = Fastify({
    genReqId: () => randomUUID(),
    // Longer names are refused by their own rule, with a reason.
    routerOptions: { maxParamLength: LIMITS.MAX_HEADER_BYTES },
    requestTimeout: requestTimeoutMs,
    http: {
      maxHeaderSize: LIMITS.MAX_HEADER_BYTES,
      // Node's own answer would not be a problem document: the guard asks for it.
      requireHostHeader: false,
      shouldUpgradeCallback: opensLane,
      headersTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.ceil(requestTimeoutMs / 4),
    },
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    clientErrorHandler: onClientError,
    frameworkErrors: (_error, request, given) => {
      const reply = given as FastifyReply
      const problem = problemOf(badUrl(request.raw.url ?? ''), request.id)
      reply.headers({ 'hypercast-request': request.id, 'access-control-allow-origin': '*' })
      reply.code(problem.status).headers(problemHeaders(problem.code)).send(JSON.stringify(problem))
    },
  }).withTypeProvider<TypeBoxTypeProvider>()

  const connections = new Connections(app.server)
  const pathTable = new PathTable()
  app.decorate('pathTable', pathTable)
  app.decorate('turnstile', new Turnstile(LIMITS.OPENINGS_PER_TURN, LIMITS.MAX_STREAMS))
  app.decorate('halfOpen', new HalfOpenWatch({ clock: api.clock, timeoutMs: stallTimeoutMs, log: api.log }))
  app.setValidatorCompiler(validatorCompiler)
  // The contract's schemas describe the answers and a test holds them to it; nothing is dropped on the way out.
  app.setSerializerCompiler(() => data => JSON.stringify(data))
  app.server.on('connect', onConnect)
  serveLanes(app.server, api, app.halfOpen)
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  app.addHook('preClose', async () => {
    await api.streams.close()
    api.links.closeLanes()
    await connections.close()
  })
  app.addHook('onRoute', route => {
    pathTable.add(route.url, [route.method].flat())
    if (route.url.startsWith('/docs')) route.config = { ...route.config, audience: 'operator' }
    else if (!route.schema?.hide) route.schema = { querystring: NO_QUERY, ...route.schema }
  })

  const options: HttpOptions = { api }
  await app.register(fastifySSE, { heartbeatInterval: 0 })
  await app.register(autoload, { dir: folder('plugins'), options, encapsulate: false, forceESM: true })
  await app.register(autoload, { dir: folder('routes'), options, dirNameRoutePrefix: false, forceESM: true })
  await app.ready()
  return app
}

function folder(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}

/** A path that is not percent-encoded UTF-8 never reaches a route; mostly it is a topic's name. */
function badUrl(url: string): HypercastError {
  const isTopic = url.startsWith('/v1/topics/')
  return new HypercastError(
    isTopic ? 'INVALID_TOPIC_NAME' : 'INVALID_REQUEST',
    'The path is not valid percent-encoded UTF-8.',
  )
}
