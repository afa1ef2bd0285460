import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { peerAt, type Roster, type RosterPeer, urlFault } from '../../cube/roster.ts'
import { formatOf } from '../../cube/roster-format.ts'
import { HypercastError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { HttpOptions, PeerApi } from '../api.ts'
import { JoinInput } from '../membership-schemas.ts'
import { deadline } from '../outcome.ts'
import { progressOf } from '../progress.ts'
import { jsonResponse, type PeerBody, ProgressQuery, problemResponses } from '../schemas.ts'
import { shorten } from '../start.ts'
import { peerBodies, rosterOf, shownId } from '../views.ts'

const SERVING = ['STOPPING', 'NOT_FOUNDED', 'OVERLOADED', 'UNKNOWN_PARAMETER'] as const
const CHANGING = [
  ...SERVING,
  'INVALID_REQUEST',
  'FOREIGN_ORIGIN',
  'UNKNOWN_PEER',
  'CHANGE_UNDER_WAY',
  'NO_PRIMARY',
  'UNREACHABLE',
  'CLOCK_SKEW',
  'OUTCOME_UNKNOWN',
  'DISK_FULL',
] as const
const PeerParams = Type.Object({
  id: Type.String({
    description: 'Its label, as wide as the cube is or was when it was given: 0101 and 101 are the same.',
    examples: ['110'],
  }),
})

/** /v1/peers: the roster, and how peers come and go. */
const peers: FastifyPluginAsyncTypebox<HttpOptions> = async (app, { api }) => {
  app.get(
    '/v1/peers',
    {
      schema: {
        operationId: 'listPeers',
        tags: ['cube'],
        summary: 'The peers of the roster',
        querystring: ProgressQuery,
        response: {
          200: jsonResponse('PeerList', 'The peers.'),
          ...problemResponses('INVALID_REQUEST', ...SERVING),
        },
      },
    },
    async ({ query }, reply) => {
      const progress = await progressOf(api, query)
      reply.header('cache-control', 'no-store')
      const roster = rosterOf(api)
      return { peers: peerBodies(api, roster), format: formatOf(roster), ...progress }
    },
  )

  app.post(
    '/v1/peers',
    {
      schema: {
        operationId: 'joinPeer',
        tags: ['cube'],
        summary: 'Take a store in as a peer',
        description:
          'What `hypercast peer --join` asks. The new peer must answer at its URL already. It gets the label it asks for, ' +
          'or the lowest free one; a full cube grows by one dimension. Slots that are on the move are waited for. ' +
          'The same store again gets the same answer; a store that answers in a listed peer’s place replaces it.',
        body: JoinInput,
        response: {
          200: jsonResponse('Joined', 'The roster lists it already.'),
          201: jsonResponse('Joined', 'It is a peer now; the slots it is nearest to move to it.', {
            Location: { type: 'string', description: 'Path of the peer.' },
          }),
          ...problemResponses(
            ...CHANGING,
            'UNSUPPORTED_MEDIA_TYPE',
            'PAYLOAD_TOO_LARGE',
            'LABEL_TAKEN',
            'LABEL_TOO_WIDE',
            'ADDRESS_TAKEN',
            'STORE_LISTED',
            'CUBE_FULL',
            'JOIN_REFUSED',
            'ADDRESS_UNREACHABLE',
          ),
        },
      },
    },
    async ({ body, ip }, reply) => {
      // Before anybody is asked at the address.
      const fault = urlFault(body.url)
      if (fault) throw new HypercastError('INVALID_REQUEST', `The address "${shorten(body.url)}" ${fault}.`)
      const deadlineMs = api.clock.monotonicMs() + LIMITS.JOIN_TIMEOUT_MS - LIMITS.JOIN_MARGIN_MS
      const { roster, peer, fresh } = await api.membership.join({ ...body, by: asker(api, ip) }, deadlineMs)
      const shown = peerBody(api, roster, peer)
      if (fresh) reply.header('location', `/v1/peers/${shown.id}`)
      return reply.code(fresh ? 201 : 200).send({ peer: shown, roster })
    },
  )

  app.get(
    '/v1/peers/:id',
    {
      schema: {
        operationId: 'getPeer',
        tags: ['cube'],
        summary: 'One peer',
        params: PeerParams,
        response: { 200: jsonResponse('Peer', 'The peer.'), ...problemResponses('UNKNOWN_PEER', ...SERVING) },
      },
    },
    ({ params }, reply) => {
      const roster = rosterOf(api)
      const peer = listed(roster, params.id)
      reply.header('cache-control', 'no-store').send(peerBody(api, roster, peer))
    },
  )

  app.delete(
    '/v1/peers/:id',
    {
      schema: {
        operationId: 'removePeer',
        tags: ['cube'],
        summary: 'Let a peer leave, or evict a dead one',
        description:
          'It is marked as leaving: its slots move to other peers, and then it goes off the list by itself; ' +
          '`GET /v1/peers?progress=true` says how many slots and bytes are still to move. The same again is 202 until then.',
        params: PeerParams,
        querystring: Type.Object(
          {
            force: Type.Optional(
              Type.Boolean({
                default: false,
                description:
                  'For a peer that is dead for good: nothing is waited for and nothing is asked of it.',
              }),
            ),
          },
          { additionalProperties: false },
        ),
        response: {
          202: jsonResponse('Leaving', 'It is leaving.'),
          ...problemResponses(...CHANGING, 'LAST_PEER'),
        },
      },
    },
    async ({ params, query, ip }, reply) => {
      const { id } = listed(rosterOf(api), params.id)
      const options = { force: query.force === true, by: asker(api, ip) }
      const { roster, peer } = await api.membership.leave(id, options, deadline(api))
      return reply.code(202).send({ peer: peerBody(api, roster, peer) })
    },
  )
}

/**
 * The peer with this label, as wide as the cube is now or was at any time since the peer was added.
 * @throws HypercastError UNKNOWN_PEER
 */
function listed(roster: Roster, id: string): RosterPeer {
  const peer = peerAt(roster, id)
  if (peer && id.length >= peer.id.length && id.length <= roster.dimension) return peer
  throw new HypercastError('UNKNOWN_PEER', `The roster lists no peer "${shorten(id)}".`)
}

function peerBody(api: PeerApi, roster: Roster, peer: RosterPeer): PeerBody {
  return peerBodies(api, roster, [peer])[0]!
}

/** Who asks, for the roster's note: a client, and the peer it asked. */
function asker(api: PeerApi, ip: string): string {
  return `${ip} at peer ${shownId(rosterOf(api), api.self)}`
}

export default peers
