import type { IncomingHttpHeaders } from 'node:http'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { textOf } from './json.ts'
import { shorten } from './start.ts'

/** Types that mean something else on the wire (DESIGN 8). */
const RESERVED_TYPES: ReadonlySet<string> = new Set(['open', 'error', 'message', 'gap', 'end', 'cloudevent'])

/** What the `ce-*` headers of one request say. */
export interface EventContext {
  readonly id?: string
  readonly type?: string
  /** By name without `ce-`: source, subject, time and extensions. */
  readonly attributes?: Readonly<Record<string, string>>
}

/**
 * Reads the context attributes of CloudEvents' binary mode (HTTP protocol binding 1.0.2, section 3.1). None is
 * required; `ce-time` is kept as the publisher's, beside the stamp of the primary.
 * @throws HypercastError INVALID_EVENT
 */
export function readContext(headers: IncomingHttpHeaders): EventContext {
  const attributes: Record<string, string> = Object.create(null)
  let count = 0
  for (const [header, value] of Object.entries(headers)) {
    if (!header.startsWith('ce-')) continue
    if (++count > LIMITS.MAX_ATTRIBUTES) {
      throw invalid(`It has more than ${LIMITS.MAX_ATTRIBUTES} attributes.`)
    }
    const name = checkName(header.slice(3))
    attributes[name] = decodeValue(header, String(value))
  }
  const { specversion, id, type, ...others } = attributes
  if (specversion !== undefined && specversion !== '1.0') {
    throw invalid('ce-specversion can only be 1.0.')
  }
  if (others.time !== undefined && !isTimestamp(others.time)) {
    throw invalid('ce-time is not a time as RFC 3339 writes it, such as 2025-01-31T12:00:00Z.')
  }
  return {
    ...(id === undefined ? {} : { id: checkId(id) }),
    ...(type === undefined ? {} : { type: checkType(type) }),
    ...(Object.keys(others).length === 0 ? {} : { attributes: others }),
  }
}

function checkName(name: string): string {
  if (!/^[a-z0-9]+$/.test(name) || name.length > LIMITS.MAX_ATTRIBUTE_NAME_BYTES) {
    throw invalid(`"ce-${shorten(name)}" names no attribute: CloudEvents allows the letters a–z and digits.`)
  }
  if (name === 'datacontenttype') throw invalid('Send Content-Type in place of ce-datacontenttype.')
  if (name === 'data')
    throw invalid('The data of an event is the body of the request, not the header ce-data.')
  return name
}

/**
 * Header to attribute value, section 3.1.3.2 of the binding: quotes off, then percent-decoding as UTF-8. Raw UTF-8,
 * which the binding does not allow but people send, is taken as it is meant.
 */
function decodeValue(header: string, raw: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(raw)
  const plain = quoted ? quoted[1]!.replaceAll(/\\(.)/g, '$1') : raw
  const bytes = Buffer.from(plain, 'latin1')
  const text = textOf(percentDecode(bytes))
  if (text === undefined) throw invalid(`The header ${header} is not valid UTF-8.`)
  if (Buffer.byteLength(text) > LIMITS.MAX_ATTRIBUTE_VALUE_BYTES) {
    throw invalid(`The header ${header} is longer than ${LIMITS.MAX_ATTRIBUTE_VALUE_BYTES} bytes.`)
  }
  if (hasControls(text)) throw invalid(`The header ${header} holds a control character.`)
  return text
}

function percentDecode(bytes: Buffer): Buffer {
  if (!bytes.includes(0x25)) return bytes
  const out: number[] = []
  for (let at = 0; at < bytes.length; at++) {
    const hex = bytes[at] === 0x25 ? bytes.toString('latin1', at + 1, at + 3) : ''
    if (/^[0-9a-f]{2}$/i.test(hex)) {
      out.push(Number.parseInt(hex, 16))
      at += 2
    } else out.push(bytes[at]!)
  }
  return Buffer.from(out)
}

/** True when `text` holds a control character (Unicode's category Cc). */
function hasControls(text: string): boolean {
  return /\p{Cc}/u.test(text)
}

function isTimestamp(text: string): boolean {
  return (
    /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})$/.test(text) &&
    !Number.isNaN(Date.parse(text.replace(' ', 'T').toUpperCase()))
  )
}

/** @throws HypercastError INVALID_EVENT for a type that is empty, too long, reserved or holds control characters */
export function checkType(type: string): string {
  if (RESERVED_TYPES.has(type)) throw invalid(`The type "${type}" is reserved.`)
  return checkText('type', type)
}

/** @throws HypercastError INVALID_EVENT for an id that is empty, too long or holds control characters */
export function checkId(id: string): string {
  return checkText('id', id)
}

function checkText(what: string, text: string): string {
  if (text === '') throw invalid(`The ${what} is empty.`)
  if (Buffer.byteLength(text) > LIMITS.MAX_ATTRIBUTE_VALUE_BYTES) {
    throw invalid(`The ${what} is longer than ${LIMITS.MAX_ATTRIBUTE_VALUE_BYTES} bytes.`)
  }
  if (hasControls(text)) throw invalid(`The ${what} holds a control character.`)
  if (!text.isWellFormed()) throw invalid(`The ${what} is not valid Unicode.`)
  return text
}

function invalid(detail: string): HypercastError {
  return new HypercastError('INVALID_EVENT', detail)
}
