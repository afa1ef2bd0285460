import { canonicalTexts } from '../topics/attribute-values.ts'
import { formatCursor } from '../topics/cursor.ts'
import type { StoredEvent } from '../topics/types.ts'
import { isJsonType, parseExactly, textOf } from './json.ts'

/**
 * An event as pages and histories show it, one line of JSON; the mirror of a batch's line: JSON payloads as JSON with
 * their numbers as they were written, text as a string, anything else as `data_base64`.
 */
export function eventText(event: StoredEvent): string {
  const { offset, incarnation, type, contentType, attributes } = event
  const cursor = formatCursor(offset, incarnation)
  const head = JSON.stringify({
    offset,
    cursor,
    id: event.id ?? cursor,
    time: new Date(event.timeMs).toISOString(),
    ...(type === undefined ? {} : { type }),
    contentType: contentType ?? 'text/plain; charset=utf-8',
    ...(attributes === undefined ? {} : { attributes: canonicalTexts(attributes) }),
  })
  return `${head.slice(0, -1)},${dataMember(event)}}`
}

function dataMember({ contentType, data }: StoredEvent): string {
  const isText = contentType === undefined || /^text\//i.test(contentType)
  const text = isText || isJsonType(contentType) ? textOf(data) : undefined
  if (text !== undefined) {
    const json = isText ? JSON.stringify(text) : oneLineOf(text)
    if (json !== undefined) return `"data":${json}`
  }
  return `"data_base64":"${Buffer.from(data).toString('base64')}"`
}

/** The JSON of `text` on one line; undefined when it is not JSON, or nested deeper than can be written again. */
function oneLineOf(text: string): string | undefined {
  try {
    if (/[\r\n]/.test(text)) return JSON.stringify(parseExactly(text))
    JSON.parse(text)
    return text
  } catch {
    return undefined
  }
}
