import type { PeerId } from '../cube/labels.ts'
import type { RosterPeer } from '../cube/roster.ts'
import type { Rosters } from '../engine/rosters.ts'
import type { EngineLog } from '../engine/settings.ts'
import type { Clock } from '../engine/types.ts'
import { LIMITS } from '../limits.ts'
import type { Dispatcher } from '../links/types.ts'
import type { Configuration, Member } from '../raft/types.ts'
import { appendChange } from './changes.ts'
import { isLevelIn, leftUnsound, mayBeNamed, survey } from './survey.ts'

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
  /** A primary or a partner has been missed for long: perhaps this peer is off the list. */
  isLost(): boolean
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
  #asked = 0
  #pauseMs: number = LIMITS.DEPARTURE_LOOK_MS
  #nextEvictionMs = 0

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
    const { self, rosters, isRosterPrimary, isLost, askForRoster } = this.#options
    const { peers } = rosters.current
    // Off the list, it is told nothing any more: it has to ask, one peer after the other.
    if (isLost() || peers.some(({ id, leaving }) => id === self && leaving)) {
      const others = peers.filter(({ id }) => id !== self)
      const next = others[this.#asked++ % Math.max(1, others.length)]
      if (next) askForRoster(next.id)
    }
    const leaving = peers.filter(peer => peer.leaving)
    if (leaving.length > 0 && isRosterPrimary()) await this.#remove(leaving)
    await this.#evict()
  }

  async #remove(leaving: readonly RosterPeer[]): Promise<void> {
    const { rosters, dispatcher, self, log } = this.#options
    const deadlineMs = this.#deadline()
    const seen = await survey(dispatcher, rosters, deadlineMs)
    for (const { uid, number } of leaving) {
      if (mayBeNamed(seen, number)) continue
      const why = 'it holds nothing any more'
      await appendChange(dispatcher, { kind: 'remove', uid, by: self, why }, deadlineMs)
      log.info({ uid, number }, 'a peer is off the list')
    }
  }

  /** One at a time: the next one when every slot has settled but those that wait for nobody but the dead. */
  async #evict(): Promise<void> {
    const { rosters, self, evictAfterMs, silentForMs, clock } = this.#options
    if (evictAfterMs === 0 || clock.monotonicMs() < this.#nextEvictionMs) return
    const silent = rosters.current.peers.filter(
      ({ id, leaving }) => id !== self && !leaving && silentForMs(id) > evictAfterMs,
    )
    let isDone = silent.length === 0
    for (const peer of silent) isDone ||= await this.#evictOne(peer)
    // What stands in the way may last: looking costs every slot a question.
    this.#pauseMs = isDone
      ? LIMITS.DEPARTURE_LOOK_MS
      : Math.min(2 * this.#pauseMs, LIMITS.EVICTION_PAUSE_MAX_MS)
    this.#nextEvictionMs = clock.monotonicMs() + (isDone ? 0 : this.#pauseMs)
  }

  async #evictOne({ id, uid, number }: RosterPeer): Promise<boolean> {
    const { rosters, dispatcher, self, silentForMs, reaches, log, evictAfterMs } = this.#options
    // For the dead nobody answers before the time is over: what follows has one of its own.
    if (await reaches(id, this.#deadline())) return false
    const deadlineMs = this.#deadline()
    const seen = await survey(dispatcher, rosters, deadlineMs)
    const { unknown, roster, configurations, level } = seen
    const moving = configurations.filter((configuration, slot) => {
      if (configuration === null || rosters.settles(slot, configuration)) return false
      return !waitsFor(number, rosters.membersOf(rosters.order(slot)), configuration, level[slot])
    }).length
    if (unknown > 0 || moving > 0) {
      log.warn({ peer: id, unknown, moving }, 'a dead peer stays until every slot has settled')
      return false
    }
    const unsound = leftUnsound(seen, number)
    if (unsound.length > 0) {
      log.warn({ peer: id, slots: unsound }, 'a dead peer stays: without it slots would have no majority')
      return false
    }
    // That took a while, and it may be back.
    if (silentForMs(id) <= evictAfterMs) return false
    const why = `silent for ${Math.round(silentForMs(id) / 1_000)} s`
    const change = { kind: 'evict', id, uid, by: self, why, follows: roster.version } as const
    await appendChange(dispatcher, change, deadlineMs)
    log.warn({ peer: id, why }, 'a dead peer is evicted')
    return true
  }

  #deadline(): number {
    return this.#options.clock.monotonicMs() + LIMITS.DEPARTURE_PATIENCE_MS
  }
}

/** A slot that is not where it belongs yet waits for nobody but this member, to be level or to vote. */
function waitsFor(
  number: number,
  placed: readonly Member[],
  { voters }: Configuration,
  level: readonly number[] | undefined,
): boolean {
  const isAwaited = (member: Member) => member.number === number && level?.includes(number) !== true
  const missing = placed.filter(member => !voters.some(voter => voter.number === member.number))
  if (!missing.every(one => isAwaited(one) || isLevelIn(level, one.number))) return false
  const sound = placed.filter(one => !isAwaited(one) && isLevelIn(level, one.number))
  return missing.some(isAwaited) || (placed.some(isAwaited) && sound.length <= placed.length / 2)
}
