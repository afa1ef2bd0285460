import { Packr, RESERVE_START_SPACE, Unpackr } from 'msgpackr'
import type { Command, EventInput, ProducerStamp, Request, TopicSettings } from '../topics/types.ts'
import {
  bytes,
  CodecError,
  dictionary,
  type Fields,
  list,
  NewerFormatError,
  nullable,
  optional,
  real,
  record,
  type Shape,
  text,
  uint,
  variant,
} from './shapes.ts'

export { CodecError, NewerFormatError } from './shapes.ts'

/** Format of a command as it lies in a log entry; its first byte. */
export const COMMAND_FORMAT = 1
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
  pack(event) {
    const packed = eventRecord.packOnto([], event)
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

/** What every command has, behind `head`. The order is the format: append only, and raise COMMAND_FORMAT. */
const commandKinds = <Head extends object>(head: Fields<Head>) => {
  const base = { ...head, topic: text, producer: optional(producerShape) }
  return {
    create: [1, record({ ...base, settings: settingsShape })],
    configure: [2, record({ ...base, settings: partialSettingsShape })],
    delete: [3, record(base)],
    publish: [4, record({ ...base, events: list(eventShape), clientKey: optional(clientKeyShape) })],
    trim: [5, record({ ...base, incarnation: uint, before: uint, bytes: uint })],
  } as const
}

const commandShape = variant<Command, 'kind'>('kind', commandKinds({ timeMs: real }) as never)

/** A command that the primary has not stamped yet. */
export const requestShape: Shape<Request> = variant<Request, 'kind'>('kind', commandKinds({}) as never)

/**
 * Encodes a command for a log entry: one byte of format, then MessagePack by position.
 * The same command gives the same bytes on every peer.
 */
export function encodeCommand(command: Command): Uint8Array {
  const packed = packBehind(commandShape.pack(command), 1)
  packed[0] = COMMAND_FORMAT
  if (packed.length >= COPY_BELOW_BYTES) return packed
  const copy = new Uint8Array(packed.length)
  copy.set(packed)
  return copy
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

function unpackCommand(data: Uint8Array): unknown {
  const format = data[0]
  if (format === undefined || format === 0) throw new CodecError('the entry has no format')
  if (format > COMMAND_FORMAT) throw new NewerFormatError('the entry', format, COMMAND_FORMAT)
  return unpackPlain(data.subarray(1))
}
