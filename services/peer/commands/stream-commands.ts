import type { Command } from 'commander'
import { ConfigError } from '../config.ts'
import { parseUrl } from '../config-check.ts'
import { HypercastError } from '../errors.ts'
import { readStart } from '../http/start.ts'
import { LIMITS } from '../limits.ts'
import { topicNameProblem } from '../topics/names.ts'
import { interruptible } from './interrupt.ts'

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
}

/** What `hypercast sub` is asked for. */
export interface SubOptions {
  readonly topic: string
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

/** Adds `pub` and `sub`. */
export function addStreamCommands(hypercast: Command, standardUrl: string): void {
  const pub = hypercast
    .command('pub')
    .argument('<topic>', 'the name of the topic')
    .description(
      'Publish to a topic: each line of stdin is an event. A retry never makes a second event. Ctrl-C ends after the batch under way.',
    )
  addUrls(pub, standardUrl)
    .option('--data <text>', 'publish this one event; stdin is not read')
    .option('--ndjson', 'each line is an object {"data", "type", "id", "contentType"} as in a batch', false)
    .option('--type <type>', 'type of the events')
    .option('--id <id>', 'id of the event that --data gives')
    .option('--content-type <type>', 'media type of the events [default: text]')
    .option('--batch <number>', `most events of one batch [default: ${LIMITS.PUB_BATCH_EVENTS}]`)
    .option('--json', 'print a line of JSON for each batch that is acknowledged', false)
    .action(async (topic, flags) => {
      const options = parsePub(topic, { ...flags, url: flags.url ?? [standardUrl] })
      const { runPub } = await import('./pub.ts')
      const { stdin, stdout, stderr } = process
      const progress = stderr.isTTY && options.data === undefined ? show : undefined
      if (stdin.isTTY && options.data === undefined) tell('one event a line; Ctrl-D ends')
      await interruptible(signal => runPub(options, { stdin, stdout, tell, progress, signal }))
    })
  const sub = hypercast
    .command('sub')
    .argument('<topic>', 'the name of the topic')
    .description(
      'Print the events of a topic, one a line, until Ctrl-C; no break of a connection loses or repeats any.',
    )
  addUrls(sub, standardUrl)
    .option(
      '--from <start>',
      'earliest, latest, an offset, or a time such as 2026-01-31T12:00:00Z [default: latest]',
    )
    .option('--last <number>', 'begin with the last so many events')
    .option('--last-event-id <cursor>', 'resume behind this cursor, such as 42-1')
    .option(
      '--cursor-file <file>',
      'keep the cursor in this file, and resume behind it when the file is there',
    )
    .option('--count <number>', 'end after so many events')
    .option('--no-follow', 'end with the last event there is now')
    .option('--json', 'print a line of JSON for each event', false)
    .action(async (topic, flags) => {
      const options = parseSub(topic, { ...flags, url: flags.url ?? [standardUrl] })
      const { runSub } = await import('./sub.ts')
      await interruptible(signal => runSub(options, { stdout: process.stdout, tell, signal }))
    })
}

function addUrls(command: Command, standardUrl: string): Command {
  return command.option(
    '--url <url>',
    `base URL of a peer; several may be given [default: ${standardUrl}]`,
    (url: string, before: readonly string[] | undefined) => [...(before ?? []), url],
  )
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
  return {
    ...{ topic: checkTopic(topic), urls: checkUrls(flags.url), data, ndjson: Boolean(ndjson) },
    ...{ type, id, contentType, json: Boolean(json) },
    batch: wholeNumber(batch ?? String(LIMITS.PUB_BATCH_EVENTS), '--batch', LIMITS.MAX_BATCH_EVENTS),
  }
}

/** The arguments of `hypercast sub`, checked. Throws ConfigError. */
export function parseSub(topic: string, flags: Flags): SubOptions {
  const { from, last, lastEventId, cursorFile, count, follow, json } = flags as Flags &
    Partial<Record<string, string>>
  const starts = ['from', 'last', 'lastEventId'].filter(name => flags[name] !== undefined)
  if (starts.length > 1) {
    throw new ConfigError(`${starts.map(flagName).join(' and ')} exclude each other: give one of them`)
  }
  if (cursorFile !== undefined && lastEventId !== undefined) {
    throw new ConfigError('--cursor-file and --last-event-id exclude each other: the file holds the cursor')
  }
  return {
    ...{ topic: checkTopic(topic), urls: checkUrls(flags.url), start: startQuery(from, last), cursorFile },
    cursor: lastEventId === undefined ? undefined : checkCursor(lastEventId),
    count: count === undefined ? undefined : wholeNumber(count, '--count', Number.MAX_SAFE_INTEGER),
    ...{ follow: Boolean(follow ?? true), json: Boolean(json) },
  }
}

function startQuery(from: string | undefined, last: string | undefined): string {
  if (last !== undefined) return `&last=${wholeNumber(last, '--last', Number.MAX_SAFE_INTEGER)}`
  if (from === undefined) return ''
  asked(() => readStart({ from }, { kind: 'latest' }), '--')
  return `&from=${encodeURIComponent(from)}`
}

function checkCursor(cursor: string): string {
  asked(() => readStart({ lastEventId: cursor || ' ' }, { kind: 'latest' }), '--last-event-id: ')
  return cursor
}

/** What a peer would refuse is told before one is asked. */
function asked(check: () => void, prefix: string): void {
  try {
    check()
  } catch (error) {
    if (error instanceof HypercastError) throw new ConfigError(`${prefix}${error.message}`)
    throw error
  }
}

function checkTopic(topic: string): string {
  const problem = topicNameProblem(topic)
  if (problem === undefined) return topic
  throw new ConfigError(`"${topic}" cannot be a topic: the name ${problem}`)
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

/** Behind these characters a line of a terminal is empty. */
const CLEAR_LINE = '\r\x1b[K'

function tell(line: string): void {
  process.stderr.write(`${process.stderr.isTTY ? CLEAR_LINE : ''}${line}\n`)
}

function show(text: string): void {
  process.stderr.write(`${CLEAR_LINE}${text}`)
}
