import type { PeerId } from '../cube/labels.ts'
import type { Roster } from '../cube/roster.ts'
import type { Holdings } from '../engine/recover.ts'
import type { GoOn, LostPeer, RecoveryAnswer, RecoveryAsk } from '../engine/recovery-wire.ts'
import type { EngineLog } from '../engine/settings.ts'
import type { Clock } from '../engine/types.ts'
import { HypercastError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Dispatcher } from '../links/types.ts'
import { appendChange, type Wish } from './changes.ts'

/** Pause between two looks whether a peer is still heard. */
const HEARD_LOOK_MS = 100

export interface SurvivorOptions {
  readonly uid: string
  readonly rosters: { readonly current: Roster }
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  readonly log: EngineLog
  /** The engine's part; see SlotRecovery. */
  readonly slots: {
    holdings(deadlineMs: number): Promise<Holdings>
    clear(slots: readonly number[]): Promise<void>
    goOn(orders: readonly GoOn[], deadlineMs: number): Promise<void>
  }
  /** Whether signs of life come from the peer. A dead one counts as heard for an election timeout more. */
  isHeard(peer: PeerId): boolean
  /** How long that is, in milliseconds. */
  readonly electionMs: number
  /** Asks whoever answers at `url` who it is. Rejects when nobody does in time. */
  identify(url: string): Promise<{ readonly uid: string }>
  /** Goes over to a later version of the roster. */
  adopt(roster: Roster): void
}

/** Does at one peer that is left what the coordinator of a recovery asks for. */
export class Survivor {
  readonly #options: SurvivorOptions

  constructor(options: SurvivorOptions) {
    this.#options = options
  }

  /** Never rejects but for defects: what cannot be done is a `failed` answer. */
  async answer(ask: RecoveryAsk): Promise<RecoveryAnswer> {
    try {
      return await this.#do(ask)
    } catch (error) {
      if (!(error instanceof HypercastError)) throw error
      return { kind: 'failed', code: error.code, detail: error.message }
    }
  }

  async #do(ask: RecoveryAsk): Promise<RecoveryAnswer> {
    const { slots, clock, adopt } = this.#options
    switch (ask.kind) {
      case 'report':
        return this.#report(ask.lost)
      case 'clear':
        await slots.clear(ask.slots)
        return { kind: 'done' }
      case 'goOn':
        await slots.goOn(ask.orders, clock.monotonicMs() + LIMITS.DEPARTURE_PATIENCE_MS)
        return { kind: 'done' }
      case 'strike':
        return { kind: 'roster', roster: await this.#strike(ask) }
      case 'adopt':
        adopt(ask.roster)
        return { kind: 'done' }
    }
  }

  async #report(lost: readonly LostPeer[]): Promise<RecoveryAnswer> {
    const { uid, rosters, slots, clock, identify } = this.#options
    const isThere = async (peer: LostPeer) => {
      const [answering, isHeard] = await Promise.all([
        identify(peer.url).catch(() => undefined),
        this.#staysHeard(peer),
      ])
      return answering?.uid === peer.uid || isHeard ? [peer.id] : []
    }
    const [holdings, reached] = await Promise.all([
      slots.holdings(clock.monotonicMs() + LIMITS.RECOVERY_CONFIRM_MS),
      Promise.all(lost.map(isThere)),
    ])
    return {
      kind: 'report',
      report: { uid, roster: rosters.current, ...holdings, reached: reached.flat() },
    }
  }

  /**
   * Whether the peer is heard for longer than a dead one: it is there, although nobody answers where it is listed. It
   * came back at another address that the roster could not be told, or takes no new connections.
   */
  async #staysHeard({ id, uid }: LostPeer): Promise<boolean> {
    const { rosters, clock, electionMs, isHeard } = this.#options
    const isThere = () =>
      rosters.current.peers.some(peer => peer.id === id && peer.uid === uid) && isHeard(id)
    const untilMs = clock.monotonicMs() + Math.min(electionMs + HEARD_LOOK_MS, LIMITS.RECOVERY_STEP_MS / 2)
    while (isThere()) {
      if (clock.monotonicMs() >= untilMs) return true
      await new Promise<void>(resolve => clock.after(HEARD_LOOK_MS, resolve))
    }
    return false
  }

  /**
   * Takes the lost off the list, not waiting until no slot names them: they hold nothing that is still needed. So they
   * are strangers at once if they come back, and no route leads over them any more.
   */
  async #strike({ lost, by, why }: Extract<RecoveryAsk, { kind: 'strike' }>): Promise<Roster> {
    const { rosters, log } = this.#options
    for (const { id, uid } of lost) {
      const isListed = await this.#change({ kind: 'evict', id, uid, by, why })
      if (isListed) await this.#change({ kind: 'remove', uid, by, why })
      log.warn({ who: id, uid }, 'recovery: a lost peer is off the list')
    }
    return rosters.current
  }

  /** False when the roster does not list the store any more. */
  async #change(change: Wish): Promise<boolean> {
    const { dispatcher, clock, adopt } = this.#options
    try {
      const deadlineMs = clock.monotonicMs() + LIMITS.DEPARTURE_PATIENCE_MS
      adopt((await appendChange(dispatcher, change, deadlineMs)).roster)
      return true
    } catch (error) {
      if (error instanceof HypercastError && error.code === 'UNKNOWN_PEER') return false
      throw error
    }
  }
}
