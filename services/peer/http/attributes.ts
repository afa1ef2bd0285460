import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { isTimestamp } from '../topics/timestamps.ts'
import { isUri, isUriReference } from '../topics/uris.ts'
import { shorten } from './start.ts'

/** Types that mean something else on the wire (DESIGN 8). */
const RESERVED_TYPES: ReadonlySet<string> = new Set(['open', 'error', 'message', 'gap', 'end', 'cloudevent'])
const REQUIRED = ['id', 'source', 'type'] as const
/** Characters that an attribute may not hold (CloudEvents 1.0.2, type system), lone surrogates apart. */
const FORBIDDEN = /[\p{Cc}\p{Noncharacter_Code_Point}]/u

/** What the attributes of one event say, its media type apart. */
export interface EventContext {
  readonly id?: string
  readonly type?: string
  /** By name: source, subject, time, dataschema and extensions, as attribute-values.ts keeps them. */
  readonly attributes?: Readonly<Record<string, string>>
}

/**
 * Attributes as they arrived, by name, in the form they are kept in. An event that names the version of the
 * specification is held to all of it; one that does not, such as curl's with a single `ce-type`, needs nothing, and its
 * source may be any text.
 * @param shown how an attribute is called in what the publisher sent, such as `ce-time`
 * @throws HypercastError INVALID_EVENT
 */
export function readAttributes(
  given: ReadonlyMap<string, string>,
  shown: (name: string) => string,
): EventContext {
  if (given.size > LIMITS.MAX_ATTRIBUTES) {
    throw invalid(`It has more than ${LIMITS.MAX_ATTRIBUTES} attributes.`)
  }
  const { specversion, id, type, ...others } = Object.fromEntries(given)
  if (specversion !== undefined) {
    checkVersion(specversion, shown('specversion'))
    for (const name of REQUIRED) {
      if (!given.has(name)) throw invalid(`${shown(name)} is missing, which CloudEvents 1.0 requires.`)
    }
  }
  const { source } = others
  if (source !== undefined && specversion !== undefined && !isUriReference(source)) {
    throw invalid(`${shown('source')} is no URI-reference such as /stadium/1; percent-encode its characters.`)
  }
  for (const [name, value] of Object.entries(others)) checkKnown(name, value, shown(name))
  return {
    ...(id === undefined ? {} : { id: checkId(id) }),
    ...(type === undefined ? {} : { type: checkType(type) }),
    ...(Object.keys(others).length === 0 ? {} : { attributes: others }),
  }
}

function checkVersion(version: string, shown: string): void {
  if (version === '1.0') return
  throw invalid(
    `${shown} is "${shorten(version)}"; only 1.0 is taken. From 0.3 rename schemaurl to dataschema and leave datacontentencoding out.`,
  )
}

/** What the specification says of the values of its own attributes. */
function checkKnown(name: string, value: string, shown: string): void {
  if (name === 'time' && !isTimestamp(value)) {
    throw invalid(`${shown} is not a time as RFC 3339 writes it, such as 2025-01-31T12:00:00Z.`)
  }
  if (name === 'dataschema' && !isUri(value)) {
    throw invalid(`${shown} is no URI with a scheme, such as https://example.org/goal.json.`)
  }
  if ((name === 'subject' || name === 'source') && value === '') {
    throw invalid(`${shown} is empty: leave it out.`)
  }
}

/** @throws HypercastError INVALID_EVENT for a name that CloudEvents does not allow, or too long */
export function checkName(name: string, shown: string): string {
  if (/^[a-z0-9]+$/.test(name) && name.length <= LIMITS.MAX_ATTRIBUTE_NAME_BYTES) return name
  throw invalid(
    `"${shorten(shown)}" names no attribute: CloudEvents allows the letters a–z and digits, here up to ${LIMITS.MAX_ATTRIBUTE_NAME_BYTES}.`,
  )
}

/** @throws HypercastError INVALID_EVENT for a value that is too long or has characters that no attribute may have */
export function checkValue(shown: string, text: string): string {
  if (Buffer.byteLength(text) > LIMITS.MAX_ATTRIBUTE_VALUE_BYTES) {
    throw invalid(`${shown} is longer than ${LIMITS.MAX_ATTRIBUTE_VALUE_BYTES} bytes.`)
  }
  if (!text.isWellFormed()) throw invalid(`${shown} is not valid Unicode.`)
  if (FORBIDDEN.test(text)) throw invalid(`${shown} holds a control character or a noncharacter of Unicode.`)
  return text
}

/** @throws HypercastError INVALID_EVENT for a type that is empty, too long, reserved or holds control characters */
export function checkType(type: string): string {
  if (RESERVED_TYPES.has(type)) throw invalid(`The type "${type}" is reserved.`)
  return checkFilled('The type', type)
}

/** @throws HypercastError INVALID_EVENT for an id that is empty, too long or holds control characters */
export function checkId(id: string): string {
  return checkFilled('The id', id)
}

function checkFilled(shown: string, text: string): string {
  if (text === '') throw invalid(`${shown} is empty.`)
  return checkValue(shown, text)
}

/** The error of an event that cannot be published as it is. */
export function invalid(detail: string): HypercastError {
  return new HypercastError('INVALID_EVENT', detail)
}
