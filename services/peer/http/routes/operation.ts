import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { HttpOptions } from '../api.ts'
import { errorPage } from '../error-page.ts'
import { openapiYaml } from '../openapi.ts'
import { jsonResponse, problemResponses } from '../schemas.ts'

const config = { audience: 'operator' } as const

/** Health, figures, the contract and the page about errors. They answer also before founding and while stopping. */
const operation: FastifyPluginAsyncTypebox<HttpOptions> = async (app, { api }) => {
  app.get(
    '/health/live',
    {
      config,
      schema: {
        operationId: 'getLiveness',
        tags: ['operation'],
        summary: 'The process runs',
        response: { 200: jsonResponse('Health', 'It runs.'), ...problemResponses('UNKNOWN_PARAMETER') },
      },
    },
    (_request, reply) => {
      reply.header('cache-control', 'no-store').send({ status: 'ok', why: 'the process runs' })
    },
  )

  app.get(
    '/health/ready',
    {
      config,
      schema: {
        operationId: 'getReadiness',
        tags: ['operation'],
        summary: 'The peer serves',
        description: 'It knows the roster, and every slot it holds has a primary.',
        response: {
          200: jsonResponse('Health', 'It serves.'),
          ...problemResponses('UNKNOWN_PARAMETER'),
          503: jsonResponse('Health', 'Not yet, or no more: `why` says what is missing.'),
        },
      },
    },
    (_request, reply) => {
      const { ready, why } = api.stopping() ? { ready: false, why: 'the peer is stopping' } : api.ready()
      reply.header('cache-control', 'no-store').code(ready ? 200 : 503)
      reply.send({ status: ready ? 'ok' : 'waiting', why })
    },
  )

  app.get(
    '/metrics',
    {
      config,
      schema: {
        operationId: 'getMetrics',
        tags: ['operation'],
        summary: 'Figures for Prometheus',
        response: {
          200: {
            description: 'Prometheus’ text format.',
            content: { 'text/plain': { schema: { type: 'string' } } },
          },
          ...problemResponses('UNKNOWN_PARAMETER'),
        },
      },
    },
    async (_request, reply) => {
      const text = await api.metrics.registry.metrics()
      return reply.type(api.metrics.registry.contentType).header('cache-control', 'no-store').send(text)
    },
  )

  app.get(
    '/openapi.yaml',
    {
      config,
      schema: {
        operationId: 'getContract',
        tags: ['operation'],
        summary: 'This document',
        response: {
          200: {
            description: 'OpenAPI 3.1.',
            content: { 'application/yaml': { schema: { type: 'string' } } },
          },
          ...problemResponses('UNKNOWN_PARAMETER'),
        },
      },
    },
    (_request, reply) => {
      reply.type('application/yaml; charset=utf-8').send(openapiYaml(app))
    },
  )

  const page = errorPage()
  app.get('/docs/errors', { config, schema: { hide: true } }, (_request, reply) => {
    reply.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
    reply.type('text/html; charset=utf-8').send(page)
  })
}

export default operation
