import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { ConfigError } from '../config.ts'
import { links } from '../cube/neighbours.ts'
import { LIMITS } from '../limits.ts'
import { CubeError, checkDataFolder, checkFolder, checkPorts } from './checks.ts'
import { LocalCube } from './local-cube.ts'
import type { PeerExit } from './peer-process.ts'
import { commandLine, type PeerPlan, planCube } from './plan.ts'

export { CubeError }

export interface CubeOptions {
  readonly peers: number
  readonly basePort: number
  readonly data: string
  readonly logs: string
  readonly ephemeral: boolean
}

const READY_TIMEOUT_MS = 60_000

/** Gives `command` the options of a whole cube. */
export function addCubeOptions(command: Command): Command {
  return command
    .option('--peers <number>', `how many peers, 1 to ${LIMITS.MAX_LOCAL_PEERS}`, '8')
    .option('--base-port <port>', 'port of the first peer, the others follow', '5555')
    .option('--data <folder>', 'where each peer keeps its store, in a folder named after it', 'data')
    .option('--logs <folder>', 'where each peer writes peer_node_<port>.log', 'logs')
    .option('--ephemeral', 'keep stores and logs in a temporary folder that is removed at the end', false)
    .addHelpText(
      'after',
      '\nSettings of the peers can be given in the environment: see "hypercast peer --help".',
    )
}

/** The options as commander parsed them, checked. Throws ConfigError. */
export function parseCubeOptions(flags: Readonly<Record<string, unknown>>): CubeOptions {
  const peers = wholeNumber(flags.peers, '--peers', 1, LIMITS.MAX_LOCAL_PEERS)
  const basePort = wholeNumber(flags.basePort, '--base-port', 1, 65_536 - peers)
  return {
    peers,
    basePort,
    data: String(flags.data),
    logs: String(flags.logs),
    ephemeral: flags.ephemeral === true,
  }
}

function wholeNumber(text: unknown, flag: string, least: number, greatest: number): number {
  const value = /^\d+$/.test(String(text)) ? Number(text) : Number.NaN
  if (value >= least && value <= greatest) return value
  throw new ConfigError(`${flag} is "${text}": give a number from ${least} to ${greatest}`)
}

/**
 * Starts a cube and runs it until SIGINT or SIGTERM, then stops its peers in order and resolves.
 * Rejects with CubeError when it cannot be started; nothing is left running then.
 */
export async function runCube(options: CubeOptions): Promise<void> {
  const temporary = options.ephemeral ? mkdtempSync(join(tmpdir(), 'hypercast-')) : undefined
  const data = temporary ? join(temporary, 'data') : options.data
  const logs = temporary ? join(temporary, 'logs') : options.logs
  const ports = Array.from({ length: options.peers }, (_, index) => options.basePort + index)
  const plans = planCube({ ports, data, logs })
  try {
    checkFolder(data, '--data')
    checkFolder(logs, '--logs')
    checkDataFolder(data, plans)
    await checkPorts(plans)
    await supervise(plans)
  } finally {
    if (temporary) rmSync(temporary, { recursive: true, force: true })
  }
}

async function supervise(plans: readonly PeerPlan[]): Promise<void> {
  const startedMs = performance.now()
  const stop = stopSignal()
  const allGone = Promise.withResolvers<never>()
  let isUp = false
  const cube = new LocalCube({
    plans,
    onLost: (plan, pid, exit) => {
      // Until all are up, one that ends is the reason why the cube cannot be started.
      if (!isUp) return
      tellLost(plan, pid, exit)
      if (cube.running.length === 0) allGone.reject(new CubeError('no peer is left: see their logs'))
    },
  })
  const up = bringUp(cube, startedMs).then(() => {
    isUp = true
  })
  try {
    const why = await Promise.race([stop.asked, up.then(() => allGone.promise)])
    say(`${why}: stopping ${cube.running.length} peers`)
  } catch (error) {
    throw new CubeError((error as Error).message)
  } finally {
    up.catch(() => {})
    await cube.stop()
    stop.forget()
  }
  say('all peers have stopped')
}

async function bringUp(cube: LocalCube, startedMs: number): Promise<void> {
  await cube.start()
  say(peerTable(cube))
  await cube.ready(READY_TIMEOUT_MS)
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  say(`ready after ${seconds} s: every slot has its primary. Ctrl-C stops all peers.`)
}

/** Resolves with the first signal; a second one ends the launcher at once, and the peers see that and stop. */
function stopSignal(): { readonly asked: Promise<string>; forget(): void } {
  const { promise: asked, resolve } = Promise.withResolvers<string>()
  let signals = 0
  const onSignal = (signal: NodeJS.Signals): void => {
    signals += 1
    if (signals > 1) process.exit(1)
    resolve(signal)
  }
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of names) process.on(name, onSignal)
  return { asked, forget: () => names.forEach(name => void process.removeListener(name, onSignal)) }
}

function tellLost(plan: PeerPlan, pid: number, { code, signal, complaint }: PeerExit): void {
  const how = complaint || (signal ? `by ${signal}` : `with code ${code}`)
  say(
    `peer ${plan.id} (pid ${pid}) ended: ${how}. The others go on. Start it again with:\n  ${commandLine(plan)}`,
  )
}

function peerTable(cube: LocalCube): string {
  const neighbours = links({ dimension: cube.plans[0]!.id.length, peers: cube.plans })
  const rows = cube.plans.map(plan => [
    plan.id,
    plan.url,
    String(cube.process(plan.id).pid),
    plan.data,
    (neighbours.get(plan.id) ?? []).join(' '),
  ])
  const head = ['peer', 'url', 'pid', 'data', 'neighbours']
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map(row => row[column]!.length)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()
  return [head, ...rows].map(line).join('\n')
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
