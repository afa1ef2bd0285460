import { isUtf8 } from 'node:buffer'
import type { StoredEvent } from '../topics/types.ts'

/** Media type of an event whose publisher gave none. */
export const DEFAULT_CONTENT_TYPE = 'text/plain; charset=utf-8'
/** CloudEvents type of an event whose publisher gave none (the attribute is required). */
export const DEFAULT_EVENT_TYPE = 'hypercast.event'

/** `application/` subtypes that are text although their names do not say so. */
const TEXT_SUBTYPES = new Set([
  'json',
  'xml',
  'javascript',
  'ecmascript',
  'yaml',
  'x-yaml',
  'toml',
  'sql',
  'graphql',
  'x-ndjson',
  'jsonl',
  'x-www-form-urlencoded',
])
/** Charsets whose bytes are UTF-8. */
const UTF8_CHARSETS = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii'])
/** Attributes that are written from the event itself, whatever the publisher's attributes say. */
const OWN_ATTRIBUTES = new Set([
  'specversion',
  'id',
  'source',
  'type',
  'time',
  'datacontenttype',
  'topic',
  'offset',
  'data',
  'data_base64',
])

/** How a payload can be shown: as UTF-8 text, as a JSON value (which is text too), or only as bytes. */
export type PayloadKind = 'text' | 'json' | 'binary'

/**
 * What the media type and the bytes of an event allow. Text is `text/*`, JSON, XML and their like, in UTF-8;
 * bytes that are not valid UTF-8 are binary whatever their type says.
 */
export function payloadKind(event: Pick<StoredEvent, 'contentType' | 'data'>): PayloadKind {
  const declared = declaredKind(event.contentType ?? DEFAULT_CONTENT_TYPE)
  return declared !== 'binary' && isUtf8(event.data) ? declared : 'binary'
}

function declaredKind(contentType: string): PayloadKind {
  const [essence = '', ...parameters] = contentType.toLowerCase().split(';')
  if (!parameters.every(isUtf8Parameter)) return 'binary'
  const [type = '', subtype = ''] = essence.trim().split('/')
  if (subtype === 'json' || subtype.endsWith('+json')) return 'json'
  if (type === 'text' || subtype.endsWith('+xml') || subtype.endsWith('+yaml')) return 'text'
  return type === 'application' && TEXT_SUBTYPES.has(subtype) ? 'text' : 'binary'
}

function isUtf8Parameter(parameter: string): boolean {
  const [name = '', value = ''] = parameter.trim().split('=')
  return name !== 'charset' || UTF8_CHARSETS.has(value.replaceAll('"', ''))
}

/**
 * The event as a CloudEvents 1.0 object in the JSON format, with the extension attributes `topic` and `offset`.
 * A JSON payload stands in `data` exactly as it was published, text as a string, anything else in `data_base64`
 * (CloudEvents JSON format 1.0.2, section 3.1).
 */
export function toCloudEvent(topic: string, event: StoredEvent): string {
  const attributes = event.attributes ?? {}
  const members = [
    member('specversion', '1.0'),
    member('id', event.id ?? `${event.offset}-${event.incarnation}`),
    member('source', attributes.source || `/v1/topics/${encodeURIComponent(topic)}`),
    member('type', event.type || DEFAULT_EVENT_TYPE),
    member('time', cloudEventTime(event, attributes.time)),
  ]
  for (const [name, value] of Object.entries(attributes)) {
    if (!OWN_ATTRIBUTES.has(name)) members.push(member(name, value))
  }
  members.push(
    member('datacontenttype', event.contentType ?? DEFAULT_CONTENT_TYPE),
    member('topic', topic),
    member('offset', event.offset),
    dataMember(event),
  )
  return `{${members.join(',')}}`
}

/** The publisher's own time if it gave one, else the primary's stamp. */
function cloudEventTime(event: StoredEvent, given: string | undefined): string {
  return given !== undefined && !Number.isNaN(Date.parse(given))
    ? given
    : new Date(event.timeMs).toISOString()
}

function dataMember(event: StoredEvent): string {
  const bytes = Buffer.from(event.data.buffer, event.data.byteOffset, event.data.byteLength)
  const kind = payloadKind(event)
  if (kind === 'text') return member('data', bytes.toString('utf8'))
  if (kind === 'json') {
    const text = bytes.toString('utf8')
    if (isJson(text)) return `"data":${text}`
  }
  return member('data_base64', bytes.toString('base64'))
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function member(name: string, value: string | number): string {
  return `${JSON.stringify(name)}:${JSON.stringify(value)}`
}
