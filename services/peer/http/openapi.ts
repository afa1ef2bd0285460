import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'

type Json = Record<string, unknown>

const DESCRIPTION = [
  'Identical peers stand on the corners of a hypercube. Anything that speaks HTTP publishes, anything that has EventSource subscribes, and any peer serves any client. An event answered 201 is on disk at a majority of its replicas.',
  'Reading is open to pages of every origin; writing from a page needs an origin of this cube or `--allow-origin`.',
  'Every error is application/problem+json with a stable `code`; docs/ERRORS.md says what to do about each.',
].join('\n\n')

/** The parts of openapi.yaml that are not routes. */
export const DOCUMENT: NonNullable<FastifyDynamicSwaggerOptions['openapi']> = {
  openapi: '3.1.0',
  info: {
    title: 'Hypercast',
    version: '0.1.0',
    summary: 'Brokerless publish/subscribe on a hypercube, over plain HTTP and Server-Sent Events',
    description: DESCRIPTION,
    license: { name: 'MIT', identifier: 'MIT' },
  },
  servers: [{ url: '/', description: 'The peer that serves this page; every peer answers alike.' }],
  tags: [
    { name: 'topics', description: 'Create, list, change and delete topics.' },
    { name: 'events', description: 'Publish events and read them, live or from the past.' },
    { name: 'cube', description: 'The topology and what happens to it.' },
    { name: 'operation', description: 'Health, figures and this document.' },
    { name: 'between peers', description: 'Between peers of one cluster only, in MessagePack or JSON.' },
  ],
}

/** Components keep the names that the schemas have. */
export function localReference(
  schema: { readonly $id?: unknown },
  _base: unknown,
  _fragment: string,
  at: number,
): string {
  return typeof schema.$id === 'string' ? schema.$id : `schema-${at}`
}

/** Marks a route whose body may be left out; goes away in the document. */
export const OPTIONAL_BODY = 'x-body-optional'

/** Finishes the document that @fastify/swagger made. */
export function finishDocument(given: object): Json {
  const document = (given as { openapiObject: Json }).openapiObject
  for (const path of Object.values(document.paths as Record<string, Record<string, Json>>)) {
    for (const operation of Object.values(path)) {
      if (operation[OPTIONAL_BODY] && operation.requestBody) {
        ;(operation.requestBody as Json).required = false
      }
      delete operation[OPTIONAL_BODY]
    }
  }
  for (const schema of Object.values((document.components as { schemas: Record<string, Json> }).schemas)) {
    delete schema.$id
    // The name says it already; a title would name the schema twice in generated clients.
    if (schema.title !== undefined) delete schema.title
  }
  return document
}

/** openapi.yaml as it is committed and served. The app must be ready. */
export function openapiYaml(app: FastifyInstance): string {
  return app.swagger({ yaml: true })
}
