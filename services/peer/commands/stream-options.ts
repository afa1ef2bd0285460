import { ConfigError } from '../config.ts'
import { parseUrl } from '../config-check.ts'
import { HypercastError } from '../errors.ts'
import { readStart } from '../http/start.ts'
import { LIMITS } from '../limits.ts'
import { topicNameProblem } from '../topics/names.ts'
import { fits, type Selection, selectionOf, wantProblem } from './selection.ts'

/** What `hypercast pub` is asked for. */
export interface PubOptions {
  readonly topic: string
  /** Base URLs of peers, at least one. */
  readonly urls: readonly string[]
  /** The one event; undefined: the lines of stdin. */
  readonly data?: string | undefined
  /** Each line is a batch item already. */
  readonly ndjson: boolean
  readonly type?: string | undefined
  readonly id?: string | undefined
  readonly contentType?: string | undefined
  /** Most events of a batch. */
  readonly batch: number
  readonly json: boolean
  /** Undefined: where a terminal shows it. */
  readonly progress?: boolean | undefined
}

/** What `hypercast sub` is asked for. */
export interface SubOptions {
  readonly selection: Selection
  /** Base URLs of peers, at least one. */
  readonly urls: readonly string[]
  /** The end of a query that says where to begin, such as `&from=earliest`; empty for where streams begin. */
  readonly start: string
  /** Resumes behind this. */
  readonly cursor?: string | undefined
  readonly cursorFile?: string | undefined
  readonly count?: number | undefined
  readonly follow: boolean
  readonly json: boolean
}

/** Flags as commander read them. */
type Flags = Readonly<Record<string, unknown>> & { readonly url: readonly string[] }

/** The arguments of `hypercast pub`, checked. Throws ConfigError. */
export function parsePub(topic: string, flags: Flags): PubOptions {
  const { data, ndjson, type, id, contentType, batch, json } = flags as Flags &
    Partial<Record<string, string>>
  if (ndjson) {
    const other = ['data', 'type', 'id', 'contentType'].find(name => flags[name] !== undefined)
    if (other !== undefined) {
      throw new ConfigError(`--ndjson and ${flagName(other)} exclude each other: each line says it itself`)
    }
  }
  if (id !== undefined && data === undefined) {
    throw new ConfigError('--id names one event: give that with --data, or each line its own with --ndjson')
  }
  const problem = topicNameProblem(topic)
  if (problem !== undefined) throw new ConfigError(`"${topic}" cannot be a topic: the name ${problem}`)
  return {
    ...{ topic, urls: checkUrls(flags.url), data, ndjson: Boolean(ndjson) },
    ...{ type, id, contentType, json: Boolean(json), progress: flags.progress as boolean | undefined },
    batch: wholeNumber(batch ?? String(LIMITS.PUB_BATCH_EVENTS), '--batch', LIMITS.MAX_BATCH_EVENTS),
  }
}

/** The arguments of `hypercast sub`, checked. Throws ConfigError. */
export function parseSub(topics: readonly string[], flags: Flags): SubOptions {
  const { from, last, lastEventId, cursorFile, count, json } = flags as Flags &
    Partial<Record<string, string>>
  const starts = ['from', 'last', 'lastEventId'].filter(name => flags[name] !== undefined)
  if (starts.length > 1) {
    throw new ConfigError(`${starts.map(flagName).join(' and ')} exclude each other: give one of them`)
  }
  if (cursorFile !== undefined && lastEventId !== undefined) {
    throw new ConfigError('--cursor-file and --last-event-id exclude each other: the file holds the cursor')
  }
  const selection = checkSelection(topics)
  const follow = Boolean(flags.follow ?? true)
  if (!follow && selection.several) {
    throw new ConfigError('--no-follow needs one topic by its name: nothing tells where several end')
  }
  return {
    ...{ selection, urls: checkUrls(flags.url), start: startQuery(from, last, selection), cursorFile },
    cursor: lastEventId === undefined ? undefined : checkCursor(lastEventId, selection),
    count: count === undefined ? undefined : wholeNumber(count, '--count', Number.MAX_SAFE_INTEGER),
    ...{ follow, json: Boolean(json) },
  }
}

function checkSelection(topics: readonly string[]): Selection {
  for (const topic of topics) {
    const problem = wantProblem(topic)
    if (problem !== undefined) throw new ConfigError(`"${topic}" cannot be a topic: ${problem}`)
  }
  return selectionOf(topics)
}

function startQuery(from: string | undefined, last: string | undefined, { several }: Selection): string {
  if (last !== undefined) return `&last=${wholeNumber(last, '--last', Number.MAX_SAFE_INTEGER)}`
  if (from === undefined) return ''
  const { kind } = asked(() => readStart({ from }, { kind: 'latest' }), '--')
  if (several && kind === 'offset') {
    throw new ConfigError(
      `--from=${from} is an offset, which is of one topic: give earliest, latest or a time for several`,
    )
  }
  return `&from=${encodeURIComponent(from)}`
}

function checkCursor(cursor: string, selection: Selection): string {
  if (fits(cursor, selection)) return cursor
  if (selection.several) {
    throw new ConfigError(
      `--last-event-id: "${cursor}" is no cursor of several topics, such as 1.2s.4f~30.0.0: give one as it was received`,
    )
  }
  asked(() => readStart({ lastEventId: cursor || ' ' }, { kind: 'latest' }), '--last-event-id: ')
  return cursor
}

/** What a peer would refuse is told before one is asked. */
function asked<T>(check: () => T, prefix: string): T {
  try {
    return check()
  } catch (error) {
    if (error instanceof HypercastError) throw new ConfigError(`${prefix}${error.message}`)
    throw error
  }
}

function checkUrls(urls: readonly string[]): string[] {
  return urls.map(url => parseUrl(url, '--url'))
}

function wholeNumber(text: string, flag: string, most: number): number {
  const value = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : Number.NaN
  if (value <= most) return value
  throw new ConfigError(
    `${flag} is "${text}": give a number from 1${most === Number.MAX_SAFE_INTEGER ? ' on' : ` to ${most}`}`,
  )
}

function flagName(name: string): string {
  return `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
}
