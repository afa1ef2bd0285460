import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { EventInput } from '../topics/types.ts'
import { readContext } from './cloudevents.ts'
import { textOf } from './json.ts'
import { shorten } from './start.ts'

const FORM_TYPE = 'application/x-www-form-urlencoded'

/**
 * One event from a publish in binary mode: the body as it is, its Content-Type, and the `ce-*` headers.
 * curl's default form type, or none, counts as text.
 * @throws HypercastError INVALID_EVENT, NOT_TEXT, UNSUPPORTED_MEDIA_TYPE
 */
export function readEvent(
  request: Pick<IncomingMessage, 'headers' | 'rawHeaders'>,
  data: Uint8Array,
): EventInput {
  const contentType = readContentType(request.headers['content-type'])
  if (contentType === undefined && textOf(data) === undefined) throw new HypercastError('NOT_TEXT')
  return { ...readContext(request), ...(contentType === undefined ? {} : { contentType }), data }
}

/** A compressed body would be kept compressed and nobody would know: neither way of saying so is taken. */
export function refuseEncoded(headers: IncomingHttpHeaders): void {
  refuseCoding('Content-Encoding', headers['content-encoding'], 'identity')
  refuseCoding('Transfer-Encoding', headers['transfer-encoding'], 'chunked')
}

function refuseCoding(name: string, value: string | undefined, taken: string): void {
  if (value === undefined || value.trim().toLowerCase() === taken) return
  throw new HypercastError(
    'UNSUPPORTED_MEDIA_TYPE',
    `Send the body as it is, without ${name}: ${shorten(value)}.`,
  )
}

/** The media type to keep; undefined for text, that is none or curl's default. */
function readContentType(header: string | undefined): string | undefined {
  const contentType = header?.trim()
  if (!contentType) return undefined
  const essence = contentType.split(';', 1)[0]!.trim().toLowerCase()
  if (essence === FORM_TYPE) return undefined
  return checkContentType(contentType)
}

/** @throws HypercastError UNSUPPORTED_MEDIA_TYPE for what is no media type or too long to be kept */
export function checkContentType(contentType: string): string {
  if (contentType.length > LIMITS.MAX_CONTENT_TYPE_CHARACTERS || !MEDIA_TYPE.test(contentType)) {
    throw new HypercastError(
      'UNSUPPORTED_MEDIA_TYPE',
      `"${shorten(contentType)}" is no media type of at most ${LIMITS.MAX_CONTENT_TYPE_CHARACTERS} characters.`,
    )
  }
  return contentType
}

/** RFC 9110, section 8.3.1, parameters taken as they are. */
const MEDIA_TYPE = /^[!#$%&'*+\-.^_`|~0-9a-z]+\/[!#$%&'*+\-.^_`|~0-9a-z]+\s*(?:;[\x20-\x7e\t]*)?$/i
