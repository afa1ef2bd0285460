import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'

/** Route option of every event stream: negotiation, heartbeats and frames are ours, @fastify/sse opens the stream. */
export const SSE_ROUTE = { kind: 'manual', heartbeat: false } as const

/** Headers of every event stream on top of the plugin's. */
const STREAM_HEADERS = { 'cache-control': 'no-cache, no-transform' }

/**
 * Takes the reply out of Fastify's hands and sends the headers of an event stream; what is written to the result goes
 * to the client as it is: docs/decisions/0007-event-streams-are-written-raw.md.
 */
export function beginStream(reply: FastifyReply): ServerResponse {
  reply.headers(STREAM_HEADERS)
  const { raw, sse } = reply
  raw.on('error', () => raw.destroy())
  // The plugin promises keep-alive even to a client that asked for the end of the connection.
  if (!raw.shouldKeepAlive) reply.header('connection', 'close')
  sse.keepAlive()
  reply.hijack()
  sse.sendHeaders(200)
  raw.flushHeaders()
  reply.server.halfOpen.watch(raw.socket)
  return raw
}

/**
 * A stream that cannot be served now: it opens, says why in a comment, and ends. EventSource tries again after
 * `retryMs`; a 5xx would stop it for good.
 */
export function answerLater(reply: FastifyReply, why: string, retryMs: number): void {
  beginStream(reply).end(`retry: ${retryMs}\n: ${why.replaceAll(/[\r\n]/g, ' ')}\n\n`)
}

/** HEAD: the headers of a stream, at once. */
export function answerHead(reply: FastifyReply): FastifyReply {
  return answerEmpty(reply.type('text/event-stream').headers(STREAM_HEADERS))
}

/** HEAD where GET has a body of unknown length: a missing payload would be told as Content-Length: 0. */
export function answerEmpty(reply: FastifyReply): FastifyReply {
  return reply.send(Readable.from([]))
}
