/**
 * Loaded into each peer's process before its program (`node --import`), so that its connections to other peers go
 * through this run's links. All peers must be given the same addresses, since the roster is made of them, yet
 * each pair needs a link of its own in each direction: hence the address is exchanged where the connection is made.
 * Network namespaces would do it below the process, but need root, iproute2 and kernel modules that not every
 * machine has. The peer's own code is untouched.
 *
 * CHAOS_NETWORK names a file that holds a JSON object: `links`, port of a peer -> port of the link to it, and
 * `blocked`, a list of the ports to which connecting is cut just now. As with a lost SYN, connecting to one of these
 * neither succeeds nor fails: it is tried again after 1, 2, 4, … seconds, until the caller gives up. The file is read
 * for each connection, since peers come, go and move.
 */
import { readFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import net, { type NetConnectOpts, Socket, type TcpNetConnectOpts } from 'node:net'

interface Ways {
  readonly links: Readonly<Record<string, number>>
  readonly blocked: readonly number[]
}

const FIRST_RETRY_MS = 1_000

const file = process.env.CHAOS_NETWORK ?? ''
const direct = net.connect

function ways(): Ways {
  return JSON.parse(readFileSync(file, 'utf8')) as Ways
}

/** Connects to another peer through its link, at once or, while that is cut, when it no longer is. */
function connectByLink(options: TcpNetConnectOpts): Socket {
  const socket = new Socket(options)
  const attempt = (pauseMs: number): void => {
    if (socket.destroyed) return
    const { links, blocked } = ways()
    if (blocked.includes(options.port)) setTimeout(attempt, pauseMs, pauseMs * 2).unref()
    else socket.connect({ ...options, port: links[options.port] ?? options.port })
  }
  attempt(FIRST_RETRY_MS)
  return socket
}

const connect = (...args: unknown[]): Socket => {
  const [options] = args as [NetConnectOpts]
  const isLinked =
    typeof options === 'object' && 'port' in options && ways().links[options.port] !== undefined
  if (!isLinked) return (direct as (...all: unknown[]) => Socket)(...args)
  return connectByLink(options as TcpNetConnectOpts)
}

Object.assign(net, { connect, createConnection: connect })
syncBuiltinESMExports()
