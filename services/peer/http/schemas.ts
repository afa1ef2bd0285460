import { type Static, type TSchema, Type } from 'typebox'
import { ERRORS, type ErrorCode } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { CloudEventSchema } from './cloudevent-schemas.ts'
import { MEMBERSHIP_SCHEMAS } from './membership-schemas.ts'

/** No member beyond those listed: what is not in the contract is not sent. */
const CLOSED = { additionalProperties: false } as const

const Time = (description: string) => Type.String({ format: 'date-time', description })
const Offset = (description: string) => Type.Integer({ minimum: 0, description })
const Limit = (description: string) =>
  Type.Union([Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }), Type.Null()], { description })

export const Label = Type.String({
  pattern: '^[01]*$',
  description: 'The binary label of a corner.',
  examples: ['110'],
})

export const PeerRefSchema = Type.Object(
  {
    id: Label,
    url: Type.String({ description: 'Base URL of the peer.', examples: ['http://127.0.0.1:5561'] }),
  },
  { $id: 'PeerRef', ...CLOSED, description: 'A peer and where it is reached.' },
)
export type PeerRef = Static<typeof PeerRefSchema>
const OptionalPeerRef = (description: string) =>
  Type.Unsafe<PeerRef | null>({ anyOf: [{ $ref: 'PeerRef#' }, { type: 'null' }], description })
const PeerRefs = (description: string) =>
  Type.Unsafe<PeerRef[]>({ type: 'array', items: { $ref: 'PeerRef#' }, description })

const settings = {
  maxAgeMs: Limit('Age in milliseconds at which events leave; null is never.'),
  maxEvents: Limit('Number of events kept; null is all.'),
  maxBytes: Limit('Payload bytes kept; null is all.'),
}
export const SettingsSchema = Type.Object(settings, {
  $id: 'TopicSettings',
  ...CLOSED,
  description: 'How long a topic keeps its events. What passes a limit leaves, the oldest first.',
})
/** Settings as a client gives them: all optional. */
export const SettingsInput = Type.Partial(Type.Object(settings), CLOSED)
export const CreateInput = Type.Object(
  {
    name: Type.String({
      description: 'The name of the topic, 1 to 255 bytes of UTF-8.',
      examples: ['sports'],
    }),
    ...SettingsInput.properties,
  },
  CLOSED,
)

export const TopicSchema = Type.Object(
  {
    name: Type.String({ examples: ['sports'] }),
    slot: Type.Integer({ minimum: 0, description: 'The hash slot the topic belongs to.' }),
    home: Label,
    primary: OptionalPeerRef('The peer that orders its events now; null while none is known.'),
    replicas: PeerRefs('The peers that hold it, the home first.'),
    earliest: Offset('First offset still kept; latest + 1 when none is.'),
    latest: Offset('Last offset; 0 when none was ever published.'),
    bytes: Offset('Payload bytes kept.'),
    incarnation: Type.Integer({ minimum: 1, description: 'Which life of this name this is.' }),
    created: Time('When it was created.'),
    settings: Type.Unsafe<Static<typeof SettingsSchema>>({ $ref: 'TopicSettings#' }),
  },
  { $id: 'Topic', ...CLOSED, description: 'A topic, where it lives and what it holds.' },
)
export type TopicBody = Static<typeof TopicSchema>

export const TopicListSchema = Type.Object(
  {
    topics: Type.Unsafe<TopicBody[]>({ type: 'array', items: { $ref: 'Topic#' } }),
    next: Type.Union([Type.String(), Type.Null()], {
      description: 'Give it as `after` for the next page; null on the last one.',
    }),
  },
  { $id: 'TopicList', ...CLOSED, description: 'A page of topics by name.' },
)

const placed = {
  topic: Type.String({ examples: ['sports'] }),
  time: Time('The stamp of the primary.'),
  primary: OptionalPeerRef('The peer that ordered it: publish there to save a hop.'),
  replicas: Type.Integer({ minimum: 1, description: 'Replicas that hold it on disk; at least a majority.' }),
}
export const SubscribersSchema = Type.Object(
  {
    topic: Type.String({ examples: ['sports'] }),
    total: Type.Integer({ minimum: 0, description: 'Streams at all peers that answered.' }),
    peers: Type.Array(
      Type.Object(
        {
          id: Label,
          url: Type.String({ description: 'Base URL of the peer.', examples: ['http://127.0.0.1:5561'] }),
          subscribers: Type.Integer({ minimum: 0, description: 'Open streams of clients there.' }),
        },
        CLOSED,
      ),
      { description: 'Every peer that answered, by label, also those that serve none.' },
    ),
    silent: Type.Array(Label, { description: 'Peers that did not answer in time.' }),
  },
  { $id: 'Subscribers', ...CLOSED, description: 'Who listens to a topic now.' },
)
export type SubscribersBody = Static<typeof SubscribersSchema>

export const PublishedSchema = Type.Object(
  {
    ...placed,
    offset: Type.Integer({ minimum: 1, description: 'The place of the event in its topic.' }),
    id: Type.String({ description: 'The publisher’s id of the event, or its cursor.' }),
    cursor: Type.String({ description: 'Resumes a stream behind this event.', examples: ['42-1'] }),
  },
  { $id: 'Published', ...CLOSED, description: 'An event that is kept.' },
)
export type PublishedBody = Static<typeof PublishedSchema>

export const BatchPublishedSchema = Type.Object(
  {
    ...placed,
    first: Type.Integer({ minimum: 1, description: 'Offset of the first event.' }),
    last: Type.Integer({ minimum: 1, description: 'Offset of the last event.' }),
    count: Type.Integer({ minimum: 1 }),
    cursor: Type.String({ description: 'Resumes a stream behind the last event.', examples: ['42-1'] }),
  },
  { $id: 'BatchPublished', ...CLOSED, description: 'A batch that is kept, all of it.' },
)
export type BatchPublishedBody = Static<typeof BatchPublishedSchema>

export const EventSchema = Type.Object(
  {
    offset: Type.Integer({ minimum: 1 }),
    cursor: Type.String({ description: 'Resumes a stream behind this event.', examples: ['42-1'] }),
    id: Type.String({ description: 'The publisher’s id, or the cursor.' }),
    time: Time('The stamp of the primary.'),
    type: Type.Optional(Type.String({ description: 'The publisher’s type.' })),
    contentType: Type.String({ examples: ['text/plain; charset=utf-8'] }),
    attributes: Type.Optional(
      Type.Record(Type.String(), Type.String(), {
        description: 'CloudEvents attributes: source, extensions. Booleans and integers as strings.',
      }),
    ),
    data: Type.Optional(Type.Unknown({ description: 'Text as a string, JSON as JSON.' })),
    data_base64: Type.Optional(Type.String({ description: 'Anything else, in base64.' })),
  },
  { $id: 'Event', ...CLOSED, description: 'An event in its place, with `data` or `data_base64`.' },
)

export const EventPageSchema = Type.Object(
  {
    topic: Type.String(),
    events: Type.Unsafe<Static<typeof EventSchema>[]>({ type: 'array', items: { $ref: 'Event#' } }),
    next: Type.String({
      description:
        'Give it as `lastEventId` for what follows. Of a page from an offset in the future it is the end of what there is.',
    }),
    gap: Type.Optional(
      Type.Object(
        { from: Type.Integer({ minimum: 1 }), to: Type.Integer({ minimum: 1 }) },
        { ...CLOSED, description: 'Offsets before the events of the page that retention has removed.' },
      ),
    ),
    earliest: Offset('First offset still kept.'),
    latest: Offset('Last offset.'),
  },
  { $id: 'EventPage', ...CLOSED, description: 'A page of a topic’s events, ascending.' },
)

export const PeerSchema = Type.Object(
  {
    id: Label,
    url: Type.String({ examples: ['http://127.0.0.1:5555'] }),
    uid: Type.String({ description: 'The random id of its store.' }),
    status: Type.Union(
      [
        Type.Literal('self'),
        Type.Literal('up'),
        Type.Literal('suspected'),
        Type.Literal('down'),
        Type.Literal('unknown'),
      ],
      {
        description:
          'How it looks from the peer that was asked; `unknown` when the two share neither a slot nor a link.',
      },
    ),
    leaving: Type.Optional(
      Type.Literal(true, { description: 'It is on its way out: listed until its slots have moved.' }),
    ),
    format: Type.Integer({
      minimum: 1,
      description: 'The newest format its program speaks with other peers.',
    }),
    neighbours: Type.Array(Label, { description: 'Peers across one dimension.' }),
    homes: Type.Integer({ minimum: 0, description: 'Slots it is the home of.' }),
    primaries: Type.Integer({ minimum: 0, description: 'Slots it is the primary of, as far as known.' }),
  },
  { $id: 'Peer', ...CLOSED, description: 'A peer as the one that was asked sees it.' },
)
export type PeerBody = Static<typeof PeerSchema>
const clusterFormat = Type.Integer({
  minimum: 1,
  description:
    'The format the peers speak with each other: the newest that the programs of all of them know.',
})
/** Numbers that only an answer from every slot's primary gives. */
const progress = {
  moving: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
    description:
      'Slots that are still to move to where the roster places them; null without `progress=true`.',
  }),
  bytesToMove: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
    description:
      'About how many bytes of events are still to be copied until they have; null without `progress=true`.',
  }),
  behind: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
    description:
      'Replicas that are down or have not caught up with their primary: before another peer stops, this should be 0; null without `progress=true`.',
  }),
  unknown: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
    description: 'Slots for which nobody answered in time; null without `progress=true`.',
  }),
}
export interface ProgressBody {
  readonly moving: number | null
  readonly bytesToMove: number | null
  readonly behind: number | null
  readonly unknown: number | null
}
export const ProgressQuery = Type.Object(
  {
    progress: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'Ask the primary of every slot what of it is still to move, which takes a moment.',
      }),
    ),
  },
  CLOSED,
)
export const PeerListSchema = Type.Object(
  {
    peers: Type.Unsafe<PeerBody[]>({ type: 'array', items: { $ref: 'Peer#' } }),
    format: clusterFormat,
    ...progress,
  },
  { $id: 'PeerList', ...CLOSED, description: 'The roster’s peers by label.' },
)

export const CubeSchema = Type.Object(
  {
    clusterId: Type.String(),
    version: Type.Integer({ minimum: 0, description: 'Version of the roster.' }),
    dimension: Type.Integer({ minimum: 0, maximum: LIMITS.MAX_DIMENSION }),
    slots: Type.Integer({ minimum: 1, maximum: LIMITS.MAX_SLOTS }),
    format: clusterFormat,
    self: Label,
    peers: Type.Unsafe<PeerBody[]>({ type: 'array', items: { $ref: 'Peer#' } }),
    ...progress,
    primaries: Type.Array(Type.Union([Label, Type.Null()]), {
      description: 'The primary of each slot, by slot, as far as known here.',
    }),
  },
  { $id: 'Cube', ...CLOSED, description: 'The topology as this peer sees it.' },
)
export type CubeBody = Static<typeof CubeSchema>

export const HealthSchema = Type.Object(
  {
    status: Type.Union([Type.Literal('ok'), Type.Literal('waiting')]),
    why: Type.String({ description: 'What it waits for, in words.' }),
  },
  { $id: 'Health', ...CLOSED, description: 'Whether the peer is well.' },
)

const CODES = Object.keys(ERRORS) as ErrorCode[]
export const ProblemSchema = Type.Object(
  {
    type: Type.String({ format: 'uri-reference', description: 'The page about this code.' }),
    title: Type.String(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Type.String({ description: 'What is wrong in this case.' }),
    instance: Type.String({ format: 'uri', description: 'The id of the request.' }),
    code: Type.Union(
      CODES.map(code => Type.Literal(code)),
      { description: 'Stable; docs/ERRORS.md lists all.' },
    ),
    remedy: Type.String({ description: 'What to do about it.' }),
  },
  { $id: 'Problem', additionalProperties: true, description: 'An error (RFC 9457).' },
)

/** Schemas that others refer to by `$id`. */
export const SHARED_SCHEMAS: readonly TSchema[] = [
  PeerRefSchema,
  SettingsSchema,
  TopicSchema,
  TopicListSchema,
  SubscribersSchema,
  PublishedSchema,
  BatchPublishedSchema,
  CloudEventSchema,
  EventSchema,
  EventPageSchema,
  PeerSchema,
  PeerListSchema,
  CubeSchema,
  ...MEMBERSHIP_SCHEMAS,
  HealthSchema,
  ProblemSchema,
]

export const TopicParams = Type.Object({
  topic: Type.String({
    description: 'The name of the topic, percent-encoded: 1 to 255 bytes of UTF-8.',
    examples: ['sports'],
  }),
})

/** A response in JSON that refers to a shared schema. */
export function jsonResponse(schema: string, description: string, headers?: Record<string, object>): object {
  return jsonResponseOf({ $ref: `${schema}#` }, description, headers)
}

/** A response in JSON that is as one of several shared schemas says. */
export function jsonResponseOfAny(
  schemas: readonly string[],
  description: string,
  headers?: Record<string, object>,
): object {
  return jsonResponseOf({ anyOf: schemas.map(schema => ({ $ref: `${schema}#` })) }, description, headers)
}

function jsonResponseOf(schema: object, description: string, headers?: Record<string, object>): object {
  return { description, ...(headers ? { headers } : {}), content: { 'application/json': { schema } } }
}

/** Problem responses for these codes, by status. */
export function problemResponses(...codes: readonly ErrorCode[]): Record<number, object> {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of codes) {
    const { status } = ERRORS[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  const responses: Record<number, object> = {}
  for (const [status, group] of byStatus) {
    responses[status] = {
      description: group.map(code => `${code}: ${ERRORS[code].title}.`).join(' '),
      content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
    }
  }
  return responses
}

/** Headers of every answer that went through the cube. */
export const ROUTE_HEADERS = {
  'Hypercast-Path': {
    type: 'string',
    description: 'Labels of the peers the request went through, in order.',
  },
  'Hypercast-Primary': { type: 'string', description: 'Base URL of the topic’s primary.' },
}
