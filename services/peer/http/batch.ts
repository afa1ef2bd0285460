import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { EventInput } from '../topics/types.ts'
import { checkId, checkType, invalid } from './attributes.ts'
import { decodeBase64 } from './base64.ts'
import { checkContentType } from './event-input.ts'
import { parseExactly, textOf } from './json.ts'
import { shorten } from './start.ts'

const MEMBERS: ReadonlySet<string> = new Set(['data', 'data_base64', 'type', 'id', 'contentType'])

/**
 * Reads `application/x-ndjson`: one `{data, type?, id?, contentType?}` or `{data_base64, …}` a line, blank lines
 * skipped. Everything is checked before anything is published; an error names its line, counted from 1.
 * @throws HypercastError INVALID_EVENT, EMPTY_BATCH, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE
 */
export function readBatch(body: Uint8Array, maxPayloadBytes: number): EventInput[] {
  const text = textOf(body)
  if (text === undefined) throw new HypercastError('INVALID_EVENT', 'The batch is not valid UTF-8.')
  const events: EventInput[] = []
  let line = 0
  for (const row of lines(text)) {
    line += 1
    if (row.trim() === '') continue
    if (events.length === LIMITS.MAX_BATCH_EVENTS) {
      throw new HypercastError(
        'PAYLOAD_TOO_LARGE',
        `The batch has more than ${LIMITS.MAX_BATCH_EVENTS} events.`,
      )
    }
    const event = inLine(line, () => readLine(row))
    if (event.data.length > maxPayloadBytes) {
      throw new HypercastError(
        'PAYLOAD_TOO_LARGE',
        `Line ${line}: the payload is larger than ${maxPayloadBytes} bytes.`,
        { line },
      )
    }
    events.push(event)
  }
  if (events.length === 0) throw new HypercastError('EMPTY_BATCH')
  return events
}

function* lines(text: string): Generator<string> {
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0
  while (at < text.length) {
    const end = text.indexOf('\n', at)
    yield text.slice(at, end === -1 ? undefined : end)
    if (end === -1) return
    at = end + 1
  }
}

function inLine(line: number, read: () => EventInput): EventInput {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof HypercastError)) throw error
    throw new HypercastError(error.code, `Line ${line}: ${error.message}`, { line })
  }
}

function readLine(row: string): EventInput {
  const input: unknown = parse(row, text => JSON.parse(text))
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw invalid('it is not a JSON object such as {"data":"Match Update 1"}.')
  }
  const stranger = Object.keys(input).find(name => !MEMBERS.has(name))
  if (stranger !== undefined) {
    throw invalid(`it has the member "${shorten(stranger)}"; there are ${[...MEMBERS].join(', ')}.`)
  }
  const fields = input as Record<string, unknown>
  const type = optionalText(fields, 'type')
  const id = optionalText(fields, 'id')
  const contentType = optionalText(fields, 'contentType')
  const { data, impliedType } = readData(fields, row)
  const keptType = contentType === undefined ? impliedType : checkContentType(contentType)
  return {
    ...(id === undefined ? {} : { id: checkId(id) }),
    ...(type === undefined ? {} : { type: checkType(type) }),
    ...(keptType === undefined ? {} : { contentType: keptType }),
    data,
  }
}

function readData(
  fields: Record<string, unknown>,
  row: string,
): { readonly data: Uint8Array; readonly impliedType?: string } {
  const { data, data_base64: base64 } = fields
  if ((data === undefined) === (base64 === undefined)) {
    throw invalid('it needs "data" or "data_base64", one of them.')
  }
  if (base64 !== undefined) {
    const bytes = typeof base64 === 'string' ? decodeBase64(base64) : undefined
    if (bytes === undefined) throw invalid('"data_base64" is not base64.')
    return { data: bytes, impliedType: 'application/octet-stream' }
  }
  if (typeof data === 'string') {
    if (!data.isWellFormed()) throw invalid('"data" is not valid Unicode.')
    return { data: Buffer.from(data) }
  }
  // Parsed again so that numbers are kept as they were written.
  const json = parse(row, text => JSON.stringify((parseExactly(text) as { data: unknown }).data))
  return { data: Buffer.from(json), impliedType: 'application/json' }
}

function optionalText(fields: Record<string, unknown>, name: string): string | undefined {
  const value = fields[name]
  if (value === undefined || typeof value === 'string') return value
  throw invalid(`"${name}" is not a string.`)
}

function parse<T>(row: string, how: (text: string) => T): T {
  try {
    return how(row)
  } catch {
    throw invalid('it is not JSON; put each event on one line.')
  }
}
