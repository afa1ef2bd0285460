import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { mediaKind } from '../streams/media-types.ts'
import { keepTyped } from '../topics/attribute-values.ts'
import type { EventInput } from '../topics/types.ts'
import { checkName, checkValue, invalid, readAttributes } from './attributes.ts'
import { decodeBase64 } from './base64.ts'
import { checkContentType } from './event-input.ts'
import { textOf } from './json.ts'
import { isDeeperThan, itemsOf, membersOf } from './json-members.ts'
import { shorten } from './start.ts'

/** Attributes of the specification: all of them are strings. */
const STRINGS: ReadonlySet<string> = new Set([
  'specversion',
  'id',
  'source',
  'type',
  'subject',
  'time',
  'dataschema',
  'datacontenttype',
])
/** Members that are not among the counted attributes: the data, in two forms, and its media type. */
const UNCOUNTED = 3
const INTEGER = /^-?(?:0|[1-9]\d{0,9})$/
const MAX_INTEGER = 2_147_483_647

/**
 * The event of a body in CloudEvents' structured mode (JSON format 1.0.2).
 * @throws HypercastError INVALID_EVENT, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE
 */
export function readStructured(body: Uint8Array, maxPayloadBytes: number): EventInput {
  return readObject(jsonTextOf(body), maxPayloadBytes)
}

/**
 * The events of a body in CloudEvents' batched mode: a JSON list of objects as structured mode has them. Everything is
 * checked before anything is published; an error names its item, counted from 1.
 * @throws HypercastError INVALID_EVENT, EMPTY_BATCH, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE
 */
export function readStructuredBatch(body: Uint8Array, maxPayloadBytes: number): EventInput[] {
  const items = itemsOf(jsonTextOf(body))
  if (items === undefined) throw invalid('The batch is not a JSON list of CloudEvents.')
  const events: EventInput[] = []
  for (const json of items) {
    if (events.length === LIMITS.MAX_BATCH_EVENTS) {
      throw new HypercastError(
        'PAYLOAD_TOO_LARGE',
        `The batch has more than ${LIMITS.MAX_BATCH_EVENTS} events.`,
      )
    }
    events.push(inItem(events.length + 1, () => readObject(json, maxPayloadBytes)))
  }
  if (events.length === 0) throw new HypercastError('EMPTY_BATCH')
  return events
}

function inItem(item: number, read: () => EventInput): EventInput {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof HypercastError)) throw error
    throw new HypercastError(error.code, `Item ${item}: ${error.message}`, { item })
  }
}

/** The text of a body that JSON.parse takes. What it makes of it is dropped: it would change numbers and spaces. */
function jsonTextOf(body: Uint8Array): string {
  const text = textOf(body)
  if (text === undefined) throw invalid('The body is not valid UTF-8.')
  // Of a body of nothing but brackets JSON.parse makes millions of lists, each in the other.
  if (isDeeperThan(text, LIMITS.MAX_JSON_LEVELS)) {
    throw invalid(
      `The JSON is nested deeper than ${LIMITS.MAX_JSON_LEVELS} levels; send it as "data_base64".`,
    )
  }
  try {
    JSON.parse(text)
    return text
  } catch {
    throw invalid('The body is not JSON.')
  }
}

function readObject(text: string, maxPayloadBytes: number): EventInput {
  const members = membersOf(text)
  if (members === undefined) throw invalid('A CloudEvent is a JSON object.')
  const seen = new Map<string, string>()
  for (const [name, json] of members) {
    if (seen.has(name)) throw invalid(`"${shorten(name)}" is given more than once.`)
    if (seen.size === LIMITS.MAX_ATTRIBUTES + UNCOUNTED) {
      throw invalid(`It has more than ${LIMITS.MAX_ATTRIBUTES} attributes.`)
    }
    seen.set(name, json)
  }
  const data = take(seen, 'data')
  const base64 = take(seen, 'data_base64')
  const given = new Map<string, string>()
  for (const [name, json] of seen) {
    const value = readValue(checkName(name, name), json)
    if (value !== undefined) given.set(name, value)
  }
  const contentType = take(given, 'datacontenttype')
  if (!given.has('specversion')) throw invalid('"specversion" is missing; CloudEvents 1.0 has "1.0" there.')
  const context = readAttributes(given, name => `"${name}"`)
  const payload = readData(
    data,
    base64,
    contentType === undefined ? undefined : checkContentType(contentType),
  )
  if (payload.data.length > maxPayloadBytes) {
    throw new HypercastError('PAYLOAD_TOO_LARGE', `The data is larger than ${maxPayloadBytes} bytes.`)
  }
  return { ...context, ...payload }
}

function take(from: Map<string, string>, name: string): string | undefined {
  const value = from.get(name)
  from.delete(name)
  return value
}

/** The kept form of an attribute's value; undefined for null, which says that the attribute is not there. */
function readValue(name: string, json: string): string | undefined {
  if (json === 'null') return undefined
  if (json.startsWith('"')) return checkValue(`"${name}"`, JSON.parse(json) as string)
  if (STRINGS.has(name)) throw invalid(`"${name}" is not a string.`)
  if (json === 'true' || json === 'false') return keepTyped(json === 'true')
  if (INTEGER.test(json)) {
    const value = Number(json)
    if (value >= -MAX_INTEGER - 1 && value <= MAX_INTEGER) return keepTyped(value)
  }
  throw invalid(
    `"${name}" is neither a string, a boolean nor an integer of 32 bits; send anything else as a string.`,
  )
}

/**
 * Section 3.1.2 of the JSON format. JSON is kept as it stands there, and so it is called where no type is given; the
 * bytes of `data_base64` without a type are just bytes.
 */
function readData(
  data: string | undefined,
  base64: string | undefined,
  contentType: string | undefined,
): { readonly data: Uint8Array; readonly contentType: string } {
  if (base64 !== undefined && base64 !== 'null') {
    if (data !== undefined) throw invalid('It has "data" and "data_base64"; only one can be.')
    const bytes = base64.startsWith('"') ? decodeBase64(JSON.parse(base64) as string) : undefined
    if (bytes === undefined) throw invalid('"data_base64" is not base64 with its padding.')
    return { data: bytes, contentType: contentType ?? 'application/octet-stream' }
  }
  const type = contentType ?? 'application/json'
  if (data === undefined) return { data: Buffer.alloc(0), contentType: type }
  const { isJson, isUtf8 } = mediaKind(type)
  if (!isUtf8) throw invalid(`"data" comes in UTF-8; send "data_base64" for the charset of "${type}".`)
  if (isJson) return { data: Buffer.from(data), contentType: type }
  if (!data.startsWith('"')) {
    throw invalid(`"data" is not a string, as "${type}" needs; leave "datacontenttype" out for JSON.`)
  }
  const text = JSON.parse(data) as string
  if (!text.isWellFormed()) throw invalid('"data" is not valid Unicode.')
  return { data: Buffer.from(text), contentType: type }
}
