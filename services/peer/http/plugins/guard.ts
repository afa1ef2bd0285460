import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { HypercastError } from '../../errors.ts'
import type { HttpOptions, PeerApi } from '../api.ts'
import { mayWrite } from '../origins.ts'
import { shorten } from '../start.ts'

const READS: ReadonlySet<string> = new Set(['GET', 'HEAD'])
const EXPOSED = 'Hypercast-Path, Hypercast-Primary, Hypercast-Request, Link, Location, Retry-After, Allow'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who the route is for. Clients (the default) are turned away while the peer cannot serve them. */
    audience?: 'client' | 'operator' | 'peer'
    /** The route decides itself what a client gets while the peer cannot serve: a stream waits. */
    waits?: boolean
  }
}

/**
 * What holds for every request: an id, safe headers, which pages may read and write, and whether clients are served.
 * Reading is open to every page, since no cookie or other credential of the visitor is ever looked at.
 */
const guard: FastifyPluginAsync<HttpOptions> = async (app, { api }) => {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'hypercast-request': request.id, 'x-content-type-options': 'nosniff' })
    if (request.headers.host === undefined && request.raw.httpVersion === '1.1') {
      throw new HypercastError('BAD_HTTP', 'The header Host is missing, which HTTP/1.1 needs.')
    }
    const { audience = 'client', waits = false } = request.routeOptions.config
    if (audience === 'peer') return
    crossOrigin(api, request, reply)
    if (request.method === 'OPTIONS') return preflight(app.pathTable.allowed(request.url), request, reply)
    if (audience === 'operator' || waits || request.is404) return
    const why = notServing(api)
    if (why) throw why
  })
}

/** Why clients cannot be served now; undefined when they can. */
export function notServing(api: PeerApi): HypercastError | undefined {
  if (api.stopping()) return new HypercastError('STOPPING')
  if (api.roster() === null) return new HypercastError('NOT_FOUNDED')
  return undefined
}

/** Says what pages may read, and refuses writes of foreign pages: a form post needs no preflight. */
function crossOrigin(api: PeerApi, request: FastifyRequest, reply: FastifyReply): void {
  const { origin } = request.headers
  const method =
    request.method === 'OPTIONS' ? request.headers['access-control-request-method'] : request.method
  reply.header('access-control-expose-headers', EXPOSED)
  if (method === undefined || READS.has(method)) {
    reply.header('access-control-allow-origin', '*')
    return
  }
  reply.header('vary', 'Origin')
  if (origin === undefined) return
  if (!mayWrite(origin, api.settings.allowOrigin, api.roster())) {
    throw new HypercastError('FOREIGN_ORIGIN', `Pages of ${shorten(origin)} may read here, not write.`)
  }
  reply.header('access-control-allow-origin', origin)
}

function preflight(allowed: readonly string[], request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (allowed.length === 0) throw new HypercastError('NOT_FOUND')
  const headers = request.headers['access-control-request-headers']
  reply.header('allow', ['OPTIONS', ...allowed].join(', '))
  reply.header('access-control-allow-methods', allowed.join(', '))
  if (headers) reply.header('access-control-allow-headers', headers)
  if (request.headers['access-control-request-private-network'] === 'true') {
    reply.header('access-control-allow-private-network', 'true')
  }
  return reply.header('access-control-max-age', '600').code(204).send()
}

export default fp(guard, { name: 'guard', dependencies: ['errors'] })
