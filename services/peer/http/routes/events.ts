import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import { type Static, Type } from 'typebox'
import { HypercastError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { StreamStart } from '../../streams/types.ts'
import { parseCursor } from '../../topics/cursor.ts'
import { EVENT_TYPES, negotiate } from '../accept.ts'
import type { HttpOptions, PeerApi } from '../api.ts'
import { eventText } from '../event-json.ts'
import { historyText } from '../history.ts'
import { notServing } from '../plugins/guard.ts'
import { problemResponses, TopicParams } from '../schemas.ts'
import { answerEmpty, answerHead, SSE_ROUTE } from '../sse.ts'
import { readStart } from '../start.ts'
import { answerStream } from '../stream-answer.ts'
import {
  lastEventIdParameter,
  ResumeHeaders,
  STREAM_ERRORS,
  startRequest,
  VARY_HEADER,
} from '../stream-request.ts'
import { checkTopicName, topicPath } from '../views.ts'

const DEFAULT_PAGE = 100

const EventsQuery = Type.Object(
  {
    from: Type.Optional(
      Type.String({
        description:
          '`earliest`, `latest`, an offset (inclusive), or an ISO time. Streams begin at `latest`, the rest at `earliest`.',
        examples: ['earliest'],
      }),
    ),
    last: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'The last so many events, then live.',
      }),
    ),
    lastEventId: lastEventIdParameter('42-1'),
    named: Type.Optional(
      Type.Boolean({
        description: 'The publisher’s type becomes the name of the SSE event.',
        default: false,
      }),
    ),
    format: Type.Optional(
      Type.Union([Type.Literal('plain'), Type.Literal('cloudevents')], {
        description: '`cloudevents`: each SSE event is a CloudEvents 1.0 JSON object.',
        default: 'plain',
      }),
    ),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: LIMITS.MAX_PAGE,
        default: DEFAULT_PAGE,
        description: 'Events of a page of application/json.',
      }),
    ),
  },
  { additionalProperties: false },
)

const STREAM = {
  type: 'string',
  description:
    'Server-Sent Events (WHATWG). It opens with a frame that has only an `id`. Each event has `id: <offset>-<incarnation>` ' +
    'and the payload as `data`; without `named=true` no `event`, so that `onmessage` sees all. A payload that is not text ' +
    'is `event: cloudevent` with a CloudEvents JSON object. `event: gap` with {"from","to"} names offsets that retention ' +
    'removed; `event: end` says that the topic was deleted. Comments are heartbeats.',
  examples: ['retry: 500\nid: 0-1\n\nid: 1-1\ndata: Match Update 1\n\n'],
}
const LINES = {
  type: 'string',
  description:
    'One Event a line, up to the last there is now. A line `{"gap":{"from","to"}}` stands for offsets that retention removed. A connection that breaks before the end can be taken up behind the cursor of the last line.',
}

/** GET …/events: SSE, a page or a history, by Accept. */
const events: FastifyPluginAsyncTypebox<HttpOptions> = async (app, { api }) => {
  app.get(
    '/v1/topics/:topic/events',
    {
      config: { waits: true },
      sse: SSE_ROUTE,
      schema: {
        operationId: 'readEvents',
        tags: ['events'],
        summary: 'Subscribe to a topic, or read its events',
        description:
          'text/event-stream, also for `Accept: */*`: history from where it is asked, then live, on and on. ' +
          'application/json: one page. application/x-ndjson: the history as one stream. ' +
          'Last-Event-ID beats lastEventId, which beats from.',
        params: TopicParams,
        querystring: EventsQuery,
        headers: ResumeHeaders,
        response: {
          200: {
            description: 'Events, in the type asked for.',
            headers: {
              ...VARY_HEADER,
              Link: {
                type: 'string',
                description: 'Of a page behind which there are more events: `<…>; rel="next"` (RFC 8288).',
              },
            },
            content: {
              'text/event-stream': { schema: STREAM },
              'application/json': { schema: { $ref: 'EventPage#' } },
              'application/x-ndjson': { schema: LINES },
            },
          },
          204: { description: 'The topic that the cursor belongs to has ended.', type: 'null' },
          ...problemResponses(
            ...STREAM_ERRORS,
            'CURSOR_FROM_FUTURE',
            'UNKNOWN_TOPIC',
            'NO_PRIMARY',
            'UNREACHABLE',
            'OVERLOADED',
            'STOPPING',
            'NOT_FOUNDED',
          ),
        },
      },
    },
    async (request, reply) => {
      const { query, headers } = request
      reply.header('vary', 'Accept')
      const topic = checkTopicName(request.params.topic)
      const type = negotiate(headers.accept)
      if (type === undefined) {
        throw new HypercastError('NOT_ACCEPTABLE', `This path gives ${EVENT_TYPES.join(', ')}.`)
      }
      const isStream = type === 'text/event-stream'
      const otherwise = { kind: isStream ? 'latest' : 'earliest' } as const
      const start = readStart(startRequest(query, headers), otherwise)
      if (isStream) {
        if (request.method === 'HEAD') return answerHead(reply)
        const { named = false, format = 'plain' } = query
        const options = { topic, start, named, format }
        return answerStream(app, api, reply, { topic }, deadlineMs => api.streams.open(options, deadlineMs))
      }
      reply.type(type).header('cache-control', 'no-store')
      if (request.method === 'HEAD') return answerEmpty(reply)
      const why = notServing(api)
      if (why) throw why
      if (type === 'application/json') return page(api, reply, topic, start, query)
      return history(api, reply, topic, start)
    },
  )
}

async function page(
  api: PeerApi,
  reply: FastifyReply,
  topic: string,
  start: StreamStart,
  query: Static<typeof EventsQuery>,
) {
  const { events: found, ...rest } = await api.streams.page(topic, start, query.limit ?? DEFAULT_PAGE)
  if (parseCursor(rest.next)!.offset < rest.latest) reply.header('link', nextLink(topic, query, rest.next))
  const head = JSON.stringify({ topic, ...rest })
  return reply.send(`${head.slice(0, -1)},"events":[${found.map(eventText).join(',')}]}`)
}

/** The way to the next page (RFC 8288): as this one was asked for, but for where it begins. */
function nextLink(topic: string, query: Static<typeof EventsQuery>, next: string): string {
  const { from: _from, last: _last, lastEventId: _lastEventId, ...kept } = query
  const asked = new URLSearchParams({ lastEventId: next })
  for (const [name, value] of Object.entries(kept)) asked.set(name, String(value))
  return `<${topicPath(topic)}/events?${asked}>; rel="next"`
}

async function history(api: PeerApi, reply: FastifyReply, topic: string, start: StreamStart) {
  const aborter = new AbortController()
  reply.server.halfOpen.watch(reply.raw.socket)
  reply.raw.once('close', () => aborter.abort())
  const text = await historyText(api.streams.history(topic, start, aborter.signal))
  return reply.send(Readable.from(text, { objectMode: false }))
}

export default events
