import { createHash } from 'node:crypto'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { canonicalText } from '../topics/attribute-values.ts'
import type { ClientKey, EventInput } from '../topics/types.ts'

/**
 * The client's Idempotency-Key: a String of RFC 8941, as the header's draft asks, or bare visible ASCII.
 * @throws HypercastError INVALID_REQUEST
 */
export function readKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined
  const text = String(header).trim()
  const key = text.startsWith('"') ? unquote(text) : text
  if (key === undefined || !/^[\x20-\x7e]+$/.test(key) || (key === text && /\s/.test(key))) {
    throw new HypercastError(
      'INVALID_REQUEST',
      'The Idempotency-Key is neither a quoted string such as "8e03978e" nor one bare word of visible ASCII.',
    )
  }
  if (key.length > LIMITS.MAX_IDEMPOTENCY_KEY_BYTES) {
    throw new HypercastError(
      'INVALID_REQUEST',
      `The Idempotency-Key is longer than ${LIMITS.MAX_IDEMPOTENCY_KEY_BYTES} bytes.`,
    )
  }
  return key
}

function unquote(text: string): string | undefined {
  const match = /^"((?:[^"\\]|\\["\\])*)"$/.exec(text)
  return match?.[1]?.replaceAll(/\\(.)/g, '$1')
}

/** No Idempotency-Key begins so: a header holds no control characters. */
const EVENTS_KEY = 'source+id\u0001'

/**
 * The key of events that have both a source and an id from their publisher, all of them: another request with the same
 * sources and ids in the same order has the same key. Undefined when one of them lacks either.
 * @throws HypercastError INVALID_EVENT when two events of the request have the same source and id
 */
export function eventsKey(events: readonly EventInput[]): string | undefined {
  const places = new Map<string, number>()
  for (const { id, attributes } of events) {
    const source = attributes?.source
    if (id === undefined || source === undefined) return undefined
    // The length keeps "a","bc" and "ab","c" apart.
    const name = `${source.length};${source}${id}`
    const before = places.get(name)
    const item = places.size + 1
    if (before !== undefined) {
      throw new HypercastError(
        'INVALID_EVENT',
        `Item ${item}: it has the source and id of item ${before}; an event is published once.`,
        { item },
      )
    }
    places.set(name, item)
  }
  const hash = createHash('sha256')
  for (const name of places.keys()) hash.update(`${Buffer.byteLength(name)};`).update(name)
  return `${EVENTS_KEY}${hash.digest('base64url')}`
}

/** The key with a SHA-256 over everything that makes its events; undefined without a key. */
export function clientKey(key: string | undefined, events: readonly EventInput[]): ClientKey | undefined {
  if (key === undefined) return undefined
  const hash = createHash('sha256')
  const add = (part: string | Uint8Array | undefined): void => {
    if (part === undefined) {
      hash.update('-;')
      return
    }
    const bytes = typeof part === 'string' ? Buffer.from(part) : part
    // Lengths keep "ab","c" and "a","bc" apart.
    hash.update(`${bytes.length};`).update(bytes)
  }
  for (const event of events) {
    add(event.id)
    add(event.type)
    add(event.contentType)
    for (const [name, value] of Object.entries(event.attributes ?? {}).sort(byName)) {
      add(name)
      add(canonicalText(value))
    }
    add(undefined)
    add(event.data)
  }
  return { key, payloadHash: hash.digest('base64url') }
}

function byName([one]: [string, string], [other]: [string, string]): number {
  return one < other ? -1 : one > other ? 1 : 0
}
