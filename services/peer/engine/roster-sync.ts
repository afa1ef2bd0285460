import type { PeerId } from '../cube/labels.ts'
import { type Roster, type RosterPeer, rosterFault } from '../cube/roster.ts'
import { LIMITS } from '../limits.ts'
import type { LogStore } from '../store/types.ts'
import type { Rosters } from './rosters.ts'
import type { EngineLog } from './settings.ts'
import { NewerFormatError } from './shapes.ts'
import type { Clock, CubeEvent, Transport } from './types.ts'

export interface RosterSyncOptions {
  readonly self: PeerId
  readonly rosters: Rosters
  readonly store: Pick<LogStore, 'writeRoster'>
  readonly transport: Pick<Transport, 'roster'>
  readonly clock: Clock
  readonly log: EngineLog
  event(event: CubeEvent): void
  /** The peer goes by another roster now. */
  changed(before: Roster): void
  fatal(error: unknown): void
}

/**
 * Goes over to later versions of the roster: those that are committed in the roster's own slot, and, at all other
 * peers, those that a partner's heartbeat tells of. A version is only ever made by a committed entry, so it does not
 * matter from whom it is copied.
 */
export class RosterSync {
  readonly #options: RosterSyncOptions
  #isPulling = false

  constructor(options: RosterSyncOptions) {
    this.#options = options
  }

  /** A version that is committed, or copied from a peer that goes by it. One that is not later changes nothing. */
  adopt(roster: Roster): void {
    const { rosters, store, log, changed, fatal } = this.#options
    const before = rosters.current
    if (!rosters.adopt(roster)) return
    store.writeRoster(roster).catch(fatal)
    log.info(
      { version: roster.version, change: roster.change, peers: roster.peers.map(({ id }) => id) },
      'the roster has changed',
    )
    changed(before)
    this.#tell(before, roster)
  }

  /** A peer goes by a later version: takes it over from there, one at a time; the next heartbeat asks again. */
  pull(from: PeerId): void {
    if (this.#isPulling) return
    this.#isPulling = true
    const { transport, log, fatal } = this.#options
    transport
      .roster(from)
      .then(roster => {
        const fault = rosterFault(roster, LIMITS)
        if (fault === undefined) this.adopt(roster)
        else log.warn({ peer: from, fault }, 'a peer gave a roster that is none')
      })
      .catch(error => {
        // The cluster has gone over to a format that this program does not speak.
        if (error instanceof NewerFormatError) fatal(error)
        else log.debug({ peer: from, error: String(error) }, 'the roster could not be had')
      })
      .finally(() => {
        this.#isPulling = false
      })
  }

  #tell(before: Roster, now: Roster): void {
    const { clock, event } = this.#options
    const told = { version: now.version, why: now.change?.why ?? '', timeMs: clock.nowMs() }
    const old = new Map(before.peers.map(peer => [peer.id, peer]))
    for (const peer of now.peers) {
      const kind = stepOf(old.get(peer.id), peer)
      if (kind) event({ kind, peer: peer.id, ...told })
      old.delete(peer.id)
    }
    for (const peer of old.keys()) event({ kind: 'left', peer, ...told })
  }
}

function stepOf(before: RosterPeer | undefined, now: RosterPeer) {
  if (before === undefined) return 'joined'
  if (before.uid !== now.uid) return 'replaced'
  if (now.leaving && !before.leaving) return 'leaving'
  return before.url === now.url ? undefined : 'moved'
}
