import type { IncomingMessage } from 'node:http'
import { checkName, checkValue, type EventContext, invalid, readAttributes } from './attributes.ts'
import { textOf } from './json.ts'
import { shorten } from './start.ts'

/**
 * Reads the context attributes of CloudEvents' binary mode from the `ce-*` headers (HTTP protocol binding 1.0.2,
 * section 3.1). `ce-time` is kept as the publisher's, beside the stamp of the primary.
 * @throws HypercastError INVALID_EVENT
 */
export function readContext({
  headers,
  rawHeaders,
}: Pick<IncomingMessage, 'headers' | 'rawHeaders'>): EventContext {
  const given = new Map<string, string>()
  for (const [header, value] of Object.entries(headers)) {
    if (!header.startsWith('ce-')) continue
    const name = checkHeader(header)
    given.set(name, decodeValue(header, String(value)))
  }
  if (given.size === 0) return {}
  refuseDoubles(rawHeaders)
  return readAttributes(given, name => `ce-${name}`)
}

function checkHeader(header: string): string {
  const name = checkName(header.slice(3), header)
  if (name === 'datacontenttype') throw invalid('Send Content-Type in place of ce-datacontenttype.')
  if (name === 'data')
    throw invalid('The data of an event is the body of the request, not the header ce-data.')
  return name
}

/** Node joins headers of the same name: two values would look like one with a comma. */
function refuseDoubles(rawHeaders: readonly string[]): void {
  const seen = new Set<string>()
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const header = rawHeaders[at]!.toLowerCase()
    if (!header.startsWith('ce-')) continue
    if (seen.has(header)) throw invalid(`The header ${shorten(header)} is given more than once.`)
    seen.add(header)
  }
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
  return checkValue(`The header ${header}`, text)
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
