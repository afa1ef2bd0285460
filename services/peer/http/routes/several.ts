import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { HypercastError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { SeveralStart } from '../../streams/types.ts'
import { isPattern, patternProblem } from '../../topics/wants.ts'
import { negotiate } from '../accept.ts'
import type { HttpOptions, PeerApi } from '../api.ts'
import { problemResponses } from '../schemas.ts'
import { answerHead, SSE_ROUTE } from '../sse.ts'
import { readSeveralStart, shorten } from '../start.ts'
import { answerStream } from '../stream-answer.ts'
import {
  lastEventIdParameter,
  ResumeHeaders,
  STREAM_ERRORS,
  startRequest,
  VARY_HEADER,
} from '../stream-request.ts'
import { checkTopicName, rosterOf } from '../views.ts'

const SeveralQuery = Type.Object(
  {
    topic: Type.Array(Type.String(), {
      minItems: 1,
      maxItems: LIMITS.MAX_WANTS,
      description:
        'A topic, or a pattern: `*` stands for one segment of a name, `**` for any number of them, segments end at `/`. ' +
        'Given once for each. Topics need not exist yet: they join in when they are created.',
      examples: [['sports', 'news/*']],
    }),
    from: Type.Optional(
      Type.String({
        description: '`earliest`, `latest` (the default), or an ISO time.',
        examples: ['earliest'],
      }),
    ),
    last: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: LIMITS.MAX_LAST_EVENTS,
        description: 'The newest so many events of all these topics together, then live.',
      }),
    ),
    lastEventId: lastEventIdParameter('1.2s.4f~u.0.0'),
  },
  { additionalProperties: false },
)

const STREAM = {
  type: 'string',
  description:
    'Server-Sent Events (WHATWG). It opens with a frame that has only an `id`, once it is known where the stream begins. ' +
    'The `id` is one cursor over all topics; the `data` of each event is a CloudEvents 1.0 JSON object with its `topic`, ' +
    '`offset` and `incarnation` (which life of the name it is). The order of each topic holds; topics may overtake each ' +
    'other. `event: gap` with {"topic","incarnation","from","to"} names offsets that retention removed; `event: end` with {"topic","incarnation","reason"} says that a topic was deleted, and the ' +
    'stream goes on; without a `topic` the stream is over: {"reason":"future"} when its cursor turns out to be. Frames that have only an `id` say how far the stream got; comments are heartbeats.',
  examples: [
    'retry: 500\n\nid: 1.0.0~u.3.7\n\nid: 1.1.2~u.3.7\n' +
      'data: {"specversion":"1.0","id":"1-1","source":"/v1/topics/sports","type":"hypercast.event",' +
      '"time":"2025-01-31T12:00:00.000Z","datacontenttype":"text/plain; charset=utf-8","topic":"sports","offset":1,"incarnation":1,' +
      '"data":"Match Update 1"}\n\n',
  ],
}

/** GET /v1/events: one stream over several topics and patterns. */
const several: FastifyPluginAsyncTypebox<HttpOptions> = async (app, { api }) => {
  app.get(
    '/v1/events',
    {
      config: { waits: true },
      sse: SSE_ROUTE,
      schema: {
        operationId: 'readSeveral',
        tags: ['events'],
        summary: 'Subscribe to several topics on one connection',
        description:
          'One stream over topics and patterns with one cursor; always CloudEvents. Last-Event-ID beats lastEventId, ' +
          `which beats from. At most ${LIMITS.MAX_WANTS} topics, and at most ${LIMITS.MAX_HEADER_BYTES} bytes of ` +
          `request line and headers together, which is room for ${LIMITS.MAX_WANTS} names of 60 characters.`,
        querystring: SeveralQuery,
        headers: ResumeHeaders,
        response: {
          200: {
            description: 'Events of all these topics.',
            headers: VARY_HEADER,
            content: { 'text/event-stream': { schema: STREAM } },
          },
          ...problemResponses(...STREAM_ERRORS, 'CURSOR_FROM_FUTURE', 'HEADERS_TOO_LARGE'),
        },
      },
    },
    async (request, reply) => {
      const { query, headers } = request
      reply.header('vary', 'Accept')
      checkEncoding(request.raw.url)
      for (const want of query.topic) checkWant(want)
      if (negotiate(headers.accept, ['text/event-stream']) === undefined) {
        throw new HypercastError('NOT_ACCEPTABLE', 'This path gives text/event-stream.')
      }
      const start = readSeveralStart(startRequest(query, headers))
      if (request.method === 'HEAD') return answerHead(reply)
      const wants = query.topic
      return answerStream(app, api, reply, { topics: wants.slice(0, 3) }, () => {
        checkSlots(start, api)
        return api.streams.openSeveral({ wants, start })
      })
    },
  )
}

/** What is wrongly encoded would be taken for a name of its own, whose events never come. */
function checkEncoding(url = ''): void {
  try {
    decodeURIComponent(url.slice(url.indexOf('?') + 1))
  } catch {
    throw new HypercastError('INVALID_REQUEST', 'The query is not valid percent-encoded UTF-8.')
  }
}

/** A cursor of another cluster would silently begin at the latest event. */
function checkSlots(start: SeveralStart, api: PeerApi): void {
  if (start.kind !== 'cursor') return
  const { slots } = rosterOf(api)
  const strange = [...start.places.keys()].find(slot => slot >= slots)
  if (strange === undefined) return
  throw new HypercastError(
    'INVALID_CURSOR',
    `The cursor names slot ${strange}; this cluster has ${slots}, counted from 0.`,
  )
}

function checkWant(want: string): void {
  if (!isPattern(want)) {
    checkTopicName(want)
    return
  }
  const problem = patternProblem(want)
  if (problem === undefined) return
  const shown = shorten(want.toWellFormed())
  throw new HypercastError(
    'INVALID_REQUEST',
    `The pattern "${shown}" ${problem}. Give patterns such as "sports/*" or "sports/**".`,
  )
}

export default several
