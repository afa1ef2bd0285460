import underPressure from '@fastify/under-pressure'
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { HypercastError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { HttpOptions } from '../api.ts'

/**
 * Turns clients away while the event loop is far behind. Never peers, since shedding heartbeats makes elections, nor
 * /health and /metrics, which are wanted most just then, nor streams, which may wait.
 */
const pressure: FastifyPluginAsync<HttpOptions> = async app => {
  await app.register(underPressure, {
    maxEventLoopDelay: LIMITS.MAX_LOOP_DELAY_MS,
    pressureHandler: async (request, _reply, _type, value) => {
      // No measurement in a whole second: the process was stopped or stalled once, and is behind no more.
      if (value === Number.POSITIVE_INFINITY) return
      const { audience = 'client', waits = false } = request.routeOptions.config
      if (audience === 'client' && !waits) throw new HypercastError('OVERLOADED')
    },
  })
}

export default fp(pressure, { name: 'pressure', dependencies: ['errors', 'guard'] })
