import type { FastifyInstance } from 'fastify'

type Scope = Pick<FastifyInstance, 'removeAllContentTypeParsers' | 'addContentTypeParser'>

/**
 * In this scope every body, of whatever type or none, is a Buffer.
 * @param limitBytes largest body, where the route does not say another
 */
export function rawBodies(app: Scope, limitBytes?: number): void {
  app.removeAllContentTypeParsers()
  rawBodiesOf(app, '*', limitBytes)
}

/** Bodies of these types are Buffers with a limit of their own. */
export function rawBodiesOf(app: Scope, types: string | RegExp, limitBytes: number | undefined): void {
  const limit = limitBytes === undefined ? {} : { bodyLimit: limitBytes }
  app.addContentTypeParser(
    types,
    { parseAs: 'buffer', ...limit },
    async (_request: unknown, body: Buffer) => body,
  )
}
