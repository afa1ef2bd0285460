import { createHash } from 'node:crypto'
import type { PeerId } from '../cube/labels.ts'
import { links } from '../cube/neighbours.ts'
import { placement, slotOf } from '../cube/placement.ts'
import type { Roster } from '../cube/roster.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { topicNameProblem } from '../topics/names.ts'
import type { TopicRow } from '../topics/types.ts'
import type { PeerApi } from './api.ts'
import type { CubeBody, PeerBody, PeerRef, TopicBody } from './schemas.ts'
import { shorten } from './start.ts'

/** The roster. @throws HypercastError NOT_FOUNDED before there is one */
export function rosterOf(api: PeerApi): Roster {
  const roster = api.roster()
  if (roster === null) throw new HypercastError('NOT_FOUNDED')
  return roster
}

/** A topic's name from a path or body. @throws HypercastError INVALID_TOPIC_NAME */
export function checkTopicName(name: string): string {
  const problem = topicNameProblem(name)
  if (problem === undefined) return name
  throw new HypercastError('INVALID_TOPIC_NAME', `The name "${shorten(name.toWellFormed())}" ${problem}.`)
}

/** The slot of a topic (DESIGN 4). */
export function slotOfTopic(name: string, slots: number): number {
  return slotOf(createHash('sha256').update(name).digest(), slots)
}

/** The path of a topic, its name percent-encoded. */
export function topicPath(name: string): string {
  return `/v1/topics/${encodeURIComponent(name)}`
}

/** A peer as other bodies name it; null for none or one that the roster does not have. */
export function peerRef(roster: Roster, id: PeerId | null): PeerRef | null {
  const peer = roster.peers.find(one => one.id === id)
  return peer ? { id: peer.id, url: peer.url } : null
}

/** The body of one topic. */
export function topicBody(roster: Roster, row: TopicRow, primary: PeerId | null): TopicBody {
  const slot = slotOfTopic(row.name, roster.slots)
  const replicas = placement(slot, roster, LIMITS.REPLICAS)
  return {
    name: row.name,
    slot,
    home: replicas[0] ?? '',
    primary: peerRef(roster, primary),
    replicas: replicas.flatMap(id => peerRef(roster, id) ?? []),
    earliest: row.earliest,
    latest: row.latest,
    bytes: row.bytes,
    incarnation: row.incarnation,
    created: new Date(row.createdMs).toISOString(),
    settings: { ...row.settings },
  }
}

/** All peers as this one sees them. */
export function peerBodies(api: PeerApi, roster: Roster): PeerBody[] {
  const edges = links(roster)
  const homes = new Map<PeerId, number>()
  const primaries = new Map<PeerId, number>()
  for (let slot = 0; slot < roster.slots; slot++) {
    count(homes, placement(slot, roster, 1)[0])
    count(primaries, api.primaryOf(slot))
  }
  return roster.peers.map(({ id, url, uid }) => ({
    id,
    url,
    uid,
    status: id === api.self ? 'self' : api.peerStatus(id),
    neighbours: [...(edges.get(id) ?? [])],
    homes: homes.get(id) ?? 0,
    primaries: primaries.get(id) ?? 0,
  }))
}

/** The cube as this peer sees it. */
export function cubeBody(api: PeerApi, roster: Roster): CubeBody {
  return {
    clusterId: roster.clusterId,
    version: roster.version,
    dimension: roster.dimension,
    slots: roster.slots,
    self: api.self,
    peers: peerBodies(api, roster),
    primaries: Array.from({ length: roster.slots }, (_, slot) => api.primaryOf(slot)),
  }
}

function count(counts: Map<PeerId, number>, id: PeerId | null | undefined): void {
  if (id != null) counts.set(id, (counts.get(id) ?? 0) + 1)
}
