import { LIMITS } from '../limits.ts'

/** `application/` subtypes that are text although their names do not say so. */
const TEXT_SUBTYPES = new Set([
  'json',
  'xml',
  'javascript',
  'ecmascript',
  'yaml',
  'x-yaml',
  'toml',
  'sql',
  'graphql',
  'x-ndjson',
  'jsonl',
  'x-www-form-urlencoded',
])
/** Charsets whose bytes are UTF-8. */
const UTF8_CHARSETS = new Set(['utf-8', 'utf8', 'us-ascii', 'ascii'])

/** What a media type says of the bytes it stands for. */
export interface MediaKind {
  /** JSON as the CloudEvents JSON format knows it: the subtype `json`, or one that ends with `+json`. */
  readonly isJson: boolean
  /** `text/*`, JSON, XML and their like. */
  readonly isText: boolean
  /** No charset, or one whose bytes are UTF-8. */
  readonly isUtf8: boolean
}

/** Oldest first. Publishers use few types, and each is asked for once or more for every event that goes out. */
const known = new Map<string, MediaKind>()

/** The kind of a media type with its parameters; remembered for the types seen last. */
export function mediaKind(contentType: string): MediaKind {
  const found = known.get(contentType)
  if (found) return found
  const kind = judge(contentType)
  if (known.size >= LIMITS.MAX_KNOWN_MEDIA_TYPES) known.delete(known.keys().next().value!)
  known.set(contentType, kind)
  return kind
}

/** How many media types are remembered. */
export function knownMediaTypes(): number {
  return known.size
}

function judge(contentType: string): MediaKind {
  const [essence = '', ...parameters] = contentType.toLowerCase().split(';')
  const [type = '', subtype = ''] = essence.trim().split('/')
  const isJson = subtype === 'json' || subtype.endsWith('+json')
  const isText =
    isJson ||
    type === 'text' ||
    subtype.endsWith('+xml') ||
    subtype.endsWith('+yaml') ||
    (type === 'application' && TEXT_SUBTYPES.has(subtype))
  return { isJson, isText, isUtf8: parameters.every(isUtf8Parameter) }
}

function isUtf8Parameter(parameter: string): boolean {
  const [name = '', value = ''] = parameter.split('=')
  return name.trim() !== 'charset' || UTF8_CHARSETS.has(value.replaceAll('"', '').trim())
}
