import type { PeerId } from '../cube/labels.ts'
import type { Rosters } from '../engine/rosters.ts'
import type { EngineLog } from '../engine/settings.ts'
import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { Dispatcher } from '../links/types.ts'
import { appendChange } from './changes.ts'
import { mayBeNamed, survey } from './survey.ts'

export interface DeparturesOptions {
  readonly self: PeerId
  readonly rosters: Rosters
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  readonly log: EngineLog
  /** This peer is primary of the roster's own slot. */
  isRosterPrimary(): boolean
  /** For how long a peer has been silent, as seen from here, in milliseconds; 0 for one that is up or was never seen. */
  silentForMs(peer: PeerId): number
  /** Asks a peer for the roster it goes by. */
  askForRoster(peer: PeerId): void
  /** Whether anybody reaches the peer: this one may merely be cut off from it. Never rejects. */
  reaches(peer: PeerId, deadlineMs: number): Promise<boolean>
  /** Silence after which a peer is taken for dead for good; 0 for never. */
  readonly evictAfterMs: number
}

/**
 * How peers go (DESIGN 6). One that is dead for good is evicted by whoever misses it, one at a time, and never while a
 * slot is without a majority. One that leaves, or was evicted, goes off the list when no slot's configuration names it
 * any more; the roster's primary sees to that, and whoever is it next goes on.
 */
export class Departures {
  readonly #options: DeparturesOptions
  #cancel: (() => void) | undefined

  constructor(options: DeparturesOptions) {
    this.#options = options
  }

  start(): void {
    const { clock } = this.#options
    this.#cancel = clock.after(LIMITS.DEPARTURE_LOOK_MS, () => {
      this.#cancel = () => {}
      this.#look()
        .catch(error => this.#options.log.debug({ error: String(error) }, 'a departure is put off'))
        .finally(() => {
          if (this.#cancel) this.start()
        })
    })
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  async #look(): Promise<void> {
    const { self, rosters, isRosterPrimary, askForRoster } = this.#options
    const { peers } = rosters.current
    // Off the list, it is told nothing any more: it has to ask.
    if (peers.some(({ id, leaving }) => id === self && leaving)) {
      const [other] = peers.filter(({ id, leaving }) => id !== self && !leaving)
      if (other) askForRoster(other.id)
    }
    const leaving = peers.find(peer => peer.leaving)
    if (leaving === undefined) await this.#evict()
    else if (isRosterPrimary()) await this.#remove(leaving.uid, leaving.number)
  }

  async #remove(uid: string, number: number): Promise<void> {
    const { rosters, dispatcher, self, log } = this.#options
    const deadlineMs = this.#deadline()
    if (mayBeNamed(await survey(dispatcher, rosters, deadlineMs), number)) return
    const why = 'it holds nothing any more'
    await appendChange(dispatcher, { kind: 'remove', uid, by: self, why }, deadlineMs)
    log.info({ uid, number }, 'a peer is off the list')
  }

  async #evict(): Promise<void> {
    const { rosters, dispatcher, self, evictAfterMs, silentForMs, reaches, log } = this.#options
    if (evictAfterMs === 0) return
    const dead = rosters.current.peers.find(({ id }) => id !== self && silentForMs(id) > evictAfterMs)
    if (dead === undefined) return
    const deadlineMs = this.#deadline()
    if (await reaches(dead.id, deadlineMs)) return
    const { unknown, moving, roster } = await survey(dispatcher, rosters, deadlineMs)
    if (unknown > 0 || moving > 0) {
      log.warn({ peer: dead.id, unknown, moving }, 'a dead peer stays until every slot has settled')
      return
    }
    const why = `silent for ${Math.round(silentForMs(dead.id) / 1_000)} s`
    const change = { kind: 'evict', id: dead.id, uid: dead.uid, by: self, why } as const
    await appendChange(dispatcher, { ...change, follows: roster.version }, deadlineMs)
    log.warn({ peer: dead.id, why }, 'a dead peer is evicted')
  }

  #deadline(): number {
    return this.#options.clock.monotonicMs() + LIMITS.DEPARTURE_PATIENCE_MS
  }
}
