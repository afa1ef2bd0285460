/**
 * Runs in a network of its own (`unshare -n`), of which nobody else sees anything: a peer, a client, one that is stopped,
 * and one that no packet reaches any more. Prints a line of JSON: what became of their streams.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { askJson, askUntil } from '../../scripts/lib/http.ts'
import { parsePeerArguments } from '../../services/peer/arguments.ts'
import { connectionKey, readQueues, SOCKET_TABLES } from '../../services/peer/http/unacknowledged.ts'
import { startPeer } from '../../services/peer/peer.ts'

const HOST = '10.77.0.1'
const URL = `http://${HOST}:5555`
const TOPIC = `${URL}/v1/topics/sports`
const STALL_MS = 1_000

const children: ChildProcess[] = []
const folder = mkdtempSync(join(tmpdir(), 'hypercast-half-open-'))
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** Starts a program; resolves with it when it has said something. */
async function start(command: string, ...args: string[]): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  await once(child.stdout!, 'data')
  child.stdout!.resume()
  return child
}

const ip = (...args: string[]) => execFileSync('ip', args)

/** Who listens at an address of its own on the loopback: what is sent there can be made to vanish. */
const FAR = '10.77.0.2'

/** A client that prints what it gets. */
const CLIENT = `
import { get } from 'node:http'
const [url, localAddress] = process.argv.slice(-2)
get(url, { localAddress, headers: { accept: 'text/event-stream' } }, response => response.pipe(process.stdout))`
const client = (address: string) =>
  start(process.execPath, '--input-type=module', '-e', CLIENT, `${TOPIC}/events`, address)

/** From now on whatever is sent to the address is lost: no answer, no refusal, as with a machine whose cable is pulled. */
function vanish(address: string): void {
  ip('route', 'add', 'blackhole', address)
  ip('route', 'delete', 'local', address, 'dev', 'lo', 'table', 'local')
}

/** Bytes on their way from the peer to that address which nobody acknowledged. */
async function unacknowledged(address: string): Promise<number> {
  const ends = { localAddress: HOST, localPort: 5555, remoteAddress: address, remotePort: 1 }
  const toThere = connectionKey(ends)!.slice(0, -'0001'.length)
  let sumBytes = 0
  await readQueues(SOCKET_TABLES.v4, (connection, bytes) => {
    if (connection.startsWith(toThere)) sumBytes += bytes
  })
  return sumBytes
}

const isTotal = (count: number) => (found: { readonly total: number }) => found.total === count

ip('link', 'set', 'lo', 'up')
for (const address of [HOST, FAR]) ip('addr', 'add', `${address}/32`, 'dev', 'lo')
const flags = ['--found', '--insecure', '--host', HOST, '--data', folder, '--slots', '1']
const quick = ['--sse-heartbeat', '200ms', '--stall-timeout', `${STALL_MS}ms`]
const config = parsePeerArguments([...flags, ...quick], {})
const quiet = { debug() {}, info() {}, warn() {}, error() {} }
const peer = await startPeer(config, {
  log: quiet,
  onFatal: error => {
    throw error
  },
  onRemoved() {},
})
await peer.ready
await askJson(TOPIC, { method: 'PUT' })
await client(HOST)
const stopped = await client(HOST)
const far = await client(FAR)
await askUntil(`${TOPIC}/subscribers`, isTotal(3))

stopped.kill('SIGSTOP')
vanish(FAR)
const vanishedMs = performance.now()
let mostBytes = 0
const looking = setInterval(() => {
  void unacknowledged(FAR).then(bytes => {
    mostBytes = Math.max(mostBytes, bytes)
  })
}, 50)
await askUntil(`${TOPIC}/subscribers`, isTotal(2))
const noticedMs = performance.now() - vanishedMs
clearInterval(looking)
// The stopped one has been silent for longer: its machine acknowledges, though nobody reads.
while (performance.now() - vanishedMs < 4 * STALL_MS) await new Promise(resolve => setTimeout(resolve, 50))
const { total } = await askJson<{ total: number }>(`${TOPIC}/subscribers`)
console.log(
  JSON.stringify({ noticedMs, mostBytes, total, farRuns: far.exitCode === null, stallMs: STALL_MS }),
)
process.exit(0)
