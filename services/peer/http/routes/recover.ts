import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Recovered } from '../../membership/recovery.ts'
import type { HttpOptions } from '../api.ts'
import { RecoverInput, type RecoveryBody } from '../recovery-schemas.ts'
import { jsonResponse, problemResponses } from '../schemas.ts'
import { rosterOf, shownId } from '../views.ts'

/** POST /v1/recover: what an operator asks when peers are gone for good, and with them a majority of some slots. */
const recover: FastifyPluginAsyncTypebox<HttpOptions> = async (app, { api }) => {
  app.post(
    '/v1/recover',
    {
      schema: {
        operationId: 'recoverSlots',
        tags: ['cube'],
        summary: 'Rebuild slots that lost their majority for good',
        description:
          'What `hypercast recover` asks, at any peer that is left. **It gives up what only the lost peers had, ' +
          'acknowledged or not.** Without `force` it only says what would be done. Every peer that is named must be out of ' +
          'reach, and every other one must answer. Slots that have a majority are left alone. When it stopped on its way, ' +
          'the same is asked again, also at another peer.',
        body: RecoverInput,
        response: {
          200: jsonResponse('Recovery', 'What would be done, or was.'),
          ...problemResponses(
            ...(['INVALID_REQUEST', 'UNSUPPORTED_MEDIA_TYPE', 'PAYLOAD_TOO_LARGE'] as const),
            ...(['UNKNOWN_PARAMETER', 'STOPPING', 'NOT_FOUNDED', 'OVERLOADED', 'FOREIGN_ORIGIN'] as const),
            ...(['PEER_NOT_LOST', 'PEER_SILENT', 'CHANGE_UNDER_WAY', 'RECOVERY_INCOMPLETE'] as const),
            ...(['LAST_PEER', 'NO_PRIMARY', 'UNREACHABLE', 'OUTCOME_UNKNOWN'] as const),
          ),
        },
      },
    },
    async ({ body: { lost, force = false, by }, ip }, reply) => {
      const at = `${ip} at peer ${shownId(rosterOf(api), api.self)}`
      const wish = { lost, force, by: by === undefined ? at : `${by}, ${at}` }
      const body = recoveryBody(await api.membership.recover(wish))
      reply.header('cache-control', 'no-store')
      return body
    },
  )
}

function recoveryBody({ done, roster, lost, slots, kept, stuck }: Recovered): RecoveryBody {
  return {
    done,
    version: roster.version,
    lost: lost.map(({ id, url }) => ({ id: shownId(roster, id), url })),
    slots: slots.map(({ slot, peer, last, corrupt }) => ({
      slot,
      roster: slot === roster.slots,
      action: last === 0 ? 'founded' : 'continued',
      peer: shownId(roster, peer),
      last,
      corrupt: corrupt.map(id => shownId(roster, id)),
    })),
    kept,
    stuck: stuck.map(({ slot, corrupt }) => ({ slot, corrupt: corrupt.map(id => shownId(roster, id)) })),
  }
}

export default recover
