import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { HypercastError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { HttpOptions } from '../api.ts'
import { asHypercastError, problemHeaders, problemOf } from '../problems.ts'

/** Every error leaves as application/problem+json; unforeseen ones are logged and say nothing of the inside. */
const errors: FastifyPluginAsync<HttpOptions> = async (app, { api }) => {
  app.setErrorHandler((error, request, reply) => {
    const known = asHypercastError(error)
    if (known.code === 'INTERNAL') {
      const { method, url, id } = request
      api.log.error({ err: error, requestId: id, method, url: url.slice(0, 1_024) }, 'a request failed')
    }
    if (known.code === 'PAYLOAD_TOO_LARGE') takeTheRest(request, reply)
    const problem = problemOf(known, request.id)
    return reply.code(problem.status).headers(problemHeaders(known.code)).send(JSON.stringify(problem))
  })
  app.setNotFoundHandler((request, reply) => {
    const allowed = app.pathTable.allowed(request.url)
    if (allowed.length === 0) throw new HypercastError('NOT_FOUND')
    reply.header('allow', allowed.join(', '))
    throw new HypercastError('METHOD_NOT_ALLOWED', `This path takes ${allowed.join(', ')}.`)
  })
}

/**
 * Fastify would close the connection with the answer: bytes still on their way would then reset it, and a client that
 * sends its body before it reads, as fetch does, would never see the answer. They are taken for a while and dropped.
 */
function takeTheRest({ raw }: FastifyRequest, reply: FastifyReply): void {
  if (raw.complete) return
  reply.removeHeader('connection')
  const timer = setTimeout(() => raw.destroy(), LIMITS.LINGER_MS)
  raw.once('close', () => clearTimeout(timer))
}

export default fp(errors, { name: 'errors' })
