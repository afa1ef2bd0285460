import type { FastifyReply } from 'fastify'
import type { PeerId } from '../cube/labels.ts'
import type { Roster } from '../cube/roster.ts'
import { HypercastError } from '../errors.ts'
import { topicSlot } from '../links/topic-slot.ts'
import type { TopicRow } from '../topics/types.ts'
import type { PeerApi } from './api.ts'
import { deadline } from './outcome.ts'
import type { TopicBody } from './schemas.ts'
import { rosterOf, topicBody } from './views.ts'

/** A page of topics by name. */
export interface TopicPageBody {
  readonly topics: TopicBody[]
  readonly next: string | null
}

/**
 * Merges what one replica of each group of slots says. Slots of one corner have the same replicas, so there are at
 * most 2^d questions, all at once; the first `limit` names of each are enough for the first `limit` of all.
 * @throws HypercastError when a group cannot be asked: a list with holes would look complete
 */
export async function listTopics(
  api: PeerApi,
  reply: FastifyReply,
  after: string,
  limit: number,
): Promise<TopicPageBody> {
  const roster = rosterOf(api)
  const patience = deadline(api)
  const groups = await Promise.all(
    cornerGroups(roster).map(slots => askGroup(api, slots, after, limit + 1, patience)),
  )
  const found = groups.flat().sort((one, other) => (one.row.name < other.row.name ? -1 : 1))
  const page = found.slice(0, limit)
  reply.header('cache-control', 'no-store')
  return {
    topics: page.map(({ row, primary }) => topicBody(roster, row, primary)),
    next: found.length > limit ? (page.at(-1)?.row.name ?? null) : null,
  }
}

interface Found {
  readonly row: TopicRow
  readonly primary: PeerId | null
}

async function askGroup(
  api: PeerApi,
  slots: readonly number[],
  after: string,
  limit: number,
  patience: number,
): Promise<Found[]> {
  const { result } = await api.dispatcher.dispatch({ kind: 'list', slots, after, limit }, patience)
  if (result.kind === 'failed') throw new HypercastError(result.code)
  if (result.kind !== 'topics') throw new HypercastError('INTERNAL')
  const { topics, primaries } = result
  const total = rosterOf(api).slots
  return topics.map(row => ({ row, primary: primaries[slots.indexOf(topicSlot(row.name, total))] ?? null }))
}

/** Slots by the corner they belong to. */
function cornerGroups({ slots, dimension }: Roster): number[][] {
  const corners = Math.min(slots, 2 ** dimension)
  return Array.from({ length: corners }, (_, corner) => {
    const group: number[] = []
    for (let slot = corner; slot < slots; slot += corners) group.push(slot)
    return group
  })
}
