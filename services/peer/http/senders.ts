import type { IncomingHttpHeaders } from 'node:http'
import type { PeerId } from '../cube/labels.ts'
import type { Roster } from '../cube/roster.ts'
import { HypercastError } from '../errors.ts'
import type { PeerApi } from './api.ts'

/** Two clusters never mix. @throws HypercastError STRANGER, NOT_FOUNDED */
export function checkCluster(api: PeerApi, headers: IncomingHttpHeaders): Roster {
  const roster = api.roster()
  if (roster === null) throw new HypercastError('NOT_FOUNDED')
  if (headers['hypercast-cluster'] === roster.clusterId) return roster
  throw new HypercastError('STRANGER', 'The request names another cluster, or none.')
}

/** The peer that sent the request, and means this one. @throws HypercastError STRANGER, MISDIRECTED, NOT_FOUNDED */
export function senderOf(api: PeerApi, headers: IncomingHttpHeaders): PeerId {
  const roster = checkCluster(api, headers)
  const from = headers['hypercast-from']
  const peer = roster.peers.find(({ id }) => id === from)
  if (!peer || peer.uid !== headers['hypercast-uid']) {
    throw new HypercastError('STRANGER', 'The roster has no such peer with this uid.')
  }
  const url = headers['hypercast-url']
  if (typeof url === 'string') api.links.said(peer.id, url)
  // Also when it looks for another one here: this one may be the one that does not find it.
  const to = headers['hypercast-to']
  if (to !== undefined && to !== api.links.uid) {
    throw new HypercastError(
      'MISDIRECTED',
      `The request is for the store ${to}, this one is ${api.links.uid}.`,
    )
  }
  return peer.id
}
