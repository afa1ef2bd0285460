import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { HypercastError } from '../../errors.ts'
import type { HttpOptions } from '../api.ts'
import { LoopDelay } from '../loop-delay.ts'

/** Coarse, since each step wakes an idle process. */
const RESOLUTION_MS = 100

/**
 * Turns clients away while the event loop is far behind. Never peers, since shedding heartbeats makes elections, nor
 * /health and /metrics, which are wanted most just then, nor streams, which may wait.
 * Why not @fastify/under-pressure: docs/decisions/0008-load-without-under-pressure.md.
 */
const pressure: FastifyPluginAsync<HttpOptions> = async (app, { api }) => {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  histogram.enable()
  app.addHook('onClose', async () => {
    histogram.disable()
  })
  const delay = new LoopDelay(histogram, RESOLUTION_MS)
  app.addHook('onRequest', (request, _reply, done) => {
    const { audience = 'client', waits = false } = request.routeOptions.config
    if (audience !== 'client' || waits || !delay.isBehind(api.clock.monotonicMs())) done()
    else done(new HypercastError('OVERLOADED'))
  })
}

export default fp(pressure, { name: 'pressure', dependencies: ['errors', 'guard'] })
