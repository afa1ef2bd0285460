import { parseExactly } from '../http/json.ts'
import { CommandError } from './ask.ts'
import type { Frame } from './event-stream.ts'

/** What a frame of the CloudEvents format says. */
export type Received =
  | { readonly kind: 'position' }
  | { readonly kind: 'event'; readonly output: Buffer }
  | { readonly kind: 'gap'; readonly what: string; readonly output: Buffer }
  /** The stream ends. */
  | { readonly kind: 'end'; readonly reason: string }
  /** One topic of several ends, the stream does not. */
  | { readonly kind: 'topic end'; readonly what: string; readonly output: Buffer }

/** How what comes is to be printed. */
export interface Printing {
  readonly json: boolean
  /** Each event says of which topic it is. */
  readonly several: boolean
}

const DATA = ',"data":'

/**
 * Reads a frame, with what is to be printed for it: a line of JSON, or the payload and a line break, behind its topic and a tab
 * where there are several. Throws CommandError for what no peer sends.
 */
export function readFrame(frame: Frame, { json, several }: Printing): Received {
  const { cursor, name, data } = frame
  // A name that is not known here is of something that a later version tells.
  if (data === undefined || !isKnown(name)) return { kind: 'position' }
  const document = parse(data)
  const topic = several ? { topic: topicOf(document, name) } : {}
  if (name === 'gap') {
    const [from, to] = [Number(document.from), Number(document.to)]
    const where = several ? `gap in "${topic.topic}"` : 'gap'
    const what = `${where}: the offsets ${from} to ${to} are no longer kept`
    return { kind: 'gap', what, output: json ? jsonLine({ gap: { ...topic, from, to }, cursor }) : NOTHING }
  }
  if (name === 'end') {
    const reason = String(document.reason)
    if (topic.topic === undefined) return { kind: 'end', reason }
    const what = `the topic "${topic.topic}" has ended: ${reason}`
    return {
      kind: 'topic end',
      what,
      output: json ? jsonLine({ end: { ...topic, reason }, cursor }) : NOTHING,
    }
  }
  if (json) return { kind: 'event', output: eventLine(document, data, { ...topic, cursor }) }
  const line = payloadLine(document, data)
  const output = topic.topic === undefined ? line : Buffer.concat([Buffer.from(`${topic.topic}\t`), line])
  return { kind: 'event', output }
}

const NOTHING = Buffer.alloc(0)

function isKnown(name: string | undefined): boolean {
  return name === undefined || name === 'message' || name === 'gap' || name === 'end'
}

/** The topic that a frame of several speaks of; undefined for the end of all of them. */
function topicOf({ topic }: Document, name: string | undefined): string | undefined {
  if (typeof topic === 'string') return topic
  if (name === 'end') return undefined
  throw new CommandError('the stream of several topics holds a frame that names none: is a peer there?')
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

function eventLine(
  document: Document,
  source: string,
  { topic, cursor }: { readonly topic?: string | undefined; readonly cursor: string },
): Buffer {
  const { offset, time, type, id, datacontenttype: contentType, data_base64 } = document
  const head = JSON.stringify({ topic, offset, time, type, id, contentType, cursor }).slice(0, -1)
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
