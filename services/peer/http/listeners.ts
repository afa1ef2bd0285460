import type { PeerId } from '../cube/labels.ts'
import type { Roster } from '../cube/roster.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { PeerApi } from './api.ts'
import type { SubscribersBody } from './schemas.ts'
import { rosterOf, shownId } from './views.ts'

/** Part of a publish's patience that a whole counting may take: peers that do not answer must not use it up. */
const PATIENCE_SHARE = 0.5

/**
 * Asks the peers of the roster how many streams of clients each serves that get the topic's events. A peer that does not
 * answer in time is named among the silent ones; what its clients do is not known.
 */
export class ListenerCount {
  readonly #api: PeerApi
  #underWay = 0

  constructor(api: PeerApi) {
    this.#api = api
  }

  /** Rejects with HypercastError: UPGRADE_UNDER_WAY, OVERLOADED, NOT_FOUNDED. */
  async count(topic: string): Promise<SubscribersBody> {
    if (this.#underWay >= LIMITS.MAX_LISTENER_COUNTS) {
      throw new HypercastError('OVERLOADED', `${this.#underWay} countings of subscribers are under way here`)
    }
    this.#underWay += 1
    try {
      const roster = rosterOf(this.#api)
      return body(roster, topic, await this.#askAll(roster, topic))
    } finally {
      this.#underWay -= 1
    }
  }

  async #askAll({ peers }: Roster, topic: string): Promise<ReadonlyMap<PeerId, number>> {
    const { clock, settings } = this.#api
    const untilMs = clock.monotonicMs() + settings.publishTimeoutMs * PATIENCE_SHARE
    const counts = new Map<PeerId, number>()
    let next = 0
    const ask = async (): Promise<void> => {
      for (let peer = peers[next++]; peer !== undefined; peer = peers[next++]) {
        const count = await this.#ask(peer.id, topic, untilMs)
        if (count !== undefined) counts.set(peer.id, count)
      }
    }
    await Promise.all(Array.from({ length: Math.min(LIMITS.LISTENERS_AT_ONCE, peers.length) }, ask))
    return counts
  }

  /** Undefined when the peer does not answer in time. */
  async #ask(peer: PeerId, topic: string, untilMs: number): Promise<number | undefined> {
    const { clock, dispatcher } = this.#api
    const deadlineMs = Math.min(untilMs, clock.monotonicMs() + LIMITS.LISTENERS_PATIENCE_MS)
    const { result } = await dispatcher.dispatch({ kind: 'listeners', peer, topic }, deadlineMs)
    if (result.kind === 'listeners') return result.count
    // Every peer would be passed by for the same reason.
    if (result.kind === 'failed' && result.code === 'UPGRADE_UNDER_WAY') {
      throw new HypercastError(result.code, result.detail)
    }
    return undefined
  }
}

function body(roster: Roster, topic: string, counts: ReadonlyMap<PeerId, number>): SubscribersBody {
  const peers = roster.peers.flatMap(({ id, url }) => {
    const subscribers = counts.get(id)
    return subscribers === undefined ? [] : [{ id: shownId(roster, id), url, subscribers }]
  })
  return {
    topic,
    total: peers.reduce((sum, { subscribers }) => sum + subscribers, 0),
    peers,
    silent: roster.peers.filter(({ id }) => !counts.has(id)).map(({ id }) => shownId(roster, id)),
  }
}
