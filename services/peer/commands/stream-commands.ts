import { fstatSync } from 'node:fs'
import type { Command } from 'commander'
import { LIMITS } from '../limits.ts'
import { interruptible } from './interrupt.ts'
import { parsePub, parseSub } from './stream-options.ts'
import { progressOn, tellOn } from './telling.ts'

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
    .option('--progress', 'tell on stderr how far it is [default: on a terminal]')
    .option('--no-progress', 'do not')
    .action(async (topic, flags) => {
      const options = parsePub(topic, { ...flags, url: flags.url ?? [standardUrl] })
      const { runPub } = await import('./pub.ts')
      const { stdin, stdout, stderr } = process
      const tell = tellOn(stderr)
      const isLong = options.data === undefined
      const progress = isLong ? progressOn(stderr, options.progress) : undefined
      if (stdin.isTTY && isLong) tell('one event a line; Ctrl-D ends')
      const tools = { stdin, inputBytes: isLong ? inputBytes() : undefined, stdout, tell, progress }
      await interruptible(signal => runPub(options, { ...tools, signal }))
    })
  const sub = hypercast
    .command('sub')
    .argument('<topics...>', 'names of topics, and patterns such as "sports/*" and "sports/**"')
    .description(
      'Print the events of topics, one a line, until Ctrl-C; no break of a connection loses or repeats any.',
    )
  addUrls(sub, standardUrl)
    .option(
      '--from <start>',
      'earliest, latest, a time such as 2026-01-31T12:00:00Z or, of one topic, an offset [default: latest]',
    )
    .option('--last <number>', 'begin with the last so many events')
    .option('--last-event-id <cursor>', 'resume behind this cursor, such as 42-1')
    .option(
      '--cursor-file <file>',
      'keep the cursor in this file, and resume behind it when the file is there',
    )
    .option('--count <number>', 'end after so many events')
    .option('--no-follow', 'end with the last event that the one topic has now')
    .option('--json', 'print a line of JSON for each event', false)
    .action(async (topics, flags) => {
      const options = parseSub(topics, { ...flags, url: flags.url ?? [standardUrl] })
      const { runSub } = await import('./sub.ts')
      const { stdout, stderr } = process
      const tell = tellOn(stderr)
      await interruptible(signal => runSub(options, { stdout, tell, signal }))
    })
}

function addUrls(command: Command, standardUrl: string): Command {
  return command.option(
    '--url <url>',
    `base URL of a peer; several may be given [default: ${standardUrl}]`,
    (url: string, before: readonly string[] | undefined) => [...(before ?? []), url],
  )
}

/** Bytes of stdin where they are known beforehand: those of a file. */
function inputBytes(): number | undefined {
  const STDIN = 0
  try {
    const stats = fstatSync(STDIN)
    return stats.isFile() && stats.size > 0 ? stats.size : undefined
  } catch {
    // Closed: reading says so.
    return undefined
  }
}
