import type { IncomingHttpHeaders } from 'node:http'
import { Type } from 'typebox'
import type { StartRequest } from './start.ts'

/** What any request for events may be refused with. */
export const STREAM_ERRORS = [
  'INVALID_TOPIC_NAME',
  'UNKNOWN_PARAMETER',
  'INVALID_REQUEST',
  'INVALID_CURSOR',
  'NOT_ACCEPTABLE',
] as const

/** Headers with which EventSource resumes. */
export const ResumeHeaders = Type.Object({
  'Last-Event-ID': Type.Optional(Type.String({ description: 'Resume behind this cursor.' })),
})

/** The header of every answer whose type is chosen by Accept. */
export const VARY_HEADER = { Vary: { type: 'string', description: 'Accept' } } as const

/** The query parameter that says the same as the header Last-Event-ID. */
export function lastEventIdParameter(example: string) {
  const description = 'Resume behind this cursor, where a header cannot be set.'
  return Type.Optional(Type.String({ description, examples: [example] }))
}

/** What a request says about where to begin, by its query and by its headers as Node gives them. */
export function startRequest<Query extends StartRequest>(query: Query, headers: IncomingHttpHeaders): Query {
  return { ...query, lastEventIdHeader: headers['last-event-id'] as string | undefined }
}
