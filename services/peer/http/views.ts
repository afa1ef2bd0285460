import { displayId, type PeerId } from '../cube/labels.ts'
import { links } from '../cube/neighbours.ts'
import { replicasOf } from '../cube/placement.ts'
import type { Roster, RosterPeer } from '../cube/roster.ts'
import { formatOf } from '../cube/roster-format.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { topicSlot } from '../links/topic-slot.ts'
import { topicNameProblem } from '../topics/names.ts'
import type { TopicRow } from '../topics/types.ts'
import type { PeerApi } from './api.ts'
import type { CubeBody, PeerBody, PeerRef, ProgressBody, TopicBody } from './schemas.ts'
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

/** The path of a topic, its name percent-encoded. */
export function topicPath(name: string): string {
  return `/v1/topics/${encodeURIComponent(name)}`
}

/** An id as clients see it: as wide as the cube is now. */
export function shownId(roster: Roster, id: PeerId): PeerId {
  return displayId(id, roster.dimension)
}

/** A peer as other bodies name it; null for none or one that the roster does not have. */
export function peerRef(roster: Roster, id: PeerId | null): PeerRef | null {
  const peer = roster.peers.find(one => one.id === id)
  return peer ? { id: shownId(roster, peer.id), url: peer.url } : null
}

/** The body of one topic. */
export function topicBody(roster: Roster, row: TopicRow, primary: PeerId | null): TopicBody {
  const slot = topicSlot(row.name, roster.slots)
  const replicas = replicasOf(slot, roster, LIMITS)
  return {
    name: row.name,
    slot,
    home: shownId(roster, replicas[0]!),
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

/** Peers of the roster as this one sees them: all of them, or those named. */
export function peerBodies(
  api: PeerApi,
  roster: Roster,
  peers: readonly RosterPeer[] = roster.peers,
): PeerBody[] {
  const edges = links(roster)
  const homes = new Map<PeerId, number>()
  const primaries = new Map<PeerId, number>()
  for (let slot = 0; slot < roster.slots; slot++) {
    count(homes, replicasOf(slot, roster, LIMITS)[0])
    count(primaries, api.primaryOf(slot))
  }
  return peers.map(({ id, url, uid, leaving, format }) => ({
    id: shownId(roster, id),
    url,
    uid,
    status: id === api.self ? 'self' : api.peerStatus(id),
    ...(leaving ? { leaving } : {}),
    format: formatOf({ format }),
    neighbours: (edges.get(id) ?? []).map(other => shownId(roster, other)).sort(),
    homes: homes.get(id) ?? 0,
    primaries: primaries.get(id) ?? 0,
  }))
}

/** The cube as this peer sees it. */
export function cubeBody(api: PeerApi, roster: Roster, progress: ProgressBody): CubeBody {
  return {
    clusterId: roster.clusterId,
    version: roster.version,
    dimension: roster.dimension,
    slots: roster.slots,
    format: formatOf(roster),
    self: shownId(roster, api.self),
    peers: peerBodies(api, roster),
    ...progress,
    primaries: Array.from({ length: roster.slots }, (_, slot) => {
      const primary = api.primaryOf(slot)
      return primary === null ? null : shownId(roster, primary)
    }),
  }
}

function count(counts: Map<PeerId, number>, id: PeerId | null | undefined): void {
  if (id != null) counts.set(id, (counts.get(id) ?? 0) + 1)
}
