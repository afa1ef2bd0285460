import type { FastifyReply } from 'fastify'
import { ERRORS, HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { OpenedStream } from '../streams/types.ts'
import type { PeerApi } from './api.ts'
import { notServing } from './plugins/guard.ts'
import { asHypercastError } from './problems.ts'
import { answerLater, beginStream } from './sse.ts'

/**
 * Answers with a stream of events. What is wrong for good is an error document; what may pass is a stream that says so
 * and ends, so that EventSource comes again.
 * @param about for the log, should the stream fail
 */
export async function answerStream(
  api: PeerApi,
  reply: FastifyReply,
  about: object,
  open: () => Promise<OpenedStream> | OpenedStream,
): Promise<void> {
  const retry = (error: HypercastError) => answerLater(reply, error.message, api.settings.sseRetryMs)
  const why = notServing(api)
  if (why) return retry(why)
  if (api.streams.stats().streams >= LIMITS.MAX_STREAMS) return retry(new HypercastError('OVERLOADED'))
  try {
    const opened = await open()
    if (opened.kind === 'ended') reply.code(204).send()
    else opened.attach(beginStream(reply))
  } catch (error) {
    const known = asHypercastError(error)
    if (ERRORS[known.code].status < 500) throw known
    if (known.code === 'INTERNAL') api.log.error({ err: error, ...about }, 'a stream failed')
    return retry(known)
  }
}
