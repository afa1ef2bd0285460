import { parseExactly } from '../http/json.ts'
import { CommandError } from './ask.ts'
import type { Frame } from './event-stream.ts'

/** What a frame of the CloudEvents format says. */
export type Received =
  | { readonly kind: 'position' }
  | { readonly kind: 'event'; readonly output: Buffer }
  | { readonly kind: 'gap'; readonly from: number; readonly to: number; readonly output: Buffer }
  | { readonly kind: 'end'; readonly reason: string }

const DATA = ',"data":'

/**
 * Reads a frame, with what is to be printed for it: a line of JSON, or the payload and a line break. Throws CommandError for
 * what no peer sends.
 */
export function readFrame(frame: Frame, json: boolean): Received {
  const { cursor, name, data } = frame
  if (data === undefined) return { kind: 'position' }
  const document = parse(data)
  if (name === 'gap') {
    const [from, to] = [Number(document.from), Number(document.to)]
    return { kind: 'gap', from, to, output: json ? jsonLine({ gap: { from, to }, cursor }) : Buffer.alloc(0) }
  }
  if (name === 'end') return { kind: 'end', reason: String(document.reason) }
  return { kind: 'event', output: json ? eventLine(document, data, cursor) : payloadLine(document, data) }
}

type Document = Readonly<Record<string, unknown>>

function parse(text: string): Document {
  try {
    const document: unknown = JSON.parse(text)
    if (typeof document === 'object' && document !== null) return document as Document
  } catch {
    // Told below.
  }
  throw new CommandError('the stream holds a frame that is no JSON object: is a peer there?')
}

function eventLine(document: Document, source: string, cursor: string): Buffer {
  const { offset, time, type, id, datacontenttype: contentType, data_base64 } = document
  const head = JSON.stringify({ offset, time, type, id, contentType, cursor }).slice(0, -1)
  if (data_base64 !== undefined) return Buffer.from(`${head},"data_base64":${JSON.stringify(data_base64)}}\n`)
  if (document.data === undefined) return Buffer.from(`${head}}\n`)
  const data = jsonSource(source)
  // White space of JSON may be line breaks.
  return Buffer.from(`${head},"data":${data.includes('\n') ? compact(data) : data}}\n`)
}

function payloadLine(document: Document, source: string): Buffer {
  const { data, data_base64, datacontenttype } = document
  const newline = Buffer.from('\n')
  if (data_base64 !== undefined) return Buffer.concat([Buffer.from(String(data_base64), 'base64'), newline])
  if (data === undefined) return newline
  const isText = typeof data === 'string' && !isJson(String(datacontenttype))
  return Buffer.from(`${isText ? data : jsonSource(source)}\n`)
}

/** As a peer judges it: only then is `data` the payload's JSON and not its text. */
function isJson(contentType: string): boolean {
  return /^[^/;]+\/(?:[^;\s]+\+)?json\s*(?:;|$)/i.test(contentType)
}

/** The member `data` as it was published: peers write it last, and no string before it can hold its beginning. */
function jsonSource(text: string): string {
  const at = text.indexOf(DATA)
  const source = text.slice(at + DATA.length, text.lastIndexOf('}'))
  try {
    JSON.parse(source)
    return source
  } catch {
    return JSON.stringify((parseExactly(text) as { readonly data?: unknown }).data) ?? 'null'
  }
}

function compact(json: string): string {
  return JSON.stringify(parseExactly(json))
}

function jsonLine(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`)
}
