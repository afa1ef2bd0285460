import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import type { HttpOptions } from '../api.ts'
import { DOCUMENT, finishDocument, localReference } from '../openapi.ts'
import { SHARED_SCHEMAS } from '../schemas.ts'

/** What the page may load: nothing from elsewhere; without upgrading to https, which a peer does not speak. */
const CONTENT_POLICY = [
  "default-src 'self'",
  "base-uri 'self'",
  "frame-ancestors 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "style-src 'self' 'unsafe-inline'",
].join('; ')

/** openapi.yaml from the routes' schemas, and its page at /docs, all from local files. */
const contract: FastifyPluginAsync<HttpOptions> = async app => {
  for (const schema of SHARED_SCHEMAS) app.addSchema(schema)
  await app.register(swagger, {
    openapi: DOCUMENT,
    convertConstToEnum: false,
    transformObject: finishDocument,
    refResolver: { buildLocalReference: localReference },
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: CONTENT_POLICY,
    uiConfig: { docExpansion: 'list', validatorUrl: null },
  })
}

export default fp(contract, { name: 'contract', dependencies: ['errors', 'guard', 'bodies'] })
