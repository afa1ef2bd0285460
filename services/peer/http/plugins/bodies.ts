import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { HypercastError } from '../../errors.ts'
import type { HttpOptions } from '../api.ts'
import { textOf } from '../json.ts'
import { shorten } from '../start.ts'

/** JSON bodies for the routes that take them; an empty body of any type is no body. Raw bodies: see rawBodies. */
const bodies: FastifyPluginAsync<HttpOptions> = async app => {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    /^application\/(?:[^;\s]+\+)?json\s*(?:;|$)/,
    { parseAs: 'buffer' },
    async (_request: unknown, body: Buffer) => {
      if (body.length === 0) return undefined
      const text = textOf(body)
      if (text === undefined) throw new HypercastError('INVALID_REQUEST', 'The body is not valid UTF-8.')
      try {
        return JSON.parse(text)
      } catch (error) {
        throw new HypercastError(
          'INVALID_REQUEST',
          `The body is not JSON: ${shorten((error as Error).message)}.`,
        )
      }
    },
  )
  app.addContentTypeParser('*', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) => {
    if (body.length === 0) return undefined
    throw new HypercastError('UNSUPPORTED_MEDIA_TYPE', 'This path takes Content-Type: application/json.')
  })
}

export default fp(bodies, { name: 'bodies' })
