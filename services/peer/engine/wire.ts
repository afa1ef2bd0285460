import { type Roster, rosterFault } from '../cube/roster.ts'
import { ERRORS, type ErrorCode, HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { SlotEvent, SlotGap, SlotStart } from '../links/slot-operations.ts'
import type { Forwarded, ForwardedAnswer, Operation, OperationResult, TopicView } from '../links/types.ts'
import type { Configuration, Entry, Member, Message, SnapshotMeta } from '../raft/types.ts'
import type { RunRecord } from '../store/types.ts'
import type { SlotPosition } from '../topics/positions.ts'
import type {
  ApplyResult,
  KeyRow,
  ProducerRow,
  Published,
  RefusalCode,
  Run,
  SlotImage,
  SlotRow,
  StoredEvent,
  TopicRow,
  TrimFloor,
} from '../topics/types.ts'
import { packBehind, requestShape, rosterShape, settingsShape, unpackPlain } from './codec.ts'
import {
  bool,
  bytes,
  CodecError,
  dictionary,
  keptBytes,
  list,
  NewerFormatError,
  nullable,
  oneOf,
  optional,
  real,
  record,
  type Shape,
  since,
  text,
  tuple,
  uint,
  variant,
} from './shapes.ts'
import type { Beat, SlotMessage, SnapshotChunk } from './types.ts'

/**
 * The newest format of what peers say to each other; every body begins with its own. Peers write the one that belongs to
 * the format of their cluster (formats.ts), so that the oldest program among them reads it: 2 brought `level`,
 * `bytesToMove` and `detail`, and which life of a topic a time is asked of; 3 what reads a slot by sequence, `floor`, and the
 * question who listens.
 */
export const WIRE_FORMAT = 3

/** How a body between peers is written: MessagePack, or JSON for a person with curl. */
export type BodyFormat = 'msgpack' | 'json'

/** Content types of the two formats. */
export const CONTENT_TYPES = { msgpack: 'application/vnd.msgpack', json: 'application/json' } as const

/** The format a content type names. Throws HypercastError UNSUPPORTED_MEDIA_TYPE. */
export function bodyFormat(contentType: string | undefined): BodyFormat {
  const media = contentType?.split(';', 1)[0]?.trim().toLowerCase()
  if (media === CONTENT_TYPES.msgpack) return 'msgpack'
  if (media === CONTENT_TYPES.json) return 'json'
  throw new HypercastError(
    'UNSUPPORTED_MEDIA_TYPE',
    `Peers speak ${CONTENT_TYPES.msgpack} or ${CONTENT_TYPES.json}.`,
  )
}

/** One kind of body between peers. Both decoders throw CodecError for anything that has not exactly its shape. */
export interface Document<T> {
  /**
   * `at` is the wire format of the readers: what it does not have is left out. `reserveBytes` are left free in front, for
   * MessagePack only.
   */
  encode(value: T, format?: BodyFormat, at?: number, reserveBytes?: number): Buffer
  decode(body: Uint8Array, format?: BodyFormat): T
}

const member = record<Member>({ number: uint, uid: text })
export const configurationShape = record<Configuration>({
  rosterVersion: uint,
  voters: list(member),
  outgoing: optional(list(member)),
  learners: optional(list(member)),
})
const entry = record<Entry>({
  index: uint,
  term: uint,
  type: oneOf(['data', 'noop', 'config']),
  // The tail of a slot's log is kept in memory.
  data: keptBytes,
  configuration: optional(configurationShape),
})
const snapshotMeta = record<SnapshotMeta>({
  index: uint,
  term: uint,
  configuration: configurationShape,
})

const envelope = { from: uint, to: uint, term: uint }
const voteRequest = record({ ...envelope, lastIndex: uint, lastTerm: uint, transfer: bool })
const voteResponse = record({ ...envelope, granted: bool })
const message = variant<Message, 'type'>('type', {
  preVote: [1, voteRequest],
  preVoteResponse: [2, voteResponse],
  vote: [3, voteRequest],
  voteResponse: [4, voteResponse],
  append: [5, record({ ...envelope, prevIndex: uint, prevTerm: uint, commit: uint, entries: list(entry) })],
  appendResponse: [6, record({ ...envelope, index: uint, rejected: bool, hintIndex: uint, hintTerm: uint })],
  heartbeat: [7, record({ ...envelope, commit: uint, context: uint })],
  heartbeatResponse: [8, record({ ...envelope, context: uint })],
  snapshot: [9, record({ ...envelope, snapshot: snapshotMeta })],
  timeoutNow: [10, record(envelope)],
})
const slotMessage = record<SlotMessage>({ slot: uint, message })

/** The roster's own slot lies behind the topic slots. */
const MAX_ALL_SLOTS = LIMITS.MAX_SLOTS + 1
const beat = record<Beat>({
  uid: text,
  to: text,
  boot: uint,
  rosterVersion: uint,
  nowMs: real,
  lowDisk: bool,
  stopping: bool,
  leads: list(tuple<readonly [number, number, number]>(uint, uint, uint), MAX_ALL_SLOTS),
  follows: list(tuple<readonly [number, number]>(uint, uint), MAX_ALL_SLOTS),
})

const topicRow = record<TopicRow>({
  name: text,
  incarnation: uint,
  settings: settingsShape,
  earliest: uint,
  latest: uint,
  bytes: uint,
  createdMs: real,
  floor: since(3, record<TrimFloor>({ sequence: uint, index: uint })),
})
/** A roster that `rosterFault` finds nothing wrong with. */
export const soundRoster: Shape<Roster> = {
  ...rosterShape,
  unpack: (raw, name) => sound(rosterShape.unpack(raw, name)),
  fromJson: (raw, name) => sound(rosterShape.fromJson(raw, name)),
}
const slotRow = record<SlotRow>({
  appliedIndex: uint,
  appliedTerm: uint,
  sequence: uint,
  incarnation: uint,
  timeMs: real,
  roster: optional(soundRoster),
})
const published = record<Omit<Published, 'kind'>>({
  incarnation: uint,
  first: uint,
  last: uint,
  sequence: uint,
  timeMs: real,
})
const refusals: readonly RefusalCode[] = [
  'UNKNOWN_TOPIC',
  'TOPIC_EXISTS',
  'TOO_MANY_TOPICS',
  'KEY_REUSED',
  'KEY_SPACE_FULL',
  'STALE_PRODUCER',
  'LABEL_TAKEN',
  'LABEL_TOO_WIDE',
  'ADDRESS_TAKEN',
  'STORE_LISTED',
  'CUBE_FULL',
  'UNKNOWN_PEER',
  'CHANGE_UNDER_WAY',
  'LAST_PEER',
  'NOT_LEAVING',
  'JOIN_REFUSED',
  'INVALID_REQUEST',
  'WRONG_SLOT',
]
const applyResult = variant<ApplyResult, 'kind'>('kind', {
  published: [1, published],
  created: [2, record({ topic: topicRow, fresh: bool })],
  configured: [3, record({ topic: topicRow })],
  deleted: [4, record({ incarnation: uint, latest: uint })],
  trimmed: [5, record({ earliest: uint })],
  refused: [6, record({ code: oneOf(refusals), detail: optional(text) })],
  roster: [7, record({ roster: soundRoster, changed: bool })],
})
const publishedResult = variant<Published, 'kind'>('kind', { published: [1, published] })

const image = record<SlotImage>({
  slot: slotRow,
  topics: list(topicRow),
  keys: list(
    record<KeyRow>({ topic: text, key: text, payloadHash: text, timeMs: real, result: publishedResult }),
  ),
  producers: list(
    record<ProducerRow>({
      uid: text,
      boot: uint,
      low: uint,
      usedIndex: uint,
      results: list(tuple<readonly [number, ApplyResult]>(uint, applyResult)),
    }),
  ),
})
const run = record<Run>({
  logIndex: uint,
  incarnation: uint,
  first: uint,
  count: uint,
  sequence: uint,
  timeMs: real,
  bytes: uint,
})
const snapshotChunk = record<SnapshotChunk>({
  records: list(record<RunRecord>({ run, data: bytes })),
  last: optional(record<NonNullable<SnapshotChunk['last']>>({ snapshot: snapshotMeta, image })),
})

const peerId: Shape<string> = {
  ...text,
  unpack: (raw, name) => label(raw, name),
  fromJson: (raw, name) => label(raw, name),
}
const path = list(peerId, 2 ** LIMITS.MAX_DIMENSION)

const slotPosition = record<SlotPosition>({ sequence: uint, index: uint })
const wants = list(text, LIMITS.MAX_WANTS)
const slotStart = variant<SlotStart, 'kind'>('kind', {
  latest: [1, record({})],
  earliest: [2, record({})],
  time: [3, record({ timeMs: real })],
  last: [4, record({ count: uint })],
})
const operation = variant<Operation, 'kind'>('kind', {
  append: [1, record({ slot: uint, request: requestShape })],
  describe: [2, record({ slot: uint, topic: text })],
  read: [
    3,
    record({ slot: uint, topic: text, incarnation: uint, from: uint, maxEvents: uint, maxBytes: uint }),
  ],
  offsetAt: [
    4,
    record({
      ...{ slot: uint, topic: text, timeMs: real },
      ...{ incarnation: since(2, uint), latest: since(2, uint) },
    }),
  ],
  list: [5, record({ slots: list(uint, LIMITS.MAX_SLOTS), after: text, limit: uint })],
  members: [6, record({ slot: uint })],
  ping: [7, record({ peer: peerId })],
  readSlot: [
    8,
    record({
      ...{ slot: uint, wants, position: slotPosition, maxEvents: uint, maxBytes: uint },
      shown: optional(list(tuple<readonly [string, number]>(text, uint), LIMITS.MAX_SHOWN_LIVES)),
    }),
  ],
  placeSlot: [9, record({ slot: uint, wants, start: slotStart, fresh: optional(bool) })],
  glance: [10, record({ slot: uint, topic: text })],
  listeners: [11, record({ peer: peerId, topic: text })],
})

const NEWER_KINDS: ReadonlySet<Operation['kind']> = new Set(['readSlot', 'placeSlot', 'glance', 'listeners'])

/** The oldest wire format in which an operation can be asked for. */
export function operationFormatOf({ kind }: Operation): number {
  return NEWER_KINDS.has(kind) ? 3 : 1
}

const forwarded = record<Forwarded>({ operation, target: peerId, path, visited: path, patienceMs: real })

const storedEvent = record<StoredEvent>({
  offset: uint,
  incarnation: uint,
  sequence: uint,
  timeMs: real,
  data: bytes,
  contentType: optional(text),
  type: optional(text),
  id: optional(text),
  attributes: optional(dictionary),
})
const topicView = record<TopicView>({
  incarnation: uint,
  primary: nullable(peerId),
  topic: optional(topicRow),
})
/** A newer program may have errors that are not in this one's table. */
const knownCode = (code: string) => (Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'INTERNAL')
const errorCode: Shape<ErrorCode> = {
  ...text,
  unpack: (raw, name) => knownCode(text.unpack(raw, name)),
  fromJson: (raw, name) => knownCode(text.fromJson(raw, name)),
}
const operationResult = variant<OperationResult, 'kind'>('kind', {
  appended: [1, record({ result: applyResult, replicas: uint, primary: peerId })],
  described: [2, record({ view: topicView })],
  events: [3, record({ events: list(storedEvent), earliest: uint, latest: uint })],
  offset: [4, record({ offset: uint })],
  topics: [5, record({ topics: list(topicRow), primaries: list(nullable(peerId)) })],
  members: [
    7,
    record({
      configuration: configurationShape,
      primary: peerId,
      level: since(2, list(uint)),
      bytesToMove: since(2, uint),
    }),
  ],
  pong: [8, record({ url: since(2, text) })],
  slice: [
    9,
    record({
      events: list(record<SlotEvent>({ topic: text, event: storedEvent })),
      gaps: list(
        record<SlotGap>({ topic: text, incarnation: uint, to: uint, index: uint }),
        LIMITS.MAX_TOPICS_PER_SLOT,
      ),
      position: slotPosition,
      latest: uint,
      over: optional(list(uint, LIMITS.MAX_SHOWN_LIVES)),
    }),
  ],
  placed: [
    10,
    record({
      position: slotPosition,
      tail: list(tuple<readonly [number, number]>(uint, real), LIMITS.MAX_LAST_EVENTS),
    }),
  ],
  listeners: [11, record({ count: uint })],
  failed: [6, record({ code: errorCode, definite: bool, detail: since(2, text) })],
})
const forwardedAnswer = variant<ForwardedAnswer, 'kind'>('kind', {
  answered: [1, record({ result: operationResult, path })],
  exhausted: [2, record({ visited: path, primary: nullable(peerId), definite: bool })],
})

/** Raft's messages: body of POST /v1/replicate and of its answer. */
export const messagesBody = bodyOf<readonly SlotMessage[]>(
  'messages',
  list(slotMessage, LIMITS.MAX_MESSAGES_PER_BATCH),
)
/** Body of POST /v1/heartbeat and of its answer. */
export const beatBody = bodyOf<Beat>('beat', beat)
/** Answer of GET /v1/relay/roster. */
export const rosterBody = bodyOf<Roster>('roster', soundRoster)
/** Answer of GET /v1/relay/snapshot. */
export const snapshotBody = bodyOf<SnapshotChunk>('chunk', snapshotChunk)
/** Body of POST /v1/relay/operations. */
export const operationsBody = bodyOf<readonly Forwarded[]>(
  'operations',
  list(forwarded, LIMITS.MAX_FORWARDED_PER_BATCH),
)
/** One answer of POST /v1/relay/operations, with the place of its operation in the request. */
export const answerBody = bodyOf<{ readonly index: number; readonly answer: ForwardedAnswer }>(
  'answered',
  record({ index: uint, answer: forwardedAnswer }),
)

function bodyOf<T>(field: string, shape: Shape<T>): Document<T> {
  return {
    encode(value, format = 'msgpack', at = WIRE_FORMAT, reserveBytes = 0) {
      if (format === 'msgpack') return packBehind([at, shape.pack(value, at)], reserveBytes)
      return Buffer.from(JSON.stringify({ version: at, [field]: shape.toJson(value, at) }))
    },
    decode(body, format = 'msgpack') {
      if (format === 'msgpack') return fromPacked(unpackPlain(body), field, shape)
      return fromJson(body, field, shape)
    },
  }
}

function fromPacked<T>(raw: unknown, field: string, shape: Shape<T>): T {
  if (!Array.isArray(raw) || raw.length !== 2) throw new CodecError('the body must be a version and a value')
  checkVersion(raw[0])
  return shape.unpack(raw[1], field)
}

function fromJson<T>(body: Uint8Array, field: string, shape: Shape<T>): T {
  const raw = parseJson(body)
  const keys = typeof raw === 'object' && raw !== null ? Object.keys(raw).sort().join() : ''
  if (keys !== [field, 'version'].sort().join()) {
    throw new CodecError(`the body must be {"version": ${WIRE_FORMAT}, "${field}": …}`)
  }
  checkVersion((raw as Record<string, unknown>).version)
  return shape.fromJson((raw as Record<string, unknown>)[field], field)
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new CodecError('the body is not JSON')
  }
}

function checkVersion(raw: unknown): void {
  const version = uint.unpack(raw, 'version')
  if (version > WIRE_FORMAT) throw new NewerFormatError('the body', version, WIRE_FORMAT)
  if (version === 0) throw new CodecError('there is no version 0')
}

function sound(roster: Roster): Roster {
  const fault = rosterFault(roster, LIMITS)
  if (fault !== undefined) throw new CodecError(`the roster is not sound: ${fault}`)
  return roster
}

function label(raw: unknown, name: string): string {
  if (typeof raw !== 'string' || raw.length > LIMITS.MAX_DIMENSION || !/^[01]+$/.test(raw)) {
    throw new CodecError(`${name} must be a peer's label`)
  }
  return raw
}
