import { type PeerId, parseLabel } from '../cube/labels.ts'
import { peerAt, type Roster, type RosterPeer } from '../cube/roster.ts'
import { listedFormat } from '../cube/roster-format.ts'
import { formatFault } from '../engine/formats.ts'
import type { Rosters } from '../engine/rosters.ts'
import type { Clock } from '../engine/types.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Dispatcher } from '../links/types.ts'
import { displacedBy } from './address.ts'
import { appendChange, type Changed, type Wish } from './changes.ts'
import { leftUnsound, type Survey, survey } from './survey.ts'

/** What a peer says of itself to whoever asks at its address. */
export interface Identity {
  readonly uid: string
  /** The cluster it belongs to; null before it belongs to one. */
  readonly clusterId: string | null
}

/** What a store wants that asks to join. */
export interface JoinWish {
  readonly uid: string
  /** Where the other peers will reach it. */
  readonly url: string
  /** The corner it wants; the lowest free one otherwise. */
  readonly id?: PeerId
  /** What it was told of the cluster, if anything. */
  readonly slots?: number
  /** The newest format its program speaks with other peers, and the oldest; absent means 1. */
  readonly format?: number
  readonly oldestFormat?: number
  /** Who asks, for the roster's note. */
  readonly by: string
}

export interface Admitted {
  readonly roster: Roster
  readonly peer: RosterPeer
  /** False when the roster listed it already. */
  readonly fresh: boolean
}

export interface AdmissionOptions {
  readonly rosters: Rosters
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  /** Asks whoever answers at `url` who it is. Rejects when nobody does in time. */
  identify(url: string): Promise<Identity>
  adopt(roster: Roster): void
  /** The peer is heard of, as seen from here. */
  isUp(peer: PeerId): boolean
  /** Whether anybody reaches the peer, wherever it is. Never rejects. */
  reaches(peer: PeerId, deadlineMs: number): Promise<boolean>
}

/**
 * Takes stores into the cube, and peers out of it, on behalf of whoever asks this peer (DESIGN 6). What may be is
 * decided by the roster's log alone; here is judged what the log cannot know: whether somebody answers at the address
 * and whether the slots have settled since the last change, so that of every slot's voters a majority stays where the
 * next roster places it.
 */
export class Admission {
  readonly #options: AdmissionOptions

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /**
   * Adds a store as a peer; one that asks again is given the answer it had. A store that answers at a listed peer's
   * address in its place has lost that peer's data, and replaces it; a listed store at another address has moved.
   * Rejects with HypercastError; what was refused changed nothing.
   */
  async join(wish: JoinWish, deadlineMs: number): Promise<Admitted> {
    this.#checkFit(wish)
    await this.#checkAddress(wish)
    for (;;) {
      try {
        // One that is listed and asks again has crashed before it knew: the slots on the move wait for nobody but it.
        if (!this.#isListed(wish)) await this.#ripe(wish, deadlineMs)
        const { roster, changed } = await this.#append(
          changeFor(wish, this.#options.rosters.current),
          deadlineMs,
        )
        const peer = roster.peers.find(({ uid }) => uid === wish.uid)
        if (peer === undefined) throw new HypercastError('INTERNAL')
        return { roster, peer, fresh: changed }
      } catch (error) {
        // Another change came in between: what was judged is judged again.
        if (!isUnderWay(error) || !(await this.#pause(deadlineMs))) throw error
      }
    }
  }

  /**
   * Marks a peer as leaving: its slots move on, and then it goes off the list by itself. `force` is for one that is
   * dead, and for one that would leave a slot behind that nobody answers for.
   * Rejects with HypercastError UNKNOWN_PEER, LAST_PEER, CHANGE_UNDER_WAY, NO_PRIMARY.
   */
  async leave(id: PeerId, by: string, force: boolean, deadlineMs: number): Promise<Omit<Admitted, 'fresh'>> {
    const { rosters } = this.#options
    for (;;) {
      const listed = peerAt(rosters.current, id)
      if (listed === undefined) throw new HypercastError('UNKNOWN_PEER', `The roster has no peer ${id}.`)
      try {
        if (!force && !listed.leaving) await this.#spared(listed, deadlineMs)
        const { version: follows } = rosters.current
        const change: Wish = force
          ? { kind: 'evict', id: listed.id, uid: listed.uid, by, why: 'evicted by hand' }
          : { kind: 'leave', id: listed.id, follows, by, why: 'leaves' }
        const { roster } = await this.#append(change, deadlineMs)
        return { roster, peer: peerAt(roster, id) ?? { ...listed, leaving: true } }
      } catch (error) {
        if (!isUnderWay(error) || !(await this.#pause(deadlineMs))) throw error
      }
    }
  }

  survey(deadlineMs: number): Promise<Survey> {
    const { dispatcher, rosters } = this.#options
    return survey(dispatcher, rosters, deadlineMs)
  }

  async #append(change: Wish, deadlineMs: number): Promise<Changed> {
    const changed = await appendChange(this.#options.dispatcher, change, deadlineMs)
    this.#options.adopt(changed.roster)
    return changed
  }

  #checkFit({ slots, format = 1, oldestFormat = 1 }: JoinWish): void {
    const { current } = this.#options.rosters
    const { slots: own, clusterId } = current
    if (slots !== undefined && slots !== own) {
      throw new HypercastError(
        'JOIN_REFUSED',
        `This cluster (${clusterId}) has ${own} slots and not ${slots}: join without --slots, or another cluster.`,
      )
    }
    const unfit = formatFault({ oldest: oldestFormat, newest: format }, current)
    if (unfit !== undefined) throw new HypercastError('JOIN_REFUSED', unfit)
  }

  /** Whoever cannot be reached at its address would hold its slots up. */
  async #checkAddress({ url, uid }: JoinWish): Promise<void> {
    let identity: Identity
    try {
      identity = await this.#options.identify(url)
    } catch (error) {
      throw new HypercastError(
        'ADDRESS_UNREACHABLE',
        `Nobody answers at ${url} (${error instanceof Error ? error.message : String(error)}): give the new peer an address that the others reach, with --advertise.`,
      )
    }
    const { clusterId } = this.#options.rosters.current
    if (identity.uid !== uid) {
      throw new HypercastError(
        'ADDRESS_UNREACHABLE',
        `At ${url} another store answers (uid ${identity.uid}) than the one that wants to join (uid ${uid}): correct --advertise.`,
      )
    }
    if (identity.clusterId === null || identity.clusterId === clusterId) return
    throw new HypercastError(
      'JOIN_REFUSED',
      `The peer at ${url} belongs to cluster ${identity.clusterId} and cannot join cluster ${clusterId}: start it with an empty --data.`,
    )
  }

  #isListed({ uid, url }: JoinWish): boolean {
    return this.#options.rosters.current.peers.some(peer => peer.uid === uid && peer.url === url)
  }

  /** Waits until the change may be. */
  async #ripe(wish: JoinWish, deadlineMs: number): Promise<void> {
    const { kind, ...change } = changeFor(wish, this.#options.rosters.current)
    if (kind === 'join') {
      await this.#settled(deadlineMs, () => this.#isListed(wish))
      return
    }
    if (kind === 'replace' && 'id' in change && (await this.#isThere(change.id as PeerId, deadlineMs))) {
      throw new HypercastError(
        'CHANGE_UNDER_WAY',
        `Peer ${change.id} is heard of, and another store answers at its address: try again when it is silent, or let it leave.`,
      )
    }
  }

  /**
   * A store is lost only when nobody reaches it: it may have moved, and be about to say so. This peer may have started a
   * moment ago, and have heard nobody yet.
   */
  async #isThere(id: PeerId, deadlineMs: number): Promise<boolean> {
    const { isUp, reaches, clock } = this.#options
    if (isUp(id)) return true
    return reaches(id, Math.min(deadlineMs, clock.monotonicMs() + LIMITS.REPLACE_PATIENCE_MS))
  }

  /** Waits until every slot has settled and has a majority without the peer. */
  async #spared({ id, number }: RosterPeer, deadlineMs: number): Promise<void> {
    const seen = await this.#settled(deadlineMs)
    const unsound = seen ? leftUnsound(seen, number) : []
    if (unsound.length === 0) return
    throw new HypercastError(
      'CHANGE_UNDER_WAY',
      `Without peer ${id} ${unsound.length} slots would have no majority of replicas that are up and level: start the peers that are down, or evict them, and try again.`,
    )
  }

  /** Rejects with CHANGE_UNDER_WAY when slots are still on the move at the deadline, with NO_PRIMARY when one is lost. */
  async #settled(deadlineMs: number, isIdle: () => boolean = () => false): Promise<Survey | undefined> {
    for (;;) {
      if (isIdle()) return undefined
      const seen = await this.survey(deadlineMs)
      const { moving, unknown } = seen
      const isLeaving = this.#options.rosters.current.peers.some(({ leaving }) => leaving)
      if (moving === 0 && unknown === 0 && !isLeaving) return seen
      if (await this.#pause(deadlineMs)) continue
      if (unknown > 0) {
        throw new HypercastError(
          'NO_PRIMARY',
          `${unknown} slots have no primary: no peer may come or go now.`,
        )
      }
      throw new HypercastError('CHANGE_UNDER_WAY', `${moving} slots are still on the move: try again soon.`)
    }
  }

  /** False when there is no time left for another attempt. */
  #pause(deadlineMs: number): Promise<boolean> {
    const { clock } = this.#options
    const pauseMs = LIMITS.SETTLE_LOOK_MS
    if (clock.monotonicMs() + 2 * pauseMs >= deadlineMs) return Promise.resolve(false)
    return new Promise(resolve => clock.after(pauseMs, () => resolve(true)))
  }
}

function changeFor({ uid, url, id, by, format = 1 }: JoinWish, roster: Roster): Wish {
  const listed = roster.peers.find(peer => peer.uid === uid)
  if (listed !== undefined && listed.url !== url) {
    const why = 'its address changed'
    return { kind: 'address', uid, url, ...displacedBy(roster, url, uid), by, why }
  }
  const before = roster.peers.find(peer => peer.url === url)
  // At an address that it was merely given nobody was ever lost.
  const isSamePlace =
    before && !before.given && (id === undefined || parseLabel(id) === parseLabel(before.id))
  if (before !== undefined && before.uid !== uid && isSamePlace) {
    const why = 'another store answers at its address: the one before is lost'
    return {
      kind: 'replace',
      id: before.id,
      uid,
      replaces: before.uid,
      url,
      ...listedFormat(format),
      by,
      why,
    }
  }
  return {
    kind: 'join',
    uid,
    url,
    ...(id !== undefined && { id }),
    ...listedFormat(format),
    follows: roster.version,
    by,
    why: 'joins',
  }
}

function isUnderWay(error: unknown): boolean {
  return error instanceof HypercastError && error.code === 'CHANGE_UNDER_WAY'
}
