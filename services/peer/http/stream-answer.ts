import type { FastifyInstance, FastifyReply } from 'fastify'
import { ERRORS, HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { OpenedStream } from '../streams/types.ts'
import type { PeerApi } from './api.ts'
import { deadline } from './outcome.ts'
import { notServing } from './plugins/guard.ts'
import { asHypercastError } from './problems.ts'
import { answerLater, beginStream } from './sse.ts'
import { StreamSink } from './stream-sink.ts'

/**
 * Answers a request for a stream. Only what is wrong for good becomes an error status; what cannot be served now is a
 * stream that says so and ends, for a 5xx stops a browser's EventSource.
 * @param about for the log, should the stream fail
 * @param open begins the stream, until `deadlineMs` (monotonic); rejects with HypercastError
 */
export async function answerStream(
  app: Pick<FastifyInstance, 'turnstile'>,
  api: PeerApi,
  reply: FastifyReply,
  about: object,
  open: (deadlineMs: number) => Promise<OpenedStream> | OpenedStream,
): Promise<void> {
  const retry = (error: HypercastError) => answerLater(reply, error.message, api.settings.sseRetryMs)
  const why = notServing(api)
  if (why) return retry(why)
  if (api.streams.stats().streams >= LIMITS.MAX_STREAMS) return retry(new HypercastError('OVERLOADED'))
  try {
    await app.turnstile.pass()
    // Its client has left meanwhile.
    if (reply.raw.destroyed) {
      reply.hijack()
      return
    }
    const opened = await open(deadline(api))
    if (opened.kind === 'ended') reply.code(204).send()
    else opened.attach(sinkOf(reply, opened.abandon))
  } catch (error) {
    const known = asHypercastError(error)
    if (ERRORS[known.code].status < 500) throw known
    if (known.code === 'INTERNAL') api.log.error({ err: error, ...about }, 'a stream failed')
    return retry(known)
  }
}

function sinkOf(reply: FastifyReply, abandon: () => void): StreamSink {
  try {
    return new StreamSink(beginStream(reply))
  } catch (error) {
    abandon()
    throw error
  }
}
