import { Packr, RESERVE_START_SPACE, Unpackr } from 'msgpackr'
import { NOTED_KINDS, type Roster, type RosterNote, type RosterPeer } from '../cube/roster.ts'
import type { RosterChange } from '../cube/roster-change.ts'
import { LIMITS } from '../limits.ts'
import type {
  Command,
  EventInput,
  ProducerStamp,
  RecoverCommand,
  Request,
  TopicSettings,
} from '../topics/types.ts'
import {
  bool,
  bytes,
  CodecError,
  dictionary,
  type Fields,
  list,
  NewerFormatError,
  nullable,
  oneOf,
  optional,
  real,
  record,
  type Shape,
  text,
  uint,
  variant,
} from './shapes.ts'

export { CodecError, NewerFormatError } from './shapes.ts'

/**
 * The newest format of a command as it lies in a log entry; its first byte. A command is written in the oldest one
 * that has what it says: 2 brought the roster's, 3 the formats that peers speak, 4 the peer that a change of address
 * displaces, 5 what follows a recovery, 6 how far a trim gets; every other is still 1. Each belongs to a format of the cluster (formats.ts),
 * before which it is not written.
 */
export const COMMAND_FORMAT = 6
/** A command is always written with all it says. */
const EVERY_FORMAT = Number.MAX_SAFE_INTEGER
/** Below this many bytes an encoded command is copied, so that it does not keep the packer's whole slab alive. */
const COPY_BELOW_BYTES = 4_096

// Records and shared structures stay off: what they pack can only be read beside the same table of structures.
const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true })
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true })

/** Packs plain data behind `reserveBytes` bytes that are left for the caller to fill. */
export function packBehind(value: unknown, reserveBytes: number): Buffer {
  // The option is a bit mask whose low byte is the number of bytes to reserve.
  return packr.pack(value, (RESERVE_START_SPACE + reserveBytes) as never)
}

/** Unpacks one MessagePack value; byte strings are views of `data`. Throws CodecError. */
export function unpackPlain(data: Uint8Array): unknown {
  try {
    return unpackr.unpack(data)
  } catch {
    throw new CodecError('the bytes are not MessagePack')
  }
}

const eventFields: Fields<EventInput> = {
  data: bytes,
  contentType: optional(text),
  type: optional(text),
  id: optional(text),
  attributes: optional(dictionary),
}
const eventRecord = record<EventInput>(eventFields)

/** An event as it was given; one that is nothing but bytes is packed as those. */
export const eventShape: Shape<EventInput> = {
  ...eventRecord,
  pack(event, at) {
    const packed = eventRecord.packOnto([], event, at)
    return packed.length === 1 ? packed[0] : packed
  },
  unpack: (raw, name) => (raw instanceof Uint8Array ? { data: raw } : eventRecord.unpack(raw, name)),
}

export const settingsShape = record<TopicSettings>({
  maxAgeMs: nullable(real),
  maxEvents: nullable(uint),
  maxBytes: nullable(uint),
})

/** Settings of which some are not mentioned: absent is another thing than null, so their names are kept. */
const partialSettingsShape: Shape<Partial<TopicSettings>> = (() => {
  const json = record<Partial<TopicSettings>>({
    maxAgeMs: optional(nullable(real)),
    maxEvents: optional(nullable(uint)),
    maxBytes: optional(nullable(uint)),
  })
  return {
    ...json,
    pack: value =>
      Object.entries(value)
        .filter(([, setting]) => setting !== undefined)
        .flat(),
    unpack(raw, name) {
      if (!Array.isArray(raw) || raw.length % 2 !== 0)
        throw new CodecError(`${name} must be names and values`)
      const pairs: [string, unknown][] = []
      for (let i = 0; i < raw.length; i += 2) pairs.push([text.unpack(raw[i], name), raw[i + 1]])
      return json.fromJson(Object.fromEntries(pairs), name)
    },
  }
})()

const producerShape = record<ProducerStamp>({ uid: text, boot: uint, sequence: uint, low: uint })
const clientKeyShape = record<{ readonly key: string; readonly payloadHash: string }>({
  key: text,
  payloadHash: text,
})

const isTrue: Shape<true> = {
  pack: value => value,
  unpack: (raw, name) => onlyTrue(bool.unpack(raw, name), name),
  toJson: value => value,
  fromJson: (raw, name) => onlyTrue(bool.fromJson(raw, name), name),
}

/** A roster's fields; `rosterFault` judges what they hold. */
export const rosterShape = record<Roster>({
  version: uint,
  clusterId: text,
  dimension: uint,
  slots: uint,
  peers: list(
    record<RosterPeer>({
      ...{ id: text, uid: text, number: uint, url: text, leaving: optional(isTrue) },
      format: optional(uint),
      given: optional(isTrue),
    }),
    2 ** LIMITS.MAX_DIMENSION,
  ),
  lastNumber: optional(uint),
  change: optional(
    record<RosterNote>({ kind: oneOf(NOTED_KINDS), id: text, by: text, why: text, timeMs: real }),
  ),
  format: optional(uint),
})

const reason = { by: text, why: text }
const follows = { follows: optional(uint) }
const format = { format: optional(uint) }
const changeKinds = {
  found: [1, record({ roster: rosterShape })],
  join: [2, record({ ...reason, uid: text, url: text, id: optional(text), ...follows, ...format })],
  leave: [3, record({ ...reason, id: text, ...follows })],
  evict: [4, record({ ...reason, id: text, uid: text, ...follows })],
  replace: [5, record({ ...reason, id: text, uid: text, replaces: text, url: text, ...follows, ...format })],
  address: [6, record({ ...reason, uid: text, url: text, ...follows, displaces: optional(text) })],
  remove: [7, record({ ...reason, uid: text, ...follows })],
  format: [8, record({ ...reason, uid: text, format: uint, ...follows })],
} as const
const changeShape = variant<RosterChange, 'kind'>('kind', changeKinds as never)
/** A roster is never founded on request: its founding peers write that entry into their logs themselves. */
const { found: _, ...requestableKinds } = changeKinds
const requestableShape = variant<RosterChange, 'kind'>('kind', requestableKinds as never)

/** What every command has, behind `head`. The order is the format: append only, and raise COMMAND_FORMAT. */
const commandKinds = <Head extends object>(head: Fields<Head>, change: Shape<RosterChange>) => {
  const base = { ...head, topic: text, producer: optional(producerShape) }
  return {
    create: [1, record({ ...base, settings: settingsShape })],
    configure: [2, record({ ...base, settings: partialSettingsShape })],
    delete: [3, record(base)],
    publish: [4, record({ ...base, events: list(eventShape), clientKey: optional(clientKeyShape) })],
    trim: [5, record({ ...base, incarnation: uint, before: uint, bytes: uint, sequence: optional(uint) })],
    roster: [6, record({ ...head, change, producer: optional(producerShape) })],
  } as const
}

/** Nobody's request: a replica that goes on alone writes it into its log itself. */
const recover = record<Omit<RecoverCommand, 'kind' | 'producer'>>({
  ...{ timeMs: real, incarnation: uint },
  roster: optional(rosterShape),
  skip: optional(uint),
})
const commandShape = variant<Command, 'kind'>('kind', {
  ...commandKinds({ timeMs: real }, changeShape),
  recover: [7, recover],
} as never)

/** A command that the primary has not stamped yet. */
export const requestShape: Shape<Request> = variant<Request, 'kind'>(
  'kind',
  commandKinds({}, requestableShape) as never,
)

/**
 * Encodes a command for a log entry: one byte of format, then MessagePack by position.
 * The same command gives the same bytes on every peer.
 */
export function encodeCommand(command: Command): Uint8Array {
  const packed = packBehind(commandShape.pack(command, EVERY_FORMAT), 1)
  packed[0] = commandFormatOf(command)
  if (packed.length >= COPY_BELOW_BYTES) return packed
  const copy = new Uint8Array(packed.length)
  copy.set(packed)
  return copy
}

/** The oldest format that has what a command says. */
export function commandFormatOf(command: Command | Request): number {
  if (command.kind === 'recover') return 5
  if (command.kind === 'trim') return command.sequence === undefined ? 1 : 6
  return command.kind === 'roster' ? changeFormatOf(command.change) : 1
}

function changeFormatOf(change: RosterChange): number {
  switch (change.kind) {
    case 'format':
      return 3
    case 'join':
    case 'replace':
      return change.format === undefined ? 2 : 3
    case 'found':
      return [change.roster, ...change.roster.peers].every(({ format }) => format === undefined) ? 2 : 3
    case 'address':
      return change.displaces === undefined ? 2 : 4
    default:
      return 2
  }
}

/** Decodes the data of a log entry. Throws CodecError; NewerFormatError when only a newer version can read it. */
export function decodeCommand(data: Uint8Array): Command {
  return commandShape.unpack(unpackCommand(data), 'command')
}

/**
 * The events of a run from the data of the log entry that holds them: `count` of them from the `from`-th on
 * (counted from 0), all by default. Throws CodecError when the entry is no publish.
 */
export function decodeEvents(data: Uint8Array, from = 0, count = Number.MAX_SAFE_INTEGER): EventInput[] {
  const packed = unpackCommand(data)
  // Position 0 is the kind's number; a publish is (kind, timeMs, topic, producer, events, clientKey).
  const events = Array.isArray(packed) && packed[0] === 4 ? packed[4] : undefined
  if (!Array.isArray(events)) throw new CodecError('the entry holds no events')
  const wanted = from === 0 && count >= events.length ? events : events.slice(from, from + count)
  return wanted.map(event => eventShape.unpack(event, 'event'))
}

function onlyTrue(value: boolean, name: string): true {
  if (!value) throw new CodecError(`${name} must be true or absent`)
  return value
}

function unpackCommand(data: Uint8Array): unknown {
  const format = data[0]
  if (format === undefined || format === 0) throw new CodecError('the entry has no format')
  if (format > COMMAND_FORMAT) throw new NewerFormatError('the entry', format, COMMAND_FORMAT)
  return unpackPlain(data.subarray(1))
}
