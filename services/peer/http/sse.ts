import type { ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'

/** Headers of every event stream; the rest of the reply's stay. */
const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  // Reverse proxies of nginx's kind hold streams back without it.
  'x-accel-buffering': 'no',
}

/**
 * Takes the reply out of Fastify's hands and sends the headers of an event stream; what is written to the result goes
 * to the client as it is. Why not @fastify/sse: docs/decisions/0007-event-streams-are-written-raw.md.
 */
export function beginStream(reply: FastifyReply): ServerResponse {
  reply.headers(STREAM_HEADERS)
  reply.hijack()
  const { raw } = reply
  raw.on('error', () => raw.destroy())
  raw.writeHead(200, reply.getHeaders() as Record<string, string>)
  raw.flushHeaders()
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
  return reply.headers(STREAM_HEADERS).send()
}
