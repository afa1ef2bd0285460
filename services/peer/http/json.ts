/** What the reviver of JSON.parse is told about a primitive since ES2025 ("source text access"). */
type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown

const { parse, rawJSON } = JSON as unknown as {
  parse(text: string, reviver: Reviver): unknown
  rawJSON(text: string): unknown
}

/**
 * Parses JSON so that `JSON.stringify` of the result, or of an object it stands in, writes every number exactly as
 * it stood in `text`: 1.0, 1e400 and integers beyond 2^53 survive. Throws SyntaxError.
 */
export function parseExactly(text: string): unknown {
  return parse(text, (_key, value, context) =>
    typeof value === 'number' && context.source !== undefined ? rawJSON(context.source) : value,
  )
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Text of UTF-8 bytes, with a byte order mark kept; undefined when they are not valid UTF-8 (RFC 3629). */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

/** True for application/json and every +json type. */
export function isJsonType(contentType: string): boolean {
  return /^application\/(?:[^;\s]+\+)?json\s*(?:;|$)/i.test(contentType)
}
