import { isUtf8 } from 'node:buffer'
import { attributeJson } from '../topics/attribute-values.ts'
import { isTimestamp } from '../topics/timestamps.ts'
import type { StoredEvent } from '../topics/types.ts'
import { asUriReference } from '../topics/uris.ts'
import { mediaKind } from './media-types.ts'

/** Media type of an event whose publisher gave none. */
export const DEFAULT_CONTENT_TYPE = 'text/plain; charset=utf-8'
/** CloudEvents type of an event whose publisher gave none (the attribute is required). */
export const DEFAULT_EVENT_TYPE = 'hypercast.event'
/** Largest Integer of the CloudEvents type system: an offset beyond it is written as a string. */
const MAX_INTEGER = 2_147_483_647

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
  'incarnation',
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
  const { isText, isJson, isUtf8: saysUtf8 } = mediaKind(event.contentType ?? DEFAULT_CONTENT_TYPE)
  if (!isText || !saysUtf8 || !isUtf8(event.data)) return 'binary'
  return isJson ? 'json' : 'text'
}

/**
 * The event as a CloudEvents 1.0 object in the JSON format, with the extension attributes `topic`, `offset` and
 * `incarnation`: which life of the topic’s name it is.
 * A JSON payload stands in `data` exactly as it was published, text as a string, anything else in `data_base64`; an
 * empty one that should be JSON is no data at all (CloudEvents JSON format 1.0.2, section 3.1). Extensions have the
 * type they came with.
 */
export function toCloudEvent(topic: string, event: StoredEvent): string {
  const attributes = event.attributes ?? {}
  const members = [
    member('specversion', '1.0'),
    member('id', event.id ?? `${event.offset}-${event.incarnation}`),
    member('source', sourceOf(topic, attributes.source)),
    member('type', event.type || DEFAULT_EVENT_TYPE),
    member('time', cloudEventTime(event, attributes.time)),
  ]
  for (const [name, value] of Object.entries(attributes)) {
    if (!OWN_ATTRIBUTES.has(name)) members.push(`${JSON.stringify(name)}:${attributeJson(value)}`)
  }
  members.push(
    member('datacontenttype', event.contentType ?? DEFAULT_CONTENT_TYPE),
    member('topic', topic),
    member('offset', event.offset > MAX_INTEGER ? String(event.offset) : event.offset),
    member('incarnation', event.incarnation),
    ...dataMember(event),
  )
  return `{${members.join(',')}}`
}

/** The publisher's source, percent-encoded where it was sent without regard to CloudEvents, or the topic's path. */
function sourceOf(topic: string, given: string | undefined): string {
  return given ? asUriReference(given) : `/v1/topics/${encodeURIComponent(topic)}`
}

/** The publisher's own time if it gave one, else the primary's stamp. */
function cloudEventTime(event: StoredEvent, given: string | undefined): string {
  return given !== undefined && isTimestamp(given) ? given : new Date(event.timeMs).toISOString()
}

function dataMember(event: StoredEvent): string[] {
  const bytes = Buffer.from(event.data.buffer, event.data.byteOffset, event.data.byteLength)
  const kind = payloadKind(event)
  if (kind === 'text') return [member('data', bytes.toString('utf8'))]
  if (kind === 'json') {
    if (bytes.length === 0) return []
    const text = bytes.toString('utf8')
    if (isJson(text)) return [`"data":${text}`]
  }
  return [member('data_base64', bytes.toString('base64'))]
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
