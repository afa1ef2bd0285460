import type { Command } from 'commander'
import { ConfigError } from '../config.ts'
import { parseUrl } from '../config-check.ts'
import { LIMITS } from '../limits.ts'
import { interruptible } from './interrupt.ts'
import { addStreamCommands } from './stream-commands.ts'

const STANDARD_URL = 'http://127.0.0.1:5555'

/** What `hypercast leave` is asked for. */
export interface LeaveOptions {
  /** Base URL of the peer that is asked. */
  readonly url: string
  readonly id: string
  readonly force: boolean
}

/** What `hypercast recover` is asked for. */
export interface RecoverOptions {
  /** Base URL of a peer that is left. */
  readonly url: string
  /** Labels of the peers that are gone for good. */
  readonly lost: readonly string[]
  readonly force: boolean
}

/** Adds the commands that ask a running cube over HTTP: `pub`, `sub`, `peers`, `leave` and `recover`. */
export function addClientCommands(hypercast: Command): void {
  addStreamCommands(hypercast, STANDARD_URL)
  const peers = hypercast
    .command('peers')
    .description('Show the peers of a running cube, and what is still to move.')
  addUrl(peers).action(async flags => {
    const { runPeers } = await import('./peers.ts')
    await runPeers(readUrl(flags), say)
  })
  const leave = hypercast
    .command('leave')
    .argument('<id>', 'the label of the peer')
    .description(
      'Let a peer leave a running cube and wait until its slots have moved. Ctrl-C stops the waiting, not the leaving.',
    )
  addUrl(leave)
    .option('--force', 'evict a peer that is dead for good', false)
    .action(async (id, flags) => {
      const { runLeave } = await import('./leave.ts')
      await interruptible(signal => runLeave(parseLeave(id, flags), { say, signal }))
    })
  const recover = hypercast
    .command('recover')
    .description(
      'Say what is left of slots that lost their majority for good and, with --force, let them go on without it. What only the lost peers had is given up.',
    )
    .requiredOption('--lost <ids>', 'labels of all peers that are gone for good, separated by commas')
  addUrl(recover)
    .option('--force', 'do it; without it nothing is changed', false)
    .action(async flags => {
      const { runRecover } = await import('./recover.ts')
      await interruptible(signal => runRecover(parseRecover(flags), { say, signal }))
    })
}

function addUrl(command: Command): Command {
  return command.option('--url <url>', `base URL of a peer [default: ${STANDARD_URL}]`)
}

function readUrl({ url = STANDARD_URL }: { readonly url?: string }): string {
  return parseUrl(url, '--url')
}

/** The arguments of `hypercast leave`, checked. Throws ConfigError. */
export function parseLeave(
  id: string,
  flags: { readonly url?: string; readonly force?: boolean },
): LeaveOptions {
  return { url: readUrl(flags), id: parseId(id), force: flags.force === true }
}

/** The flags of `hypercast recover`, checked. Throws ConfigError. */
export function parseRecover(flags: {
  readonly lost: string
  readonly url?: string
  readonly force?: boolean
}): RecoverOptions {
  const lost = flags.lost.split(',').map(id => parseId(id.trim()))
  return { url: readUrl(flags), lost, force: flags.force === true }
}

function parseId(id: string): string {
  if (/^[01]+$/.test(id) && id.length <= LIMITS.MAX_DIMENSION) return id
  throw new ConfigError(
    `"${id}" is no label: give the one of a peer, 1 to ${LIMITS.MAX_DIMENSION} digits 0 and 1, see "hypercast peers"`,
  )
}

function say(line: string): void {
  const { stdout } = process
  if (stdout.listenerCount('error') === 0) stdout.on('error', unlessGone)
  stdout.write(`${line}\n`)
}

/** That nobody reads on is no reason to stop what is under way. */
function unlessGone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
}
