import closeWithGrace from 'close-with-grace'
import { Command, CommanderError } from 'commander'
import { addSettings, normalizeFlags, oneLine, resolveConfig } from './arguments.ts'
import { addClientCommands } from './commands/commands.ts'
import { ConfigError, type PeerConfig } from './config.ts'
import { addCubeOptions, CubeError, parseCubeOptions, runCube } from './launcher/cube-command.ts'
import { LIMITS } from './limits.ts'
import { openLog, type PeerLog } from './log.ts'
import type { Peer } from './peer.ts'

/** Exit codes: 1 when a peer cannot run or had to end, 2 when it was asked for wrongly. */
const EXIT_FAILED = 1
const EXIT_USAGE = 2

/** What a peer tells the process that started it, over the IPC channel if there is one. */
export type PeerNote = { readonly kind: 'listening'; readonly url: string } | { readonly kind: 'ready' }

/**
 * The command `hypercast`: runs until it is done or, for a peer or a cube, until it is told to stop.
 * Ends the process itself with a code other than 0 when something is wrong, after one line on stderr.
 */
export async function main(argv: readonly string[], version: string): Promise<void> {
  try {
    await program(version).parseAsync(normalizeFlags(argv), { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE
      return
    }
    complain(error)
    process.exit(error instanceof ConfigError ? EXIT_USAGE : EXIT_FAILED)
  }
}

function program(version: string): Command {
  const hypercast = new Command('hypercast')
    .description(
      'A brokerless publish/subscribe service: peers on the corners of a hypercube, over HTTP and SSE.',
    )
    .version(version)
    .exitOverride()
    .configureOutput({ outputError: (message, write) => write(`${oneLine(message)}\n`) })
  const peer = hypercast
    .command('peer')
    .description('Run one peer. Every option can be given as the environment variable in brackets, too.')
  addSettings(peer).action(flags => runPeer(resolveConfig(flags, process.env)))
  const cube = hypercast
    .command('cube')
    .description('Start a whole cube of peers on this machine.')
    .exitOverride()
  addCubeOptions(cube).action(flags => runCube(parseCubeOptions(flags)))
  addClientCommands(hypercast)
  return hypercast
}

/**
 * Runs one peer until a signal stops it. Rejects when it cannot be started; the message is one line that says why.
 */
export async function runPeer(config: PeerConfig): Promise<void> {
  const log = openLog({
    folder: config.logs,
    peer: config.nodeId ?? `peer_node_${config.port}`,
    port: config.port,
    level: config.logLevel,
    rotateBytes: config.logRotateBytes,
    keepFiles: config.logKeepFiles,
  })
  let peer: Peer | undefined
  const grace = closeWithGrace({ delay: LIMITS.STOP_TIMEOUT_MS, logger: false }, async ({ signal, err }) => {
    if (err) tellFatal(log, err)
    else log.log.info({ event: 'stopping', signal }, 'the peer stops')
    await peer?.close()
    if (!err) log.log.info({ event: 'stopped' }, 'the peer has stopped')
    await log.close()
  })
  process.once('disconnect', () => grace.close())
  try {
    const { startPeer } = await import('./peer.ts')
    log.log.info(
      { event: 'starting', pid: process.pid, data: config.data, url: config.url },
      'the peer starts',
    )
    peer = await startPeer(config, {
      log: log.log,
      onFatal: error => void endFatally(log, error),
      onRemoved: self => {
        log.log.info({ event: 'removed', self }, 'the roster does not list this peer any more')
        process.stdout.write(`peer ${self} has left the cluster\n`)
        grace.close()
      },
    })
    const name = config.nodeId === undefined ? 'the peer' : `peer ${config.nodeId}`
    announce({ kind: 'listening', url: peer.url }, `${name} listens on ${peer.url} (pid ${process.pid})`)
    await peer.ready
    announce({ kind: 'ready' }, `peer ${peer.id} is ready`)
    const warning = peer.warning()
    if (warning) {
      log.log.warn({ event: 'warning' }, warning)
      process.stdout.write(`${warning}\n`)
    }
  } catch (error) {
    grace.uninstall()
    log.log.fatal({ err: error }, 'the peer cannot run')
    await peer?.close().catch(() => {})
    await log.close()
    throw explainStart(error, config)
  }
}

function announce(note: PeerNote, line: string): void {
  process.stdout.write(`${line}\n`)
  if (process.connected) process.send?.(note, undefined, {}, () => {})
}

async function endFatally(log: PeerLog, error: Error): Promise<void> {
  tellFatal(log, error)
  await log.close()
  process.exit(EXIT_FAILED)
}

function tellFatal(log: PeerLog, error: Error): void {
  log.log.fatal({ err: error }, 'the peer ends')
  complain(error)
}

function complain(error: unknown): void {
  const known = error instanceof ConfigError || error instanceof CubeError
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`${known ? '' : 'hypercast: '}${message.split('\n')[0]}\n`)
}

/** The system's errors in words that say what to do; others pass as they are. */
function explainStart(error: unknown, { host, port }: PeerConfig): Error {
  const { code, syscall } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') {
    return new Error(`port ${port} is in use on ${host}: stop what listens there or give another --port`)
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new Error(`${host} is no address of this machine: give another --host`)
  }
  if (code === 'EACCES' && syscall === 'listen') {
    return new Error(`port ${port} may not be used by this user: give a --port above 1023`)
  }
  return error instanceof Error ? error : new Error(String(error))
}
