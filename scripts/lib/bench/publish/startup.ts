import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { freePorts } from '../../ports.ts'
import { Hypercast } from '../servers/hypercast.ts'
import { Missing } from '../servers/server.ts'
import { JetStream } from './servers/jetstream.ts'

/** How long something took to be ready, each time. */
export interface StartFigures {
  readonly what: string
  readonly peers: number
  readonly kind: 'npm start' | 'founded' | 'jetstream'
  readonly seconds: readonly number[]
}

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))
const READY_TIMEOUT_MS = 120_000
const STOP_TIMEOUT_MS = 30_000

/** Launchers that run, so that they can be ended whenever it must. */
const running = new Set<ChildProcess>()

/** Starts each of them `starts` times and ends it again. */
export async function startup(
  {
    peers,
    farPeers,
    starts,
    withJetStream,
  }: { peers: number; farPeers: number; starts: number; withJetStream: boolean },
  tell: (text: string) => void,
): Promise<StartFigures[]> {
  const found: StartFigures[] = []
  const add = async (figures: Omit<StartFigures, 'seconds'>, once: () => Promise<number>): Promise<void> => {
    const seconds: number[] = []
    for (let at = 0; at < starts; at += 1) seconds.push(await once())
    found.push({ ...figures, seconds })
    tell(`${figures.what}: ${seconds.map(one => one.toFixed(1)).join(', ')} s`)
  }
  const npm = `npm start with ${farPeers} peers, until every slot has its primary`
  await add({ what: npm, peers: farPeers, kind: 'npm start' }, () => npmStart(farPeers))
  for (const count of new Set([1, peers])) {
    const what = `${count} ${count === 1 ? 'peer' : 'peers'} with an empty store, until ready`
    await add({ what, peers: count, kind: 'founded' }, () => timed(() => Hypercast.start({ peers: count })))
  }
  if (!withJetStream) return found
  try {
    const what = '3 servers of NATS, until a stream with 3 replicas is there'
    await add({ what, peers: 3, kind: 'jetstream' }, () => timed(() => JetStream.start()))
  } catch (error) {
    if (!(error instanceof Missing)) throw error
  }
  return found
}

/** Ends launchers that still run. */
export async function endStarts(): Promise<void> {
  await Promise.all([...running].map(end))
}

async function timed(start: () => Promise<{ close(): Promise<void> }>): Promise<number> {
  const startMs = performance.now()
  const started = await start()
  const seconds = (performance.now() - startMs) / 1_000
  await started.close()
  return seconds
}

/** Seconds from the command until it says that the cube is ready. */
async function npmStart(peers: number): Promise<number> {
  const [port] = (await freePorts(peers)) as [number]
  const startMs = performance.now()
  const arguments_ = ['start', '--', '--peers', String(peers), '--base-port', String(port), '--ephemeral']
  // A process group of its own, since npm does not pass every signal on.
  const child = spawn('npm', arguments_, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  running.add(child)
  let said = ''
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`npm start did not say ready: ${said}`)),
        READY_TIMEOUT_MS,
      )
      for (const stream of [child.stdout!, child.stderr!]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          said = (said + text).slice(-4_096)
          if (!/ready after/.test(said)) return
          clearTimeout(timer)
          resolve()
        })
      }
      child.once('error', reject)
      child.once('close', code => reject(new Error(`npm start ended with ${code}: ${said}`)))
    })
    return (performance.now() - startMs) / 1_000
  } finally {
    await end(child)
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (!running.delete(child) || child.pid === undefined || child.exitCode !== null) return
  const closed = new Promise<void>(resolve => child.once('close', () => resolve()))
  const signal = (name: NodeJS.Signals): void => {
    try {
      process.kill(-child.pid!, name)
    } catch {}
  }
  signal('SIGINT')
  const timer = setTimeout(() => signal('SIGKILL'), STOP_TIMEOUT_MS)
  await closed
  clearTimeout(timer)
}
