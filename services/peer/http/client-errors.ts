import { randomUUID } from 'node:crypto'
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ErrorCode, HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { problemHeaders, problemOf } from './problems.ts'

/** What Node could not parse, by its code; anything else is BAD_HTTP. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'PAYLOAD_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
}

const lingering = new WeakSet<Duplex>()

const waiting = new WeakSet<Duplex>()

/** Node's note of the answer under way on a socket; its own default handler looks at it too. */
interface Answering {
  readonly _httpMessage?: Pick<ServerResponse, 'headersSent' | 'req' | 'once'> | null
}

/**
 * Answers what is not HTTP, or never arrives, with a problem and closes the connection. A good request that came
 * before the garbage gets its own answer first: a publish that is kept is never answered 400. Where an answer has
 * already begun, as on a stream followed by garbage, the connection is only closed.
 */
export function onClientError(error: Error & { code?: string }, socket: Duplex): void {
  const answer = (socket as Answering)._httpMessage
  // It was answered before, or will be; what still comes is only drained.
  if (lingering.has(socket) || waiting.has(socket)) return
  if (error.code === 'ECONNRESET' || !socket.writable || answer?.headersSent) {
    socket.destroy()
    return
  }
  if (answer?.req.complete) {
    waiting.add(socket)
    answer.once('finish', () => {
      waiting.delete(socket)
      onClientError(error, socket)
    })
    return
  }
  refuseRaw(socket, new HypercastError(CODES[error.code ?? ''] ?? 'BAD_HTTP'))
}

/** CONNECT asks for a proxy, which no peer is. */
export function onConnect(_request: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => socket.destroy())
  refuseRaw(socket, new HypercastError('METHOD_NOT_ALLOWED'))
}

/** Answers on a bare socket with a problem, and closes it. */
export function refuseRaw(socket: Duplex, error: HypercastError): void {
  const problem = problemOf(error, randomUUID())
  const body = JSON.stringify(problem)
  const headers = {
    ...problemHeaders(problem.code),
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const status = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n`
  linger(socket)
  socket.end(`${status}${lines.join('')}\r\n${body}`)
}

/** Takes what the client still sends for a while: closing with bytes unread would reset the connection and lose the answer. */
function linger(socket: Duplex): void {
  lingering.add(socket)
  socket.on('data', () => {}).resume()
  const timer = setTimeout(() => socket.destroy(), LIMITS.LINGER_MS)
  timer.unref()
  socket.once('close', () => clearTimeout(timer))
}
