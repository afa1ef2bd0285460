/**
 * Loaded into each peer's process before its program (`node --import`), so that its connections to other peers go
 * through this run's links. All peers must be given the same list of addresses, since the roster is made of it, yet
 * each pair needs a link of its own in each direction: hence the address is exchanged where the connection is made.
 * Network namespaces would do it below the process, but need root, iproute2 and kernel modules that not every
 * machine has. The peer's own code is untouched.
 *
 * CHAOS_LINKS is a JSON object: port of a peer -> port of the link to it. CHAOS_BLOCKED names a file that holds a
 * JSON list of the ports to which connecting is cut just now. As with a lost SYN, connecting to one of these neither
 * succeeds nor fails: it is tried again after 1, 2, 4, … seconds, until the caller gives up.
 */
import { readFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import net, { type NetConnectOpts, Socket, type TcpNetConnectOpts } from 'node:net'

const FIRST_RETRY_MS = 1_000

const links: Readonly<Record<string, number>> = JSON.parse(process.env.CHAOS_LINKS ?? '{}')
const blockedFile = process.env.CHAOS_BLOCKED ?? ''
const direct = net.connect

function isBlocked(port: number): boolean {
  return (JSON.parse(readFileSync(blockedFile, 'utf8')) as number[]).includes(port)
}

/** Connects to another peer through its link, at once or, while that is cut, when it no longer is. */
function connectByLink(options: TcpNetConnectOpts, link: number): Socket {
  const socket = new Socket(options)
  const attempt = (pauseMs: number): void => {
    if (socket.destroyed) return
    if (isBlocked(options.port)) setTimeout(attempt, pauseMs, pauseMs * 2).unref()
    else socket.connect({ ...options, port: link })
  }
  attempt(FIRST_RETRY_MS)
  return socket
}

const connect = (...args: unknown[]): Socket => {
  const [options] = args as [NetConnectOpts]
  const link = typeof options === 'object' && 'port' in options ? links[options.port] : undefined
  if (link === undefined) return (direct as (...all: unknown[]) => Socket)(...args)
  return connectByLink(options as TcpNetConnectOpts, link)
}

Object.assign(net, { connect, createConnection: connect })
syncBuiltinESMExports()
