/**
 * What an event carries: a string is text, bytes are bytes, and anything else is written as JSON.
 * To send JSON that is a string, encode it and give the content type `application/json`.
 */
export type EventData = unknown

/** What a publisher may say about an event. */
export interface EventOptions {
  /** The event's id; without it, the service makes one of its place. */
  readonly id?: string
  /** The CloudEvents type. */
  readonly type?: string
  /** Media type of the data. Default: text/plain for strings, application/octet-stream for bytes, else JSON. */
  readonly contentType?: string
}

/** One event of a batch. */
export interface BatchEvent extends EventOptions {
  readonly data: EventData
}

/** An event's data in bytes with the media type it gets. @throws TypeError for what cannot be written as JSON */
export function encodeData(
  data: EventData,
  contentType: string | undefined,
): { readonly body: Uint8Array; readonly contentType: string } {
  const bytes = asBytes(data)
  if (bytes) return { body: bytes, contentType: contentType ?? 'application/octet-stream' }
  if (typeof data === 'string') {
    return { body: encodeText(data), contentType: contentType ?? 'text/plain; charset=utf-8' }
  }
  return { body: encodeText(toJson(data)), contentType: contentType ?? 'application/json' }
}

/** Events as `application/x-ndjson`, one a line. @throws TypeError for what cannot be written as JSON */
export function encodeBatch(events: readonly BatchEvent[]): Uint8Array {
  return encodeText(events.map(event => `${batchLine(event)}\n`).join(''))
}

function batchLine({ data, id, type, contentType }: BatchEvent): string {
  const bytes = asBytes(data)
  const member = bytes ? `"data_base64":"${toBase64(bytes)}"` : `"data":${toJson(data)}`
  const head = JSON.stringify({ id, type, contentType }).slice(1, -1)
  return `{${head}${head && ','}${member}}`
}

function asBytes(data: EventData): Uint8Array | undefined {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return data instanceof ArrayBuffer ? new Uint8Array(data) : undefined
}

function toJson(data: EventData): string {
  if (typeof data === 'string') assertUnicode(data)
  const json: string | undefined = JSON.stringify(data)
  if (json === undefined) throw new TypeError(`Data of type ${typeof data} cannot be published.`)
  return json
}

function encodeText(text: string): Uint8Array {
  assertUnicode(text)
  return new TextEncoder().encode(text)
}

function assertUnicode(text: string): void {
  if (/[\ud800-\udfff]/u.test(text))
    throw new TypeError('The text holds a lone surrogate: it has no UTF-8 form.')
}

/** Bytes in base64 (RFC 4648). */
export function toBase64(bytes: Uint8Array): string {
  let binary = ''
  // In slices: a function takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 8_192) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 8_192))
  }
  return btoa(binary)
}

/** Reads base64. @throws DOMException for anything else */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), character => character.charCodeAt(0))
}

/** The value of a `ce-` header: percent-encoded as CloudEvents' HTTP binding 1.0.2, section 3.1.3.2, says. @throws TypeError for lone surrogates */
export function encodeAttribute(value: string): string {
  assertUnicode(value)
  return value.replace(/[^\x21\x23\x24\x26-\x7e]+/g, text => encodeURIComponent(text))
}

/** A random key under which a publish may be tried again. */
export function randomKey(): string {
  // Not randomUUID: browsers have that on secure pages only.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte =>
    byte.toString(16).padStart(2, '0'),
  ).join('')
}
